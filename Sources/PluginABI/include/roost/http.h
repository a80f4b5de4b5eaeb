/*
 * "roost.http/1": routes and middlewares.
 *
 * A handler answers within its call, or returns ROOST_PENDING and completes later, exactly once, from any thread; a
 * second completion is ROOST_ESTALE and does nothing.
 */
#ifndef ROOST_HTTP_H
#define ROOST_HTTP_H

#include "core.h"
#include "records.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_HTTP "roost.http/1"

typedef struct roost_request { uint64_t id; } roost_request;

/* Where a handler runs. */
#define ROOST_RUN_LOOP 0u    /* [loop]: for handlers that only look and answer */
#define ROOST_RUN_WORKER 1u  /* [worker]: for everything that reads records, hashes or waits */

/* Who may call a route. */
#define ROOST_AUDIENCE_ANYONE 0u
#define ROOST_AUDIENCE_GUEST 1u      /* only without a signed-in record */
#define ROOST_AUDIENCE_USER 2u       /* any signed-in record */
#define ROOST_AUDIENCE_SUPERUSER 3u

/* Handles one request. ROOST_OK: answered. ROOST_PENDING: will be. Anything negative: the failures given to the call
 * are answered, or a plain 500. */
typedef roost_status (*roost_http_handler)(void *user, const roost_call *call, roost_request request);

/* Told when a pending request's client is gone or its time is over; the completion is then a no-op. May come while the
 * request is being completed on another thread. */
typedef void (*roost_http_cancel)(void *user, roost_request request);

/* A route. OWNERSHIP: borrowed; the host copies. 88 bytes. */
typedef struct roost_route_v1 {
    roost_bytes method;        /* "GET", … */
    roost_bytes path;          /* "/api/greet/{name}"; "{rest...}" takes the tail */
    uint32_t run;              /* ROOST_RUN_… */
    uint32_t audience;         /* ROOST_AUDIENCE_… */
    int64_t max_body_size;     /* bytes; 0 = 32 MiB */
    void *user;
    roost_http_handler handler;
    roost_http_cancel cancel;  /* may be NULL */
    void (*free)(void *user);  /* when the route goes; may be NULL */
    uint64_t reserved;
} roost_route_v1;

typedef struct roost_http_v1 {
    /* [init] ROOST_ECONFLICT: the method and path are taken. Needs the capability "http". */
    roost_status (*add_route)(const roost_host *host, const roost_route_v1 *route);

    /* [init] A middleware sees every request whose path begins with `prefix` before its route, in ascending order of
     * `priority`. ROOST_OK passes the request on unless it was answered. `max_body_size` and `audience` of the route
     * are ignored, `method` may be empty for all. */
    roost_status (*add_middleware)(const roost_host *host, const roost_route_v1 *route, int32_t priority);

    /* [any] Parts of the request, ROOST_ENOTFOUND when absent. Bytes live as long as the request. */
    roost_status (*method)(roost_request request, roost_bytes *out);
    roost_status (*path)(roost_request request, roost_bytes *out);
    roost_status (*parameter)(roost_request request, roost_bytes name, roost_bytes *out);
    roost_status (*query)(roost_request request, roost_bytes name, roost_bytes *out);
    roost_status (*header)(roost_request request, roost_bytes name, roost_bytes *out);
    roost_status (*body)(roost_request request, roost_bytes *out);
    /* [any] The body as a JSON object, whether it came as JSON, as a form or as multipart. ROOST_EFAILED: malformed. */
    roost_status (*body_json)(const roost_call *call, roost_request request, roost_bytes *out);
    /* [any] The client's address as text, honouring the trusted proxy settings. */
    roost_status (*remote_ip)(roost_request request, roost_bytes *out);
    /* [any] The signed-in record; ROOST_ENOTFOUND for a guest. */
    roost_status (*auth)(const roost_call *call, roost_request request, roost_record *out);

    /* [any] Adds a header to the coming answer; another one of the same name takes its place, except for Set-Cookie,
     * Vary, Link and WWW-Authenticate. ROOST_EINVALID for what is no header, and for those that say how the answer is
     * framed (Content-Length, Transfer-Encoding, Connection, Keep-Alive, Upgrade) or when it was made (Date). */
    roost_status (*set_header)(roost_request request, roost_bytes name, roost_bytes value);
    /* [any] Answers. OWNERSHIP: the body is copied. ROOST_ESTALE when it was answered, cancelled or is over. */
    roost_status (*respond)(roost_request request, int32_t status, roost_bytes content_type, roost_bytes body);
    /* [any] Answers with PocketBase's error form; `data` is a JSON object or empty. */
    roost_status (*respond_error)(roost_request request, int32_t status, roost_bytes message, roost_bytes data);
    /* [any] 1 while an answer would still reach the client. */
    uint32_t (*is_open)(roost_request request);
    /* [any] Runs a function on a worker thread, e.g. to go on with a pending request. ROOST_ENOMEM: too much is waiting,
     * and the function is not called. */
    roost_status (*run_on_worker)(
        const roost_host *host, void (*function)(void *user, const roost_call *call), void *user);
} roost_http_v1;

#ifdef __cplusplus
}
#endif

#endif
