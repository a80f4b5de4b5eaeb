/*
 * "roost.failure/1": what was said with `fail` and `fail_field`. For a plugin that asks hooks of other plugins in a call
 * that is not the one to be answered, and gives their words on by itself.
 */
#ifndef ROOST_FAILURE_H
#define ROOST_FAILURE_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_FAILURE "roost.failure/1"

/* What a call's failure would be answered with. 56 bytes. */
typedef struct roost_failure_v1 {
    int32_t http_status;   /* 400…599 */
    uint32_t reserved;
    roost_bytes code;      /* may be empty */
    roost_bytes message;
    roost_bytes data;      /* a JSON object: what is wrong with which field */
} roost_failure_v1;

typedef struct roost_failure_table_v1 {
    /* [any] Takes the words away from a call, as if they had never been given. ROOST_ENOTFOUND: there are none.
     * OWNERSHIP: scratch of the call. */
    roost_status (*take)(const roost_call *call, roost_failure_v1 *out);
    uint64_t reserved;
} roost_failure_table_v1;

#ifdef __cplusplus
}
#endif

#endif
