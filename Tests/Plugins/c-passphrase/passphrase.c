/*
 * Two ways to sign in, in plain C with the headers alone. Both know a secret that a collection's options hold:
 *
 *   "passphrase"  {"email": …, "secret": …}, as the first or the second proof. `begin` gives a hint.
 *   "stamp"       {"secret": …}, as the second proof only: who it is, the first one has said.
 */
#include <roost/roost.h>

#include <stdlib.h>
#include <string.h>

static roost_bytes text(const char *literal) {
    roost_bytes bytes = { (const uint8_t *)literal, strlen(literal) };
    return bytes;
}

typedef struct plugin {
    const roost_host *host;
    const roost_http_v1 *http;
    const roost_records_v1 *records;
} plugin;

/*
 * The text of a member of a flat, compact JSON object, as the host gives them. What has an escape in it counts as
 * missing: nobody's secret here needs one.
 */
static roost_bytes member(roost_bytes json, const char *name) {
    roost_bytes none = { 0, 0 };
    char key[64];
    size_t length = strlen(name);
    if (length + 5 > sizeof key) return none;
    key[0] = '"';
    memcpy(key + 1, name, length);
    memcpy(key + 1 + length, "\":\"", 4);
    length += 4;
    for (uint64_t i = 0; i + length <= json.length; i++) {
        if (memcmp(json.data + i, key, length) != 0) continue;
        uint64_t start = i + length, end = start;
        while (end < json.length && json.data[end] != '"' && json.data[end] != '\\') end++;
        if (end == json.length || json.data[end] != '"') return none;
        roost_bytes value = { json.data + start, end - start };
        return value;
    }
    return none;
}

/* In the same time wherever the first difference is. */
static int is_same(roost_bytes a, roost_bytes b) {
    if (a.length != b.length || a.length == 0) return 0;
    uint8_t difference = 0;
    for (uint64_t i = 0; i < a.length; i++) difference |= (uint8_t)(a.data[i] ^ b.data[i]);
    return difference == 0;
}

static roost_status validate(void *user, const roost_call *call, roost_bytes options) {
    plugin *self = user;
    roost_bytes secret = member(options, "secret");
    if (secret.length >= 8) return ROOST_OK;
    self->host->fail_field(
        call, text("secret"), text("validation_secret_too_short"), text("Must have 8 characters at least."), text(""));
    return ROOST_EFAILED;
}

static roost_status describe(void *user, const roost_call *call, roost_bytes options, roost_bytes *out) {
    plugin *self = user;
    roost_bytes hint = member(options, "hint");
    const char *before = "{\"hint\":\"", *after = "\"}";
    uint8_t *memory = self->host->scratch(call, strlen(before) + hint.length + strlen(after));
    if (!memory) return ROOST_ENOMEM;
    memcpy(memory, before, strlen(before));
    if (hint.length) memcpy(memory + strlen(before), hint.data, hint.length);
    memcpy(memory + strlen(before) + hint.length, after, strlen(after));
    out->data = memory;
    out->length = strlen(before) + hint.length + strlen(after);
    return ROOST_OK;
}

static roost_status begin(void *user, const roost_call *call, const roost_auth_attempt_v1 *attempt, roost_bytes *out) {
    return describe(user, call, attempt->options, out);
}

static roost_status refuse(plugin *self, const roost_call *call) {
    self->host->fail(call, 400, text("wrong_secret"), text("Failed to authenticate."));
    return ROOST_EFAILED;
}

static roost_status passphrase(
    void *user, const roost_call *call, const roost_auth_attempt_v1 *attempt, roost_auth_proof_v1 *proof) {
    plugin *self = user;
    roost_bytes body;
    roost_status status = self->http->body_json(call, attempt->request, &body);
    if (status < 0) return status;
    roost_bytes email = member(body, "email");
    if (email.length == 0) {
        self->host->fail_field(
            call, text("email"), text("validation_required"), text("Cannot be blank."), text(""));
        return ROOST_EFAILED;
    }
    roost_value value = { ROOST_TEXT, 0, 0, 0, email };
    roost_transaction none = { 0 };
    status = self->records->find_by(call, none, attempt->collection, text("email"), &value, 0, &proof->record);
    int is_right = is_same(member(body, "secret"), member(attempt->options, "secret"));
    if (status != ROOST_OK || !is_right) return refuse(self, call);
    proof->meta = text("{\"by\":\"passphrase\"}");
    return ROOST_OK;
}

static roost_status stamp(
    void *user, const roost_call *call, const roost_auth_attempt_v1 *attempt, roost_auth_proof_v1 *proof) {
    plugin *self = user;
    roost_bytes body;
    roost_status status = self->http->body_json(call, attempt->request, &body);
    if (status < 0) return status;
    if (!is_same(member(body, "secret"), member(attempt->options, "secret"))) return refuse(self, call);
    proof->record = attempt->pending;
    return ROOST_OK;
}

/* Says yes to everybody, with no record: the host must not believe it. */
static roost_status careless(
    void *user, const roost_call *call, const roost_auth_attempt_v1 *attempt, roost_auth_proof_v1 *proof) {
    (void)user, (void)call, (void)attempt, (void)proof;
    return ROOST_OK;
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
    self->records = host->get_table(host, text(ROOST_TABLE_RECORDS));
    const roost_auth_methods_v1 *methods = host->get_table(host, text(ROOST_TABLE_AUTH_METHOD));
    if (!self->http || !self->records || !methods) return ROOST_EDENIED;

    roost_auth_method_v1 method;
    memset(&method, 0, sizeof method);
    method.user = self;
    method.name = text("passphrase");
    method.title = text("passphrase");
    method.defaults = text("{\"enabled\":false,\"hint\":\"\",\"secret\":\"not-yet-chosen\"}");
    method.factors = ROOST_FACTOR_FIRST | ROOST_FACTOR_SECOND;
    method.validate = validate;
    method.describe = describe;
    method.begin = begin;
    method.finish = passphrase;
    roost_status status = methods->add(host, &method);
    if (status != ROOST_OK) return status;

    /* A name is taken once, and methods without what they need are refused. */
    if (methods->add(host, &method) != ROOST_ECONFLICT) return ROOST_EINTERNAL;
    method.name = text("Not a name");
    if (methods->add(host, &method) != ROOST_EINVALID) return ROOST_EINTERNAL;
    method.name = text("password");
    if (methods->add(host, &method) != ROOST_ECONFLICT) return ROOST_EINTERNAL;

    method.name = text("stamp");
    method.factors = ROOST_FACTOR_SECOND;
    method.begin = NULL;
    method.finish = stamp;
    status = methods->add(host, &method);
    if (status != ROOST_OK) return status;

    method.name = text("careless");
    method.factors = ROOST_FACTOR_FIRST;
    method.validate = NULL;
    method.describe = NULL;
    method.finish = careless;
    return methods->add(host, &method);
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
    descriptor.id = text("org.example.passphrase");
    descriptor.version = text("1.0.0");
    descriptor.name = text("Passphrase sign-in");
    descriptor.vendor = text("Example");
    descriptor.license = text("MIT");
    descriptor.create = create;
    descriptor.init = init;
    descriptor.stop = stop;
    return &descriptor;
}
