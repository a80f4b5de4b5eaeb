/*
 * "roost.changes/1": what was committed, in the order of the commits, and what of it somebody may see.
 *
 * Nothing is gathered for collections that nobody wants.
 */
#ifndef ROOST_CHANGES_H
#define ROOST_CHANGES_H

#include "core.h"
#include "records.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_CHANGES "roost.changes/1"

#define ROOST_CHANGE_CREATE 1u
#define ROOST_CHANGE_UPDATE 2u
#define ROOST_CHANGE_DELETE 3u

/* Which rule of a collection decides. */
#define ROOST_RULE_LIST 0u
#define ROOST_RULE_VIEW 1u

/* A change of one record. OWNERSHIP: it and what it names are valid until the call that gave it ends. 64 bytes. */
typedef struct roost_change_v1 {
    uint64_t id;                 /* for `show` */
    uint32_t action;             /* ROOST_CHANGE_… */
    uint32_t reserved;
    int64_t position;            /* in the log; 0 when it is not kept */
    roost_bytes collection;      /* id */
    roost_bytes record_id;
    roost_record record;         /* as it was committed; of a delete, as it was before */
} roost_change_v1;

/* Somebody who looks: an identity with the query and headers that rules may read. */
typedef struct roost_viewer { uint64_t id; } roost_viewer;

/* [worker], one call at a time for a plugin. */
typedef void (*roost_changes_handler)(
    void *user, const roost_call *call, const roost_change_v1 *changes, uint64_t count);
typedef void (*roost_changes_job)(void *user, const roost_call *call);

/* OWNERSHIP: borrowed; the host copies. 32 bytes. */
typedef struct roost_changes_listener_v1 {
    void *user;
    /* Changes of wanted collections, in the order of their commits. */
    roost_changes_handler changed;
    /* Collections were changed, or another process wrote: keys of viewers made before are void. */
    roost_changes_job schema_changed;
    /* Changes were dropped, because the plugin was too far behind. */
    roost_changes_job lost;
} roost_changes_listener_v1;

typedef struct roost_changes_v1 {
    /* [init] ROOST_ECONFLICT: somebody listens already. */
    roost_status (*listen)(const roost_host *host, const roost_changes_listener_v1 *listener);
    /* [worker] Which collections' changes are wanted from now on: a JSON array of ids; empty for none. When this
     * returns, every change is either committed and in the log, where one is kept, or will be told. */
    roost_status (*want)(const roost_host *host, roost_bytes collections);
    /* [any] Runs a job between two calls of the listener, in the order asked for. */
    roost_status (*run)(const roost_host *host, roost_changes_job job, void *user);

    /* [any] Whose token it is; ROOST_ENOTFOUND when it does not count. */
    roost_status (*identify)(const roost_call *call, roost_bytes token, roost_record *out);
    /* [any] Makes a viewer: `auth` {0} for a guest, `query` and `headers` JSON objects of strings or empty. Of the
     * query `filter`, `expand` and `fields` are heeded. Lives until `close_viewer`. */
    roost_status (*open_viewer)(
        const roost_call *call, roost_record auth, roost_bytes query, roost_bytes headers, roost_viewer *out);
    roost_status (*close_viewer)(const roost_host *host, roost_viewer viewer);
    /* [any] Bytes that are equal for viewers who are shown the same of every change of a collection, because the rule
     * reads nothing of them that differs. OWNERSHIP: scratch of the call. */
    roost_status (*viewer_key)(
        const roost_call *call, roost_viewer viewer, roost_bytes collection, uint32_t rule, roost_bytes *out);
    /* [worker] The record of a change as JSON, as the viewer may see it; ROOST_ENOTFOUND when it may not. A delete is
     * judged by the data as it was before. OWNERSHIP: scratch of the call. */
    roost_status (*show)(
        const roost_call *call, uint64_t change, roost_viewer viewer, uint32_t rule, roost_bytes *out);

    /* [worker] Has changes of all collections kept from now on, bounded in number and age. */
    roost_status (*keep_log)(const roost_call *call);
    /* [worker] The log's name (another one when positions of before mean nothing any more), and the positions of its
     * first and last change. ROOST_ENOTFOUND: none is kept. OWNERSHIP: scratch of the call. */
    roost_status (*log_state)(const roost_call *call, roost_bytes *name, int64_t *first, int64_t *last);
    /* [worker] The kept changes after a position: `*count` of them at most, and becomes how many there are. */
    roost_status (*read_log)(const roost_call *call, int64_t after, roost_change_v1 *out, uint64_t *count);
} roost_changes_v1;

#ifdef __cplusplus
}
#endif

#endif
