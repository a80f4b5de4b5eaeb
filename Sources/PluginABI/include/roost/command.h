/* "roost.command/1": sub-commands of the roost program. */
#ifndef ROOST_COMMAND_H
#define ROOST_COMMAND_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_COMMAND "roost.command/1"

/* [worker] Runs the command; the data folder is open. Arguments as a JSON array of strings, the command's own name left
 * out. Returns the process's exit code (0…125); words for the user go through `print`. */
typedef int32_t (*roost_command_run)(void *user, const roost_call *call, roost_bytes arguments);

/* OWNERSHIP: borrowed; the host copies. 80 bytes. */
typedef struct roost_command_v1 {
    roost_bytes name;     /* e.g. "superuser" */
    roost_bytes summary;  /* one line for `roost --help` */
    roost_bytes usage;    /* the text of `roost NAME --help` */
    void *user;
    roost_command_run run;
    void (*free)(void *user);
    uint64_t reserved;
} roost_command_v1;

typedef struct roost_commands_v1 {
    /* [init] ROOST_ECONFLICT: there is a command of that name. */
    roost_status (*add)(const roost_host *host, const roost_command_v1 *command);
    /* [worker] Writes a line to standard output (`is_error` 0) or standard error (1). */
    void (*print)(const roost_host *host, uint32_t is_error, roost_bytes line);
} roost_commands_v1;

#ifdef __cplusplus
}
#endif

#endif
