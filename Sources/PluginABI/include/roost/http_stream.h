/*
 * "roost.http-stream/1": answers without an end and WebSockets. Needs the capability "http".
 *
 * A stream begins as the answer to a request and lives until it is closed, by its client, by the plugin or by the host.
 * The host bounds what waits for a slow client: a stream whose bound is reached is cut, and nobody else waits for it.
 */
#ifndef ROOST_HTTP_STREAM_H
#define ROOST_HTTP_STREAM_H

#include "core.h"
#include "http.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_HTTP_STREAM "roost.http-stream/1"

/* Checked by generation: use after the end is ROOST_ESTALE. */
typedef struct roost_stream { uint64_t id; } roost_stream;

/* What is sent or came. On an answer that is no WebSocket the kind is ignored. */
#define ROOST_MESSAGE_TEXT 1u
#define ROOST_MESSAGE_BINARY 2u

/* Why a stream ended. */
#define ROOST_STREAM_LEFT 1u     /* the client has gone */
#define ROOST_STREAM_CLOSED 2u   /* the plugin closed it */
#define ROOST_STREAM_IDLE 3u     /* nothing was written for `idle_timeout` */
#define ROOST_STREAM_AGE 4u      /* it reached `max_age` */
#define ROOST_STREAM_SLOW 5u     /* more than `max_pending` bytes waited */
#define ROOST_STREAM_STOPPING 6u /* the server stops */
#define ROOST_STREAM_BROKEN 7u   /* the client broke the WebSocket protocol */

/* [loop] A whole message of a WebSocket's client. OWNERSHIP: borrowed. Text is valid UTF-8. */
typedef void (*roost_stream_message)(void *user, roost_stream stream, uint32_t kind, roost_bytes data);
/* [any] The stream has ended; called exactly once, and nothing after it. */
typedef void (*roost_stream_closed)(void *user, roost_stream stream, uint32_t reason);

/* How a stream is treated. OWNERSHIP: borrowed; the host copies. 88 bytes. */
typedef struct roost_stream_options_v1 {
    uint32_t idle_timeout;     /* seconds without a message after which the host ends it; 0 for never */
    uint32_t max_age;          /* seconds after which the host ends it; 0 for never */
    uint64_t max_pending;      /* bytes that may wait for the client; 0 for 1 MiB */
    uint64_t max_message;      /* bytes of a WebSocket's longest message; 0 for 1 MiB */
    roost_bytes prefix;        /* goes before each piece that `write_many` writes; not for WebSockets */
    roost_bytes farewell;      /* the last bytes when the host ends the stream; not for WebSockets, which get a code */
    void *user;
    roost_stream_message message;  /* NULL for answers, and for WebSockets that only listen */
    roost_stream_closed closed;    /* may be NULL */
    uint64_t reserved;
} roost_stream_options_v1;

/* The answer to a request that the host made for a stream; [any], exactly once. OWNERSHIP: borrowed. */
typedef void (*roost_stream_answer)(void *user, int32_t status, roost_bytes content_type, roost_bytes body);

typedef struct roost_http_stream_v1 {
    /* [any] Answers a request with a body that is written over time. Headers that were set before go along.
     * ROOST_ESTALE: answered already, or its client has gone. */
    roost_status (*start)(
        const roost_call *call, roost_request request, int32_t status, roost_bytes content_type,
        const roost_stream_options_v1 *options, roost_stream *out);
    /* [any] Answers a WebSocket handshake (RFC 6455); `protocol` is the subprotocol that was chosen, or empty.
     * ROOST_EINVALID: the request is no handshake, and is still to be answered. */
    roost_status (*accept)(
        const roost_call *call, roost_request request, roost_bytes protocol, const roost_stream_options_v1 *options,
        roost_stream *out);
    /* [any] Queues a piece of the body or a message. ROOST_ESTALE: the stream has ended. OWNERSHIP: copied. */
    roost_status (*write)(roost_stream stream, uint32_t kind, roost_bytes data);
    /* [any] Queues one piece for many streams; it is kept once for all of them. Streams that have ended are passed
     * over. What one thread writes to a stream arrives in order, whichever function it uses. OWNERSHIP: copied. */
    roost_status (*write_many)(const roost_stream *streams, uint64_t count, uint32_t kind, roost_bytes data);
    /* [any] Ends a stream when what waits has been sent. `code` and `reason` (up to 123 bytes) are for WebSockets; 0
     * for 1000. */
    roost_status (*close)(roost_stream stream, uint32_t code, roost_bytes reason);
    /* [any] Bytes that wait for the client. */
    uint64_t (*pending)(roost_stream stream);
    /* [any] Runs a request inside the server as if the stream's client had sent it: same routes, rules and limits.
     * `token` goes into the Authorization header, `body` is JSON or empty. ROOST_ESTALE: the stream has ended. */
    roost_status (*request)(
        roost_stream stream, roost_bytes method, roost_bytes target, roost_bytes token, roost_bytes body,
        roost_stream_answer answer, void *user);
} roost_http_stream_v1;

#ifdef __cplusplus
}
#endif

#endif
