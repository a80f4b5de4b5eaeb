/*
 * Realtime for other plugins, in plain C with the headers alone. It has routes,
 *
 *   POST /api/notices/publish/{topic}?client=ID   publishes the body, to one client if it is named
 *   POST /api/notices/door/{state}                "closed" refuses every new connection, anything else lets them in
 *   GET  /api/notices/seen                        how many clients there are, and what the hooks were asked
 *
 * a WebSocket that sends back what comes, GET /api/notices/echo,
 *
 * and hooks: connections while the door is closed, topics that begin with "secret" to guests, and messages with the
 * word "forbidden" are refused.
 */
#include <roost/roost.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static roost_bytes text(const char *literal) {
    roost_bytes bytes = { (const uint8_t *)literal, strlen(literal) };
    return bytes;
}

static int has(roost_bytes bytes, const char *word) {
    size_t length = strlen(word);
    for (uint64_t i = 0; i + length <= bytes.length; i++)
        if (memcmp(bytes.data + i, word, length) == 0) return 1;
    return 0;
}

typedef struct plugin {
    const roost_host *host;
    const roost_http_v1 *http;
    const roost_http_stream_v1 *streams;
    const roost_realtime_v1 *realtime;
    atomic_int is_closed;
    atomic_int connects, sockets, subscribes, messages;
    /* How often the second hook was asked something that the first one had not been asked before it. */
    atomic_int first, disorder;
} plugin;

static roost_status refuse(plugin *self, const roost_call *call, int32_t status, const char *words) {
    self->host->fail(call, status, text("refused"), text(words));
    return ROOST_EFAILED;
}

static roost_status first_hook(void *user, const roost_call *call, const roost_realtime_event_v1 *event) {
    plugin *self = user;
    (void)call, (void)event;
    atomic_fetch_add(&self->first, 1);
    return ROOST_OK;
}

static roost_status hook(void *user, const roost_call *call, const roost_realtime_event_v1 *event) {
    plugin *self = user;
    if (atomic_fetch_sub(&self->first, 1) <= 0) atomic_fetch_add(&self->disorder, 1);
    switch (event->kind) {
    case ROOST_REALTIME_CONNECT:
        atomic_fetch_add(&self->connects, 1);
        if (event->is_websocket) atomic_fetch_add(&self->sockets, 1);
        if (event->client.length != 40) return ROOST_EINVALID;
        if (atomic_load(&self->is_closed)) return refuse(self, call, 403, "The door is closed.");
        return ROOST_OK;
    case ROOST_REALTIME_SUBSCRIBE:
        atomic_fetch_add(&self->subscribes, 1);
        if (has(event->data, "\"secret") && event->auth_record.length == 0)
            return refuse(self, call, 403, "Guests are told no secrets.");
        return ROOST_OK;
    case ROOST_REALTIME_MESSAGE:
        atomic_fetch_add(&self->messages, 1);
        if (has(event->data, "forbidden")) return refuse(self, call, 400, "That word is not said here.");
        return ROOST_OK;
    default: return ROOST_EINVALID;
    }
}

static roost_status publish(void *user, const roost_call *call, roost_request request) {
    plugin *self = user;
    roost_bytes topic, body, client;
    if (self->http->parameter(request, text("topic"), &topic) != ROOST_OK) return ROOST_EINVALID;
    if (self->http->body(request, &body) != ROOST_OK) body = text("");
    if (self->http->query(request, text("client"), &client) != ROOST_OK) client = text("");
    roost_status status = self->realtime->publish(self->realtime->realtime, call, topic, body, client);
    if (status == ROOST_EINVALID) return refuse(self, call, 400, "That is no JSON.");
    if (status != ROOST_OK) return status;
    return self->http->respond(request, 204, text(""), text(""));
}

static roost_status door(void *user, const roost_call *call, roost_request request) {
    plugin *self = user;
    (void)call;
    roost_bytes state;
    if (self->http->parameter(request, text("state"), &state) != ROOST_OK) return ROOST_EINVALID;
    atomic_store(&self->is_closed, has(state, "closed"));
    return self->http->respond(request, 204, text(""), text(""));
}

