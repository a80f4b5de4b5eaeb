/*
 * A field type in plain C with the headers alone: "colour", a text of the form #rrggbb, or #rrggbbaa where the field
 * allows it. Colours are kept in lower case. A filter may write them as #RGB too; they are sorted from dark to light, and
 * their `:length` is the number of their channels.
 */
#include <roost/roost.h>

#include <stdlib.h>
#include <string.h>

#define TEXT(literal) { (const uint8_t *)(literal), sizeof(literal) - 1 }

static roost_bytes text(const char *literal) {
    roost_bytes bytes = { (const uint8_t *)literal, strlen(literal) };
    return bytes;
}

typedef struct plugin {
    const roost_host *host;
} plugin;

/* A field with its settings. */
typedef struct colour_field {
    plugin *plugin;
    int allow_alpha;
    int required;
} colour_field;

/*
 * Whether a member of a flat JSON object is true. The host gives complete, compact settings, so looking for the text is
 * enough here; names and strings of the settings could not contain an unescaped quote.
 */
static int is_true(roost_bytes json, const char *member) {
    size_t length = strlen(member);
    for (uint64_t i = 0; i + length <= json.length; i++) {
        if (memcmp(json.data + i, member, length) == 0) return 1;
    }
    return 0;
}

static roost_status open_field(
    void *instance, const roost_call *call, roost_bytes field, void **opened, roost_field_shape *shape) {
    (void)call;
    colour_field *result = calloc(1, sizeof *result);
    if (!result) return ROOST_ENOMEM;
    result->plugin = instance;
    result->allow_alpha = is_true(field, "\"allowAlpha\":true");
    result->required = is_true(field, "\"required\":true");
    memset(shape, 0, sizeof *shape);
    shape->form = ROOST_FORM_TEXT;
    shape->column = text("TEXT DEFAULT '' NOT NULL");
    shape->zero.kind = ROOST_TEXT;
    *opened = result;
    return ROOST_OK;
}

static void close_field(void *opened) {
    free(opened);
}

