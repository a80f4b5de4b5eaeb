/*
 * Plugins that do what no plugin should. BEHAVIOUR, given by the build script, selects one:
 *
 *   garbage_entry   the entry returns an address that is no descriptor
 *   null_entry      the entry returns NULL
 *   bad_magic       a descriptor with another magic
 *   wrong_major     built for ABI 99
 *   wrong_id        says another id than its manifest
 *   init_fails      refuses in init, with words
 *   answers_twice   GET /api/hostile/twice answers two times
 *   never_answers   GET /api/hostile/never returns pending and never completes
 *   blocks          GET /api/hostile/blocks holds its event loop for a second
 *   aborts          crashes in start
 *   garbage_values  a field type "garbage" whose normalise gives values of no kind, and JSON that is none
 */
#include <roost/roost.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT(literal) { (const uint8_t *)(literal), sizeof(literal) - 1 }

enum behaviour {
    garbage_entry = 1, null_entry, bad_magic, wrong_major, wrong_id, init_fails, answers_twice, never_answers, blocks,
    aborts, garbage_values
};

#ifndef BEHAVIOUR
#error "BEHAVIOUR and ID come from the build script"
#endif

static const roost_host *host;
static const roost_http_v1 *http;

static roost_bytes text(const char *literal) {
    roost_bytes bytes = { (const uint8_t *)literal, strlen(literal) };
    return bytes;
}

static roost_status handle(void *user, const roost_call *call, roost_request request) {
    (void)user;
    (void)call;
    if (BEHAVIOUR == never_answers) return ROOST_PENDING;
    if (BEHAVIOUR == blocks) {
        struct timespec second = { 1, 0 };
        nanosleep(&second, NULL);
    }
    roost_status first = http->respond(request, 200, text("text/plain"), text("first"));
    if (BEHAVIOUR == answers_twice) {
        roost_status again = http->respond(request, 500, text("text/plain"), text("second"));
        /* The host must have said that it is over. */
        if (again != ROOST_ESTALE) abort();
    }
    return first;
}

static roost_status open_field(
    void *instance, const roost_call *call, roost_bytes field, void **opened, roost_field_shape *shape) {
    (void)call;
    (void)field;
    memset(shape, 0, sizeof *shape);
    shape->form = ROOST_FORM_JSON;
    shape->column = text("JSON DEFAULT NULL");
    *opened = instance;
    return ROOST_OK;
}

static void close_field(void *opened) {
    (void)opened;
}

static roost_status normalise(
    void *opened, const roost_field_context *context, const roost_value *value, roost_value *out) {
    (void)opened;
    (void)context;
    static const uint8_t bytes[] = { '{', 0xFF, 0xFE, '"', 0x00 };
    /* One value that is right, so that there is something to compare. */
    if (value->kind == ROOST_TEXT && value->bytes.length == 4 && memcmp(value->bytes.data, "good", 4) == 0) {
        return ROOST_UNCHANGED;
    }
    memset(out, 0xAA, sizeof *out);
    switch (value->kind) {
    case ROOST_TEXT: /* text that is not UTF-8 */
        out->kind = ROOST_TEXT;
        out->bytes.data = bytes;
        out->bytes.length = sizeof bytes;
        return ROOST_OK;
    case ROOST_NUMBER: /* JSON that is none */
        out->kind = ROOST_JSON;
        out->bytes.data = bytes;
        out->bytes.length = sizeof bytes;
        return ROOST_OK;
    case ROOST_BOOL: /* no kind at all */
        return ROOST_OK;
    case ROOST_JSON: /* a status that there is not */
        return 12345;
    default: /* bytes out of nowhere */
        out->kind = ROOST_TEXT;
        out->bytes.data = NULL;
        out->bytes.length = UINT64_MAX;
        return ROOST_OK;
    }
}

static const roost_field_type_v1 garbage_type = {
    .id = TEXT("garbage"),
    .settings = TEXT("[]"),
    .open = open_field,
    .close = close_field,
    .normalise = normalise,
};

/* The same garbage in queries, from another thread each time. */
static roost_status compare(
    void *opened, const roost_field_context *context, const roost_value *value, roost_value *out) {
    static _Atomic unsigned turn;
    if (turn++ % 5 == 4) return ROOST_EFAILED;
    roost_value other = *value;
    other.kind = turn % 5;
    other.bytes.length = 0;
    return normalise(opened, context, &other, out);
}

