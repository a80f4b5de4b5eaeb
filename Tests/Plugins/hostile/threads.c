/*
 * A plugin that uses what it is given from many threads at once, and goes on using it when it is over. The host answers each
 * call with a status; it neither ends nor mixes memory up.
 *
 *   GET /api/hostile/scratch   threads take scratch memory of one call, and make calls of it fail
 *   GET /api/hostile/record    threads set and read one record
 *   POST /api/hostile/late     a thread reads the body on and on, and another one answers
 *   GET /api/hostile/frame     headers that would end the answer elsewhere
 */
#include <roost/roost.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT(literal) { (const uint8_t *)(literal), sizeof(literal) - 1 }
enum { THREADS = 4, BLOCKS = 1000, ROUNDS = 40, SIZE = 64 };

static const roost_host *host;
static const roost_http_v1 *http;
static const roost_records_v1 *records;

static roost_bytes text(const char *literal) {
    roost_bytes bytes = { (const uint8_t *)literal, strlen(literal) };
    return bytes;
}

static roost_status answer(roost_request request, const char *words) {
    return http->respond(request, 200, text("text/plain"), text(words));
}

struct work {
    const roost_call *call;
    roost_request request;
    roost_record record;
    int number, faults;
};

static void run(void *(*body)(void *), struct work *works) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, body, &works[i]);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void *take_scratch(void *argument) {
    struct work *work = argument;
    uint8_t **blocks = calloc(BLOCKS, sizeof *blocks);
    for (int round = 0; blocks && round < ROUNDS; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = host->scratch(work->call, SIZE);
            if (blocks[i]) memset(blocks[i], work->number + 1, SIZE);
        }
        for (int i = 0; i < BLOCKS; i++)
            for (int k = 0; blocks[i] && k < SIZE; k++)
                if (blocks[i][k] != work->number + 1) work->faults++;
        roost_record none;
        roost_transaction outside = { 0 };
        records->find(work->call, outside, text("no such collection"), text("x"), &none);
        host->fail(work->call, 400, text("code"), text("words"));
        host->fail_field(work->call, text("field"), text("code"), text("words"), text(""));
    }
    free(blocks);
    return NULL;
}

static roost_status scratch(void *user, const roost_call *call, roost_request request) {
    (void)user;
    struct work works[THREADS];
    int faults = 0;
    for (int i = 0; i < THREADS; i++) works[i] = (struct work) { .call = call, .number = i };
    run(take_scratch, works);
    for (int i = 0; i < THREADS; i++) faults += works[i].faults;
    return answer(request, faults ? "overlapping" : "apart");
}

static void *use_record(void *argument) {
    struct work *work = argument;
    char words[300];
    memset(words, 'a' + work->number, sizeof words);
    for (int i = 0; i < 20000; i++) {
        roost_value value = { .kind = ROOST_TEXT, .bytes = { (const uint8_t *)words, 100 + (uint64_t)(i % 200) } }, out;
        roost_bytes name = text(i % 2 ? "email" : "extra:x");
        roost_status status = work->number % 2 ? records->set(work->record, name, &value, 1) : records->get(work->record, name, &out);
        if (status != ROOST_OK && status != ROOST_ETHREAD && status != ROOST_ENOTFOUND) work->faults++;
    }
    return NULL;
}

static roost_status record(void *user, const roost_call *call, roost_request request) {
    (void)user;
    struct work works[THREADS];
    roost_record made;
    int faults = 0;
    if (records->create(call, text("users"), &made) != ROOST_OK) return answer(request, "no users");
    for (int i = 0; i < THREADS; i++) works[i] = (struct work) { .record = made, .number = i };
    run(use_record, works);
    for (int i = 0; i < THREADS; i++) faults += works[i].faults;
    return answer(request, faults ? "refused" : "used");
}

static void *read_on(void *argument) {
    struct work *work = argument;
    roost_bytes bytes;
    for (int i = 0; i < 2000 && http->body(work->request, &bytes) != ROOST_ESTALE; i++) {}
    free(work);
    return NULL;
}

static void *answer_soon(void *argument) {
    struct work *work = argument;
    struct timespec pause = { 0, 1000000L * (1 + work->number % 40) };
    nanosleep(&pause, NULL);
    answer(work->request, "late");
    free(work);
    return NULL;
}

static roost_status late(void *user, const roost_call *call, roost_request request) {
    (void)user;
    static _Atomic int turn;
    void *(*bodies[])(void *) = { read_on, read_on, answer_soon };
    for (int i = 0; i < 3; i++) {
        struct work *work = calloc(1, sizeof *work);
        *work = (struct work) { .call = call, .request = request, .number = turn++ * 7 };
        pthread_t thread;
        pthread_create(&thread, NULL, bodies[i], work);
        pthread_detach(thread);
    }
    return ROOST_PENDING;
}

static roost_status frame(void *user, const roost_call *call, roost_request request) {
    (void)user;
    (void)call;
    const char *const names[] = { "Content-Length", "transfer-encoding", "Connection", "Keep-Alive", "UPGRADE", "Date" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (http->set_header(request, text(names[i]), text("3")) != ROOST_EINVALID) return answer(request, names[i]);
    http->set_header(request, text("Set-Cookie"), text("a=1"));
    http->set_header(request, text("Set-Cookie"), text("b=2"));
    http->set_header(request, text("X-Once"), text("1"));
    http->set_header(request, text("X-Once"), text("2"));
    return answer(request, "framed");
}

static roost_status create(void **instance) {
    static int here;
    *instance = &here;
    return ROOST_OK;
}

static roost_status add(const char *method, const char *path, uint32_t where, roost_http_handler handler) {
    roost_route_v1 route;
    memset(&route, 0, sizeof route);
    route.method = text(method);
    route.path = text(path);
    route.run = where;
    route.handler = handler;
    return http->add_route(host, &route);
}

static roost_status init(void *instance, const roost_host *given, const roost_call *call) {
    (void)instance;
    (void)call;
    host = given;
    http = host->get_table(host, text(ROOST_TABLE_HTTP));
    records = host->get_table(host, text(ROOST_TABLE_RECORDS));
    if (!http || !records) return ROOST_EDENIED;
    roost_status status = add("GET", "/api/hostile/scratch", ROOST_RUN_WORKER, scratch);
    if (status == ROOST_OK) status = add("GET", "/api/hostile/record", ROOST_RUN_WORKER, record);
    if (status == ROOST_OK) status = add("POST", "/api/hostile/late", ROOST_RUN_LOOP, late);
    return status == ROOST_OK ? add("GET", "/api/hostile/frame", ROOST_RUN_LOOP, frame) : status;
}

static const roost_plugin_descriptor descriptor = {
    .magic = ROOST_MAGIC,
    .size = sizeof(roost_plugin_descriptor),
    .abi_major = ROOST_ABI_MAJOR,
    .abi_minor = ROOST_ABI_MINOR,
    .id = TEXT(ID),
    .version = TEXT("1.0.0"),
    .name = TEXT("Threads"),
    .create = create,
    .init = init,
};

const roost_plugin_descriptor *roost_plugin_entry(void) { return &descriptor; }
