/*
 * "roost.alerts/1": what operators must hear of though nobody looks at the log, for example that the backup by the clock
 * failed. The plugin Mail sends it to all superusers; others may take it elsewhere. Fetched from the host.
 *
 * An alert is one JSON object; members may be added to it:
 *
 *   {"kind": "backup", "subject": "Autobackup failure", "details": "What happened, in plain text."}
 */
#ifndef ROOST_ALERTS_H
#define ROOST_ALERTS_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_ALERTS "roost.alerts/1"

/* [worker] Told of an alert, on a thread that may wait; several may come at the same time. A negative status is logged
 * with the words of the call. OWNERSHIP: `alert` is borrowed until it returns. */
typedef roost_status (*roost_alert_handler)(void *user, const roost_call *call, roost_bytes alert);

/* OWNERSHIP: borrowed; the host copies. 32 bytes. */
typedef struct roost_alert_listener_v1 {
    void *user;
    roost_alert_handler handler;
    void (*free)(void *user); /* when it will not be told any more; may be NULL */
    uint64_t reserved;
} roost_alert_listener_v1;

typedef struct roost_alerts_v1 {
    /* [init] Adds a listener. It is told when the plugin has started, and until it stops. ROOST_EINVALID: no handler;
     * `free` is not called then. */
    roost_status (*listen)(const roost_host *host, const roost_alert_listener_v1 *listener);
    /* [any] Tells all listeners, and returns at once. ROOST_EINVALID: `alert` is no object, or its kind, subject or
     * details are missing, empty or no text. ROOST_EUNSUPPORTED: not in a server. ROOST_EFAILED: too many are on their
     * way. */
    roost_status (*raise)(const roost_host *host, roost_bytes alert);
    uint64_t reserved;
} roost_alerts_v1;

#ifdef __cplusplus
}
#endif

#endif