static roost_status count(void *opened, const roost_field_context *context, const roost_value *value, int64_t *out) {
    (void)opened;
    (void)context;
    (void)value;
    static _Atomic unsigned turn;
    *out = turn++ % 2 ? -7 : INT64_MAX;
    return turn % 3 ? ROOST_OK : -999;
}

static const roost_field_query_v1 garbage_query = {
    .type = TEXT("garbage"),
    .key_uses = ROOST_KEY_ORDER | ROOST_KEY_EQUALITY,
    .cast = compare,
    .key = compare,
    .count = count,
};

static roost_status create(void **instance) {
    static int here;
    *instance = &here;
    return ROOST_OK;
}

static roost_status init(void *instance, const roost_host *given, const roost_call *call) {
    host = given;
    if (BEHAVIOUR == init_fails) {
        host->fail(call, 0, text("hostile"), text("This plugin never starts."));
        return ROOST_EFAILED;
    }
    if (BEHAVIOUR == garbage_values) {
        const roost_field_types_v1 *types = host->get_table(host, text(ROOST_TABLE_FIELD_TYPE));
        if (!types || types->add(host, &garbage_type, instance) != ROOST_OK) return ROOST_EUNSUPPORTED;
        const roost_field_queries_v1 *queries = host->get_table(host, text(ROOST_TABLE_FIELD_QUERY));
        if (!queries) return ROOST_EUNSUPPORTED;
        /* What must be refused: bits that do not exist, keys without a function, a type of somebody else, and twice. */
        roost_field_query_v1 wrong = garbage_query;
        wrong.key_uses = 0x80;
        if (queries->add(host, &wrong) != ROOST_EINVALID) return ROOST_EUNSUPPORTED;
        wrong = garbage_query;
        wrong.key = NULL;
        if (queries->add(host, &wrong) != ROOST_EINVALID) return ROOST_EUNSUPPORTED;
        wrong = garbage_query;
        wrong.type = text("text");
        if (queries->add(host, &wrong) != ROOST_ENOTFOUND) return ROOST_EUNSUPPORTED;
        if (queries->add(host, &garbage_query) != ROOST_OK) return ROOST_EUNSUPPORTED;
        return queries->add(host, &garbage_query) == ROOST_ECONFLICT ? ROOST_OK : ROOST_EUNSUPPORTED;
    }
    if (BEHAVIOUR == answers_twice || BEHAVIOUR == never_answers || BEHAVIOUR == blocks) {
        http = host->get_table(host, text(ROOST_TABLE_HTTP));
        if (!http) return ROOST_EDENIED;
        roost_route_v1 route;
        memset(&route, 0, sizeof route);
        route.method = text("GET");
        route.path = text(
            BEHAVIOUR == answers_twice ? "/api/hostile/twice"
            : BEHAVIOUR == blocks      ? "/api/hostile/blocks"
                                       : "/api/hostile/never");
        route.run = ROOST_RUN_LOOP;
        route.handler = handle;
        return http->add_route(host, &route);
    }
    return ROOST_OK;
}

static roost_status start(void *instance, const roost_call *call) {
    (void)instance;
    (void)call;
    if (BEHAVIOUR == aborts) abort();
    return ROOST_OK;
}

static const roost_plugin_descriptor descriptor = {
    .magic = { 'R', 'O', 'O', 'S', BEHAVIOUR == bad_magic ? 'X' : 'T', 0, 'P', '1' },
    .size = sizeof(roost_plugin_descriptor),
    .abi_major = BEHAVIOUR == wrong_major ? 99 : ROOST_ABI_MAJOR,
    .abi_minor = ROOST_ABI_MINOR,
    .id = TEXT(ID),
    .version = TEXT("1.0.0"),
    .name = TEXT("Hostile"),
    .create = create,
    .init = init,
    .start = start,
};

const roost_plugin_descriptor *roost_plugin_entry(void) {
    if (BEHAVIOUR == null_entry) return NULL;
    /* Readable, but nothing that a descriptor looks like. */
    static uint8_t garbage[sizeof descriptor];
    if (BEHAVIOUR == garbage_entry) {
        memset(garbage, 0x5A, sizeof garbage);
        return (const roost_plugin_descriptor *)(const void *)garbage;
    }
    return &descriptor;
}
