/*
 * "roost.realtime/1": subscriptions, offered by the plugin Realtime. docs/realtime.md has what clients see.
 */
#ifndef ROOST_REALTIME_H
#define ROOST_REALTIME_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_REALTIME "roost.realtime/1"

/* What a hook is asked. */
#define ROOST_REALTIME_CONNECT 1u    /* a client comes */
#define ROOST_REALTIME_SUBSCRIBE 2u  /* `data` is the JSON array of the topics that it is to have from now on */
#define ROOST_REALTIME_MESSAGE 3u    /* `data` is what is about to be published to `topic` by a plugin */

/* OWNERSHIP: borrowed. 88 bytes. */
typedef struct roost_realtime_event_v1 {
    uint32_t kind;
    uint32_t is_websocket;
    roost_bytes client;         /* its id; empty for a message */
    roost_bytes topic;
    roost_bytes data;
    roost_bytes auth_collection;  /* who is signed in: the id of its collection, empty for a guest */
    roost_bytes auth_record;      /* and of its record */
} roost_realtime_event_v1;

/* [any] ROOST_OK lets it happen; what is negative refuses it, with the words given to `fail`. */
typedef roost_status (*roost_realtime_hook)(
    void *user, const roost_call *call, const roost_realtime_event_v1 *event);

/* OWNERSHIP: static. */
typedef struct roost_realtime_v1 {
    void *realtime;
    /* [any] Sends `data` (one JSON document) to all clients that subscribed to `topic`; with a `client`, to that one
     * only. Returns at once. ROOST_EINVALID: the data is no JSON. */
    roost_status (*publish)(
        void *realtime, const roost_call *call, roost_bytes topic, roost_bytes data, roost_bytes client);
    /* [init] [start] Adds a hook, called in ascending order of `priority`. */
    roost_status (*add_hook)(
        void *realtime, const roost_host *host, int32_t priority, roost_realtime_hook hook, void *user);
    /* [any] How many clients are connected. */
    uint64_t (*clients)(void *realtime);
    uint64_t reserved;
} roost_realtime_v1;

/*
 * "roost.realtime-delivery/1": an answer to one client, such as what a page that it opened elsewhere came back with.
 * Offered by the plugin Realtime too.
 */
#define ROOST_TABLE_REALTIME_DELIVERY "roost.realtime-delivery/1"

/* [any] Whether it was sent; called exactly once for each delivery that was taken. */
typedef void (*roost_realtime_delivered)(void *user, uint32_t was_sent);

/* OWNERSHIP: static. 32 bytes. */
typedef struct roost_realtime_delivery_v1 {
    void *realtime;
    /* [any] Sends `data` (one JSON document) to a client if it subscribed to `topic` and came from `address`, and ends
     * that subscription: of several deliveries one arrives. Returns at once. ROOST_EINVALID: the data is no JSON; `done`
     * is not called then. */
    roost_status (*deliver)(
        void *realtime, const roost_call *call, roost_bytes client, roost_bytes address, roost_bytes topic,
        roost_bytes data, roost_realtime_delivered done, void *user);
    uint64_t reserved[2];
} roost_realtime_delivery_v1;

#ifdef __cplusplus
}
#endif

#endif
