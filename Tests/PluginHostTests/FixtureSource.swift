/// A plugin in C whose faults are chosen with `-D`, and whose field type does wrong things when the value asks for it.
let fixtureSource = #"""
    #include <roost/roost.h>
    #include <math.h>
    #include <pthread.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <unistd.h>

    #ifndef ID
    #define ID "org.example.fixture"
    #endif
    #ifndef VERSION
    #define VERSION "1.0.0"
    #endif
    #ifndef TYPE
    #define TYPE "fixture"
    #endif
    #ifndef MAJOR
    #define MAJOR ROOST_ABI_MAJOR
    #endif
    #ifndef SIZE
    #define SIZE sizeof(roost_plugin_descriptor)
    #endif
    #ifndef MAGIC
    #define MAGIC {'R', 'O', 'O', 'S', 'T', 0, 'P', '1'}
    #endif

    #define B(text) ((roost_bytes){(const uint8_t *)(text), sizeof(text) - 1})

    static roost_bytes bytes(const char *text) { return (roost_bytes){(const uint8_t *)text, strlen(text)}; }
    static int is(roost_bytes b, const char *text) {
        return b.length == strlen(text) && memcmp(b.data ? (const char *)b.data : "", text, b.length) == 0;
    }

    static const roost_host *host;
    static const roost_records_v1 *records;
    static const roost_http_v1 *http;
    static const roost_hooks_v1 *hooks;
    static const roost_text_v1 *text_table;
    static int stopped;

    /* --- field type --- */

    static roost_status validate_settings(
        void *instance, const roost_call *call, roost_bytes field, roost_bytes collection, roost_bytes original) {
        if (memmem(field.data, field.length, "\"mode\":\"refused\"", 16)) {
            host->fail_field(call, B("mode"), B("validation_fixture"), B("mode is refused"), B("{\"a\":1}"));
            return ROOST_EFAILED;
        }
        if (memmem(field.data, field.length, "\"mode\":\"collection\"", 19)) {
            roost_bytes json;
            roost_status status = records->collection(call, B("other"), &json);
            if (status != ROOST_OK) host->fail_field(call, B("mode"), B("missing"), B("no collection"), (roost_bytes){0});
            return status == ROOST_OK ? ROOST_OK : ROOST_EFAILED;
        }
        return ROOST_OK;
    }

    static roost_status open_field(
        void *instance, const roost_call *call, roost_bytes field, void **opened, roost_field_shape *shape) {
        memset(shape, 0, sizeof *shape);
        shape->form = ROOST_FORM_TEXT;
        shape->column = B("TEXT DEFAULT '' NOT NULL");
        shape->zero.kind = ROOST_TEXT;
        shape->moments = 0x7ff;
        if (memmem(field.data, field.length, "\"mode\":\"json\"", 13)) {
            shape->form = ROOST_FORM_JSON;
            shape->zero.kind = ROOST_NULL;
        }
        if (memmem(field.data, field.length, "\"mode\":\"number\"", 15)) {
            shape->form = ROOST_FORM_NUMBER;
            shape->zero.kind = ROOST_NUMBER;
        }
        if (memmem(field.data, field.length, "\"mode\":\"injection\"", 18)) shape->column = B("TEXT); DROP TABLE users; --");
        if (memmem(field.data, field.length, "\"mode\":\"form\"", 13)) shape->form = 99;
        if (memmem(field.data, field.length, "\"mode\":\"zero\"", 13)) shape->zero.kind = 77;
        if (memmem(field.data, field.length, "\"mode\":\"fails\"", 14)) return ROOST_EFAILED;
        *opened = host->allocate(host, 32);
        return ROOST_OK;
    }

    static void close_field(void *opened) {
    #ifndef LEAKS
        host->release(host, opened);
    #endif
    }

    static roost_status normalise(
        void *opened, const roost_field_context *context, const roost_value *value, roost_value *out) {
        static const uint8_t invalid[] = {0xC3, 0x28};
        roost_bytes t = value->bytes;
        out->kind = ROOST_TEXT;
    #ifdef CRASHES
        if (is(t, "a")) *(volatile int *)0 = 1;
    #endif
    #ifdef SOUND
        if (value->kind != ROOST_TEXT) return ROOST_OK;
    #endif
        if (value->kind != ROOST_TEXT) { out->kind = value->kind; *out = *value; return ROOST_UNCHANGED; }
        if (is(t, "unchanged")) return ROOST_UNCHANGED;
        if (is(t, "input")) { *out = *value; return ROOST_OK; }
        if (is(t, "static")) { out->bytes = B("from the plugin"); return ROOST_OK; }
        if (is(t, "scratch")) {
            char *memory = host->scratch(context->call, 100000);
            if (!memory || ((uintptr_t)memory & 15)) return ROOST_ENOMEM;
            memset(memory, 'x', 100000);
            out->bytes = (roost_bytes){(uint8_t *)memory, 100000};
            return ROOST_OK;
        }
        if (is(t, "huge scratch")) {
            if (host->scratch(context->call, 1ull << 62)) return ROOST_OK;
            out->bytes = B("refused");
            return ROOST_OK;
        }
        if (is(t, "kind")) { out->kind = 99; return ROOST_OK; }
        if (is(t, "invalid UTF-8")) { out->bytes = (roost_bytes){invalid, 2}; return ROOST_OK; }
        if (is(t, "null pointer")) { out->bytes = (roost_bytes){0, 5}; return ROOST_OK; }
        if (is(t, "length")) { out->bytes = (roost_bytes){invalid, ~0ull}; return ROOST_OK; }
        if (is(t, "bad JSON")) { out->kind = ROOST_JSON; out->bytes = B("{\"a\":"); return ROOST_OK; }
        if (is(t, "spaced JSON")) { out->kind = ROOST_JSON; out->bytes = B("{ \"a b\" : [ 1 ] }"); return ROOST_OK; }
        if (is(t, "NaN")) { out->kind = ROOST_NUMBER; out->number = NAN; return ROOST_OK; }
        if (is(t, "number")) { out->kind = ROOST_NUMBER; out->number = 5; return ROOST_OK; }
        if (is(t, "bool 7")) { out->kind = ROOST_BOOL; out->integer = 7; return ROOST_OK; }
        if (is(t, "status")) return -77;
        if (is(t, "pending")) return ROOST_PENDING;
        *out = *value;
        return ROOST_OK;
    }

    static roost_status modify(
        void *opened, const roost_field_context *context, uint32_t modifier, const roost_value *current,
        const roost_value *operand, roost_value *out) {
        if (modifier == ROOST_MODIFY_AUTOGENERATE) {
            out->kind = ROOST_TEXT;
            return text_table->random_from_pattern(context->call, B("[a-f]{3}-[0-9]{4}"), &out->bytes);
        }
        if (modifier != ROOST_MODIFY_APPEND) return ROOST_EUNSUPPORTED;
        uint64_t length = current->bytes.length + operand->bytes.length;
        uint8_t *memory = host->scratch(context->call, length);
        if (current->bytes.length) memcpy(memory, current->bytes.data, current->bytes.length);
        if (operand->bytes.length) memcpy(memory + current->bytes.length, operand->bytes.data, operand->bytes.length);
        out->kind = ROOST_TEXT;
        out->bytes = (roost_bytes){memory, length};
        return ROOST_OK;
    }

    static roost_record kept;

    static roost_status validate(void *opened, const roost_field_context *context, const roost_value *value) {
        if (is(value->bytes, "bad")) {
            host->fail(context->call, 0, B("validation_bad"), B("it is bad"));
            return ROOST_EFAILED;
        }
        if (is(value->bytes, "params")) {
            host->fail_field(context->call, context->name, B("validation_params"), B("at most {{.max}}"), B("{\"max\":3}"));
            return ROOST_EFAILED;
        }
        if (is(value->bytes, "silent")) return ROOST_EFAILED;
        if (is(value->bytes, "keep")) {
            kept = context->record;
            return ROOST_OK;
        }
        if (is(value->bytes, "stale")) {
            roost_value out;
            if (records->get(kept, B("field"), &out) != ROOST_ESTALE) {
                host->fail(context->call, 0, B("not_stale"), B("not stale"));
                return ROOST_EFAILED;
            }
        }
        if (is(value->bytes, "get")) {
            roost_value out;
            if (records->get(context->record, B("field"), &out) != ROOST_OK || !is(out.bytes, "get")) return ROOST_EFAILED;
            if (records->get(context->record, B("none"), &out) != ROOST_ENOTFOUND) return ROOST_EFAILED;
            if (records->get(context->record, B("collectionName"), &out) != ROOST_OK || !is(out.bytes, "tests"))
                return ROOST_EFAILED;
            if (records->get(context->record, B("extra:more"), &out) != ROOST_OK || out.number != 7) return ROOST_EFAILED;
            if (records->get((roost_record){12345}, B("field"), &out) != ROOST_ESTALE) return ROOST_EFAILED;
        }
        return ROOST_OK;
    }

    static roost_status intercept(void *opened, const roost_field_context *context) {
        roost_value value = {0}, out;
        value.kind = ROOST_TEXT;
        if (context->moment == ROOST_MOMENT_BEFORE_CREATE) {
            value.bytes = B("set by the plugin");
            return records->set(context->record, context->name, &value, 1);
        }
        if (context->moment == ROOST_MOMENT_BEFORE_UPDATE) {
            host->fail(context->call, 0, B("validation_update"), B("no updates"));
            return ROOST_EFAILED;
        }
        if (context->moment == ROOST_MOMENT_BEFORE_DELETE) {
            host->fail(context->call, 403, B("no"), B("no deletes"));
            return ROOST_EFAILED;
        }
        if (context->moment == ROOST_MOMENT_AFTER_CREATE) {
            value.kind = ROOST_NUMBER;
            return records->set(context->record, context->name, &value, 1) == ROOST_EINVALID ? ROOST_OK : ROOST_EFAILED;
        }
        if (context->moment == ROOST_MOMENT_AFTER_UPDATE) {
            roost_record found;
            roost_status status = records->find(context->call, context->transaction, B("tests"), B("r1"), &found);
            if (status != ROOST_OK) return status;
            return records->get(found, B("field"), &out) == ROOST_OK && is(out.bytes, "found") ? ROOST_OK : ROOST_EFAILED;
        }
        return ROOST_OK;
    }

    #define SETTINGS \
        "[{\"name\":\"mode\",\"type\":\"string\"},{\"name\":\"max\",\"type\":\"integer\",\"default\":3}]"

    static const roost_field_type_v1 type = {
        .id = {(const uint8_t *)TYPE, sizeof(TYPE) - 1},
        .settings = {(const uint8_t *)SETTINGS, sizeof(SETTINGS) - 1},
        .validate_settings = validate_settings,
        .open = open_field,
        .close = close_field,
        .normalise = normalise,
        .modify = modify,
        .validate = validate,
        .intercept = intercept,
    };

    /* --- http --- */

    static roost_status late_status[2];
    static int late_done;

    static void *later(void *argument) {
        roost_request request = {(uint64_t)(uintptr_t)argument};
        usleep(20000);
        late_status[0] = http->respond(request, 200, B("text/plain"), B("late"));
        late_status[1] = http->respond(request, 200, B("text/plain"), B("twice"));
        __sync_synchronize();
        late_done = 1;
        return 0;
    }

    static int cancelled;
    static void cancel(void *user, roost_request request) { cancelled++; }

    static roost_status handle(void *user, const roost_call *call, roost_request request) {
        roost_bytes path, part;
        pthread_t thread;
        if (http->path(request, &path) != ROOST_OK) return ROOST_EINTERNAL;
        if (is(path, "/ok")) {
            http->set_header(request, B("X-Fixture"), B("yes"));
            if (http->set_header(request, B("X-Fixture"), B("a\r\nb")) != ROOST_EINVALID) return ROOST_EINTERNAL;
            if (http->query(request, B("q"), &part) != ROOST_OK) return ROOST_EINTERNAL;
            return http->respond(request, 200, B("text/plain"), part);
        }
        if (is(path, "/twice")) {
            http->respond(request, 200, B("text/plain"), B("one"));
            return http->respond(request, 200, B("text/plain"), B("two")) == ROOST_ESTALE ? ROOST_OK : ROOST_EINTERNAL;
        }
        if (is(path, "/pending")) {
            late_done = 0;
            pthread_create(&thread, 0, later, (void *)(uintptr_t)request.id);
            pthread_detach(thread);
            return ROOST_PENDING;
        }
        if (is(path, "/none")) return ROOST_OK;
        if (is(path, "/refused")) {
            host->fail(call, 418, B("teapot"), B("short and stout"));
            return ROOST_EFAILED;
        }
        if (is(path, "/fields")) {
            host->fail_field(call, B("name"), B("validation_name"), B("wrong name"), (roost_bytes){0});
            return ROOST_EFAILED;
        }
        if (is(path, "/error")) return http->respond_error(request, 404, B("gone"), B("{\"a\":1}"));
        return ROOST_EINTERNAL;
    }

    static int freed;
    static void free_user(void *user) { freed++; }

    /* --- hooks --- */

    static roost_status on_create(void *user, const roost_call *call, roost_event event) {
        roost_record record;
        roost_value value = {0};
        if (hooks->record(event, &record) != ROOST_OK) return ROOST_EINTERNAL;
        records->get(record, B("field"), &value);
        if (is(value.bytes, "stop")) return ROOST_OK;
        if (is(value.bytes, "refuse")) {
            host->fail(call, 409, B("no"), B("refused by the hook"));
            return ROOST_EFAILED;
        }
        roost_status status = hooks->next(call, event);
        if (status < 0) return is(value.bytes, "swallow") ? ROOST_OK : status;
        if (is(value.bytes, "again")) return hooks->next(call, event) == ROOST_ECONFLICT ? ROOST_OK : ROOST_EINTERNAL;
        return ROOST_OK;
    }

    /* --- identity and commands --- */

    static roost_status claims(
        void *user, const roost_call *call, roost_bytes token, roost_bytes *collection, roost_bytes *record) {
        if (!is(token, "good") && !is(token, "expired")) return ROOST_ENOTFOUND;
        *collection = B("users");
        *record = B("r1");
        return ROOST_OK;
    }

    static roost_status verify(
        void *user, const roost_call *call, roost_bytes token, roost_record record, roost_bytes collection,
        int64_t *expires) {
        if (!is(token, "good")) return ROOST_EFAILED;
        if (!memmem(collection.data, collection.length, "\"secret\":\"abc\"", 14)) return ROOST_EFAILED;
        *expires = 4000000000;
        return ROOST_OK;
    }

    static const roost_identity_provider_v1 provider = {.claims = claims, .verify = verify};

    static const roost_commands_v1 *commands;

    static int32_t command(void *user, const roost_call *call, roost_bytes arguments) {
        commands->print(host, 0, arguments);
        return memmem(arguments.data, arguments.length, "fail", 4) ? 3 : 0;
    }

    /* --- jobs --- */

    static const roost_cron_v1 *crons;
    static int job_runs;
    static int jobs_freed;

    static roost_status run_job(void *user, const roost_call *call) {
        job_runs++;
        host->fail(call, 0, B("job"), B("no paper"));
        return user ? ROOST_EFAILED : ROOST_OK;
    }

    static void free_job(void *user) { jobs_freed++; }

    static roost_status add_job(const roost_call *call, const char *id, const char *schedule, void *user) {
        roost_cron_job_v1 job = {
            .id = bytes(id), .schedule = bytes(schedule), .user = user, .run = run_job, .free = free_job};
        return crons->add(host, call, &job);
    }

    /* --- alerts --- */

    static const roost_alerts_v1 *alerts;
    static int alerts_told;

    static roost_status told_alert(void *user, const roost_call *call, roost_bytes alert) {
        if (user != &alerts_told || !memmem(alert.data, alert.length, "\"details\"", 9)) return ROOST_EINVALID;
        __atomic_fetch_add(&alerts_told, 1, __ATOMIC_SEQ_CST);
        if (!memmem(alert.data, alert.length, "fail", 4)) return ROOST_OK;
        host->fail(call, 0, B("alert"), B("nobody is at home"));
        return ROOST_EFAILED;
    }

    /* --- phases --- */

    #ifdef MISSING_SYMBOL
    extern int nobody_has_this_function(void);
    #endif

    static roost_status create(void **instance) {
    #ifdef MISSING_SYMBOL
        return nobody_has_this_function();
    #endif
    #ifdef CREATE_FAILS
        return ROOST_ENOMEM;
    #endif
        *instance = &stopped;
        return ROOST_OK;
    }

    static roost_status add_route(const char *path) {
        roost_route_v1 route = {0};
        route.method = B("GET");
        route.path = bytes(path);
        route.run = ROOST_RUN_WORKER;
        route.handler = handle;
        route.cancel = cancel;
        route.free = free_user;
        return http->add_route(host, &route);
    }

    static roost_status initialise(void *instance, const roost_host *given, const roost_call *call) {
        host = given;
        records = host->get_table(host, B(ROOST_TABLE_RECORDS));
        text_table = host->get_table(host, B(ROOST_TABLE_TEXT));
        const roost_field_types_v1 *types = host->get_table(host, B(ROOST_TABLE_FIELD_TYPE));
        if (!records || !text_table || !types) return ROOST_ENOTFOUND;
        if (host->get_table(host, B("roost.none/1"))) return ROOST_EINTERNAL;
    #ifndef NO_TYPE
        roost_status status = types->add(host, &type, instance);
        if (status != ROOST_OK) {
            host->fail(call, 0, B("type"), B("the type was refused"));
            return status;
        }
        if (types->add(host, &type, instance) != ROOST_ECONFLICT) return ROOST_EINTERNAL;
    #endif
    #ifdef HTTP
        http = host->get_table(host, B(ROOST_TABLE_HTTP));
        if (!http) {
            host->fail(call, 0, B("http"), B("no http table"));
            return ROOST_EDENIED;
        }
        const char *paths[] = {"/ok", "/twice", "/pending", "/none", "/refused", "/fields", "/error", "/broken"};
        for (int i = 0; i < 8; i++) if (add_route(paths[i]) != ROOST_OK) return ROOST_EINTERNAL;
        if (add_route("/ok") != ROOST_ECONFLICT) return ROOST_EINTERNAL;
    #endif
    #ifdef NO_HTTP
        if (host->get_table(host, B(ROOST_TABLE_HTTP))) return ROOST_EINTERNAL;
    #endif
    #ifdef HOOKS
        hooks = host->get_table(host, B(ROOST_TABLE_HOOKS));
        roost_hook_v1 hook = {0};
        hook.event = B("recordCreate");
        hook.collections = B("tests, others");
        hook.handler = on_create;
        if (hooks->add(host, &hook) != ROOST_OK) return ROOST_EINTERNAL;
        hook.event = B("somethingElse");
        if (hooks->add(host, &hook) != ROOST_ENOTFOUND) return ROOST_EINTERNAL;
    #endif
    #ifdef IDENTITY
        const roost_identity_v1 *identity = host->get_table(host, B(ROOST_TABLE_IDENTITY));
        if (!identity || identity->provide(host, &provider) != ROOST_OK) return ROOST_EINTERNAL;
        if (identity->provide(host, &provider) != ROOST_ECONFLICT) return ROOST_EINTERNAL;
    #endif
    #ifdef COMMANDS
        commands = host->get_table(host, B(ROOST_TABLE_COMMAND));
        roost_command_v1 greet = {.name = B("greet"), .summary = B("Greets."), .run = command};
        if (!commands || commands->add(host, &greet) != ROOST_OK) return ROOST_EINTERNAL;
    #endif
    #ifdef CRON
        crons = host->get_table(host, B(ROOST_TABLE_CRON));
        if (!crons || add_job(call, "report", "@hourly", 0) != ROOST_OK) return ROOST_EINTERNAL;
        if (add_job(call, "report", "@daily", 0) != ROOST_OK) return ROOST_EINTERNAL;
        if (add_job(0, "broken", "every day", 0) != ROOST_EINVALID) return ROOST_EINTERNAL;
        if (crons->remove(host, B("nothing")) != ROOST_ENOTFOUND) return ROOST_EINTERNAL;
    #endif
    #ifdef ALERTS
        alerts = host->get_table(host, B(ROOST_TABLE_ALERTS));
        static roost_alert_listener_v1 nobody, listener = {.user = &alerts_told, .handler = told_alert};
        if (!alerts || alerts->listen(host, &nobody) != ROOST_EINVALID) return ROOST_EINTERNAL;
        if (alerts->listen(host, &listener) != ROOST_OK) return ROOST_EINTERNAL;
    #endif
    #ifdef BAD_CRON
        crons = host->get_table(host, B(ROOST_TABLE_CRON));
        return add_job(call, "broken", "every day", 0);
    #endif
    #ifdef OFFERS
        static const int table = 42;
        if (host->offer_table(host, B(OFFERS), &table) != ROOST_OK) return ROOST_EINTERNAL;
    #endif
    #ifdef WANTS
        const int *wanted = host->get_table(host, B(WANTS));
        if (!wanted || *wanted != 42) {
            host->fail(call, 0, B("wants"), B("the wanted table is not there"));
            return ROOST_ENOTFOUND;
        }
    #endif
    #ifdef INIT_FAILS
        host->fail(call, 0, B("init"), B("the moon is wrong"));
        return ROOST_EFAILED;
    #endif
        return ROOST_OK;
    }

    static roost_status start(void *instance, const roost_call *call) {
    #ifdef START_FAILS
        host->fail(call, 0, B("start"), B("the engine is cold"));
        return ROOST_EFAILED;
    #endif
    #ifdef CRON
        if (add_job(0, "late", "* * * * *", &job_runs) != ROOST_OK) return ROOST_EINTERNAL;
        if (add_job(0, "__pbLogsCleanup__", "* * * * *", 0) != ROOST_ECONFLICT) return ROOST_EINTERNAL;
    #endif
    #ifdef ALERTS
        static roost_alert_listener_v1 late = {.handler = told_alert};
        if (alerts->listen(host, &late) != ROOST_ETHREAD) return ROOST_EINTERNAL;
        const char *wrong[] = {"", "[]", "{", "{\"kind\":\"a\",\"subject\":\"b\"}",
            "{\"kind\":\"a\",\"subject\":\"\",\"details\":\"c\"}", "{\"kind\":1,\"subject\":\"b\",\"details\":\"c\"}"};
        for (int i = 0; i < 6; i++) {
            roost_bytes text = {(const uint8_t *)wrong[i], strlen(wrong[i])};
            if (alerts->raise(host, text) != ROOST_EINVALID) return ROOST_EINTERNAL;
        }
    #endif
    #ifdef LATE_REGISTRATION
        const roost_field_types_v1 *types = host->get_table(host, B(ROOST_TABLE_FIELD_TYPE));
        if (types->add(host, &type, instance) != ROOST_ETHREAD) return ROOST_EINTERNAL;
    #endif
        return ROOST_OK;
    }

    static void stop(void *instance) { stopped++; }

    static const roost_plugin_descriptor descriptor = {
        .magic = MAGIC,
        .size = SIZE,
        .abi_major = MAJOR,
        .id = {(const uint8_t *)ID, sizeof(ID) - 1},
        .version = {(const uint8_t *)VERSION, sizeof(VERSION) - 1},
        .create = create,
        .init = initialise,
        .start = start,
        .stop = stop,
    };

    #ifndef NO_ENTRY
    const roost_plugin_descriptor *roost_plugin_entry(void) {
    #ifdef NULL_DESCRIPTOR
        return 0;
    #endif
        return &descriptor;
    }
    /* For the tests. */
    ROOST_EXPORT int fixture_late_done(void) { return late_done; }
    ROOST_EXPORT int fixture_late_status(int i) { return late_status[i]; }
    ROOST_EXPORT int fixture_cancelled(void) { return cancelled; }
    ROOST_EXPORT int fixture_freed(void) { return freed; }
    ROOST_EXPORT int fixture_job_runs(void) { return job_runs; }
    ROOST_EXPORT int fixture_jobs_freed(void) { return jobs_freed; }
    ROOST_EXPORT int fixture_alerts_told(void) { return __atomic_load_n(&alerts_told, __ATOMIC_SEQ_CST); }
    ROOST_EXPORT int fixture_raise(void) {
        return alerts->raise(host, B("{\"kind\":\"tea\",\"subject\":\"Cold\",\"details\":\"It is.\"}"));
    }
    ROOST_EXPORT int fixture_stopped(void) { return stopped; }
    #endif
    """#