static void echo(void *user, roost_stream stream, uint32_t kind, roost_bytes data) {
    plugin *self = user;
    self->streams->write(stream, kind, data);
}

static roost_status open_echo(void *user, const roost_call *call, roost_request request) {
    plugin *self = user;
    roost_stream_options_v1 options;
    memset(&options, 0, sizeof options);
    options.max_message = options.max_pending = 64 << 20;
    options.user = self;
    options.message = echo;
    roost_stream stream;
    roost_status status = self->streams->accept(call, request, text(""), &options, &stream);
    if (status == ROOST_EINVALID) return refuse(self, call, 400, "That is no handshake.");
    return status;
}

static roost_status seen(void *user, const roost_call *call, roost_request request) {
    plugin *self = user;
    (void)call;
    char answer[256];
    snprintf(
        answer, sizeof answer,
        "{\"clients\":%llu,\"connects\":%d,\"sockets\":%d,\"subscribes\":%d,\"messages\":%d,\"disorder\":%d}",
        (unsigned long long)self->realtime->clients(self->realtime->realtime), atomic_load(&self->connects),
        atomic_load(&self->sockets), atomic_load(&self->subscribes), atomic_load(&self->messages),
        atomic_load(&self->disorder));
    return self->http->respond(request, 200, text("application/json"), text(answer));
}

static roost_status create(void **instance) {
    *instance = calloc(1, sizeof(plugin));
    return *instance ? ROOST_OK : ROOST_ENOMEM;
}

static roost_status init(void *instance, const roost_host *host, const roost_call *call) {
    (void)call;
    plugin *self = instance;
    self->host = host;
    self->http = host->get_table(host, text(ROOST_TABLE_HTTP));
    self->realtime = host->get_table(host, text(ROOST_TABLE_REALTIME));
    self->streams = host->get_table(host, text(ROOST_TABLE_HTTP_STREAM));
    if (!self->http || !self->streams || !self->realtime) return ROOST_EDENIED;
    const struct { const char *method, *path; roost_http_handler handler; } routes[] = {
        { "POST", "/api/notices/publish/{topic}", publish },
        { "POST", "/api/notices/door/{state}", door },
        { "GET", "/api/notices/seen", seen },
        { "GET", "/api/notices/echo", open_echo },
    };
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        roost_route_v1 route;
        memset(&route, 0, sizeof route);
        route.method = text(routes[i].method);
        route.path = text(routes[i].path);
        route.run = ROOST_RUN_WORKER;
        route.user = self;
        route.handler = routes[i].handler;
        roost_status status = self->http->add_route(host, &route);
        if (status != ROOST_OK) return status;
    }
    void *realtime = self->realtime->realtime;
    /* The higher priority is asked later, though it is added first. */
    roost_status status = self->realtime->add_hook(realtime, host, 10, hook, self);
    if (status != ROOST_OK) return status;
    status = self->realtime->add_hook(realtime, host, -10, first_hook, self);
    if (status != ROOST_OK) return status;
    return self->realtime->add_hook(realtime, host, 0, NULL, self) == ROOST_EINVALID ? ROOST_OK : ROOST_EINTERNAL;
}

static void stop(void *instance) {
    free(instance);
}

ROOST_EXPORT const roost_plugin_descriptor *roost_plugin_entry(void) {
    static roost_plugin_descriptor descriptor;
    memcpy(descriptor.magic, ROOST_MAGIC, 8);
    descriptor.size = sizeof descriptor;
    descriptor.abi_major = ROOST_ABI_MAJOR;
    descriptor.abi_minor = ROOST_ABI_MINOR;
    descriptor.id = text("org.example.notices");
    descriptor.version = text("1.0.0");
    descriptor.name = text("Notices");
    descriptor.vendor = text("Example");
    descriptor.license = text("MIT");
    descriptor.create = create;
    descriptor.init = init;
    descriptor.stop = stop;
    return &descriptor;
}
