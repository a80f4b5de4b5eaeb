/* "roost.thread-check/1": which thread this is, for asserting the tags of these headers. */
#ifndef ROOST_THREAD_CHECK_H
#define ROOST_THREAD_CHECK_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_THREAD_CHECK "roost.thread-check/1"

typedef struct roost_thread_check_v1 {
    /* [any] 1 or 0. */
    uint32_t (*is_loop)(void);
    uint32_t (*is_worker)(void);
    uint32_t (*is_writer)(void);
} roost_thread_check_v1;

#ifdef __cplusplus
}
#endif

#endif
