/* "roost.log/1": the plugin's lines in the server's log. Fetched from the host. */
#ifndef ROOST_LOG_H
#define ROOST_LOG_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_LOG "roost.log/1"

/* The levels are those of Go's slog, as they stand in `_logs`. */
#define ROOST_LOG_DEBUG (-4)
#define ROOST_LOG_INFO 0
#define ROOST_LOG_WARN 4
#define ROOST_LOG_ERROR 8

typedef struct roost_log_v1 {
    /* [any] Queues one line; never waits. `data` is a JSON object or empty. */
    void (*write)(const roost_host *host, int32_t level, roost_bytes message, roost_bytes data);
    /* [any] Whether lines of the level are kept: lets a plugin save itself the formatting. 1 or 0. */
    uint32_t (*enabled)(const roost_host *host, int32_t level);
} roost_log_v1;

#ifdef __cplusplus
}
#endif

#endif
