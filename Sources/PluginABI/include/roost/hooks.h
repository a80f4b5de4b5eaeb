/*
 * "roost.hooks/1": a say in what happens to records.
 *
 * A handler calls `next` to let the rest happen (the other handlers, then the action itself) and may act before and
 * after it; without `next` the action does not happen. An event without handlers costs nothing.
 */
#ifndef ROOST_HOOKS_H
#define ROOST_HOOKS_H

#include "core.h"
#include "http.h"
#include "records.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_HOOKS "roost.hooks/1"

/*
 * The events, named as PocketBase names them without "on":
 *  [worker] recordsListRequest, recordViewRequest, recordCreateRequest, recordUpdateRequest, recordDeleteRequest
 *  [writer] recordValidate, recordCreate, recordCreateExecute, recordUpdate, recordUpdateExecute, recordDelete,
 *           recordDeleteExecute: inside the transaction
 *  [worker] recordAfterCreateSuccess, recordAfterUpdateSuccess, recordAfterDeleteSuccess: after the commit, before the
 *           answer; recordAfterCreateError, recordAfterUpdateError, recordAfterDeleteError
 */
typedef struct roost_event { uint64_t id; } roost_event;

typedef roost_status (*roost_hook_handler)(void *user, const roost_call *call, roost_event event);

/* OWNERSHIP: borrowed; the host copies. 64 bytes. */
typedef struct roost_hook_v1 {
    roost_bytes event;
    roost_bytes collections;  /* names or ids separated by commas; empty for all */
    int32_t priority;         /* ascending */
    uint32_t reserved;
    void *user;
    roost_hook_handler handler;
    void (*free)(void *user);
} roost_hook_v1;

typedef struct roost_hooks_v1 {
    /* [init] ROOST_ENOTFOUND: no such event. */
    roost_status (*add)(const roost_host *host, const roost_hook_v1 *hook);
    /* On the handler's thread, once: the rest of the chain. Its failure is the handler's to return or to mend. */
    roost_status (*next)(const roost_call *call, roost_event event);
    /* On the handler's thread: parts of the event, ROOST_ENOTFOUND where it has none. */
    roost_status (*record)(roost_event event, roost_record *out);
    roost_status (*request)(roost_event event, roost_request *out);
    roost_status (*transaction)(roost_event event, roost_transaction *out);
    roost_status (*name)(roost_event event, roost_bytes *out);
} roost_hooks_v1;

#ifdef __cplusplus
}
#endif

#endif