static roost_status normalise(
    void *opened, const roost_field_context *context, const roost_value *value, roost_value *out) {
    colour_field *field = opened;
    memset(out, 0, sizeof *out);
    out->kind = ROOST_TEXT;
    if (value->kind != ROOST_TEXT) return ROOST_OK; /* no colour at all */

    uint64_t i = 0;
    while (i < value->bytes.length && !(value->bytes.data[i] >= 'A' && value->bytes.data[i] <= 'Z')) i++;
    if (i == value->bytes.length) return ROOST_UNCHANGED;

    uint8_t *copy = field->plugin->host->scratch(context->call, value->bytes.length);
    if (!copy) return ROOST_ENOMEM;
    for (i = 0; i < value->bytes.length; i++) {
        uint8_t c = value->bytes.data[i];
        copy[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
    }
    out->bytes.data = copy;
    out->bytes.length = value->bytes.length;
    return ROOST_OK;
}

static roost_status validate(void *opened, const roost_field_context *context, const roost_value *value) {
    const colour_field *field = opened;
    const roost_host *host = field->plugin->host;
    const uint8_t *data = value->bytes.data;
    uint64_t length = value->bytes.length;
    if (length == 0) {
        if (!field->required) return ROOST_OK;
        host->fail(context->call, 0, text("validation_required"), text("Cannot be blank."));
        return ROOST_EFAILED;
    }
    int fits = length == 7 || (field->allow_alpha && length == 9);
    for (uint64_t i = 1; fits && i < length; i++) {
        fits = (data[i] >= '0' && data[i] <= '9') || (data[i] >= 'a' && data[i] <= 'f');
    }
    if (fits && data[0] == '#') return ROOST_OK;
    host->fail(
        context->call, 0, text("validation_invalid_colour"),
        field->allow_alpha ? text("Must be a colour like #11aaff or #11aaff80.")
                           : text("Must be a colour like #11aaff."));
    return ROOST_EFAILED;
}

static const roost_field_type_v1 colour_type = {
    .id = TEXT("colour"),
    .settings = TEXT("[{\"name\":\"allowAlpha\",\"type\":\"bool\",\"default\":false},"
                     "{\"name\":\"required\",\"type\":\"bool\",\"default\":false}]"),
    .open = open_field,
    .close = close_field,
    .normalise = normalise,
    .validate = validate,
};

static int digit(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What a filter compares with: #rgb and #RRGGBB become #rrggbb. */
static roost_status cast(
    void *opened, const roost_field_context *context, const roost_value *value, roost_value *out) {
    const colour_field *field = opened;
    const uint8_t *data = value->bytes.data;
    uint64_t length = value->bytes.length;
    if (value->kind != ROOST_TEXT) return ROOST_EFAILED;
    if (length == 0) return ROOST_UNCHANGED;
    if (data[0] != '#' || (length != 4 && length != 5 && length != 7 && length != 9)) return ROOST_EFAILED;
    uint64_t times = length < 6 ? 2 : 1;
    uint8_t *copy = field->plugin->host->scratch(context->call, 9);
    if (!copy) return ROOST_ENOMEM;
    copy[0] = '#';
    for (uint64_t i = 1; i < length; i++) {
        int value_of_digit = digit(data[i]);
        if (value_of_digit < 0) return ROOST_EFAILED;
        for (uint64_t turn = 0; turn < times; turn++) {
            copy[(i - 1) * times + turn + 1] = (uint8_t)"0123456789abcdef"[value_of_digit];
        }
    }
    memset(out, 0, sizeof *out);
    out->kind = ROOST_TEXT;
    out->bytes.data = copy;
    out->bytes.length = (length - 1) * times + 1;
    return ROOST_OK;
}

/* The place of a colour among others: its luminance. What is no colour has none. */
static roost_status key(
    void *opened, const roost_field_context *context, const roost_value *value, roost_value *out) {
    (void)opened;
    (void)context;
    memset(out, 0, sizeof *out);
    out->kind = ROOST_NULL;
    const uint8_t *data = value->bytes.data;
    if (value->kind != ROOST_TEXT || value->bytes.length < 7 || data[0] != '#') return ROOST_OK;
    static const int weights[3] = { 2126, 7152, 722 };
    int sum = 0;
    for (int channel = 0; channel < 3; channel++) {
        int high = digit(data[1 + 2 * channel]);
        int low = digit(data[2 + 2 * channel]);
        if (high < 0 || low < 0) return ROOST_OK;
        sum += weights[channel] * (high * 16 + low);
    }
    out->kind = ROOST_NUMBER;
    out->number = sum;
    return ROOST_OK;
}

static roost_status count(void *opened, const roost_field_context *context, const roost_value *value, int64_t *out) {
    (void)opened;
    (void)context;
    *out = value->kind == ROOST_TEXT ? (int64_t)(value->bytes.length / 2) : 0;
    return ROOST_OK;
}

static const roost_field_query_v1 colour_query = {
    .type = TEXT("colour"),
    .key_uses = ROOST_KEY_ORDER,
    .cast = cast,
    .key = key,
    .count = count,
};

static roost_status create(void **instance) {
    *instance = calloc(1, sizeof(plugin));
    return *instance ? ROOST_OK : ROOST_ENOMEM;
}

static roost_status init(void *instance, const roost_host *host, const roost_call *call) {
    plugin *self = instance;
    self->host = host;
    const roost_field_types_v1 *types = host->get_table(host, text(ROOST_TABLE_FIELD_TYPE));
    if (!types) {
        host->fail(call, 0, text("missing_table"), text("This host has no " ROOST_TABLE_FIELD_TYPE "."));
        return ROOST_EFAILED;
    }
    roost_status status = types->add(host, &colour_type, self);
    if (status != ROOST_OK) return status;
    /* An older host has no such table: colours are then compared as the texts that they are. */
    const roost_field_queries_v1 *queries = host->get_table(host, text(ROOST_TABLE_FIELD_QUERY));
    return queries ? queries->add(host, &colour_query) : ROOST_OK;
}

static void stop(void *instance) {
    free(instance);
}

static const roost_plugin_descriptor descriptor = {
    .magic = { 'R', 'O', 'O', 'S', 'T', 0, 'P', '1' },
    .size = sizeof(roost_plugin_descriptor),
    .abi_major = ROOST_ABI_MAJOR,
    .abi_minor = ROOST_ABI_MINOR,
    .id = TEXT("org.example.colour"),
    .version = TEXT("1.0.0"),
    .name = TEXT("Colour field"),
    .vendor = TEXT("Example"),
    .license = TEXT("MIT"),
    .create = create,
    .init = init,
    .stop = stop,
};

const roost_plugin_descriptor *roost_plugin_entry(void) {
    return &descriptor;
}
