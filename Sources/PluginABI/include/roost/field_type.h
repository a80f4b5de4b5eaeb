/*
 * "roost.field-type/1": kinds of fields. The host's table registers them; a plugin fills one roost_field_type_v1 each.
 *
 * The host asks `open` once for each field of each collection and then only for values, so that settings are parsed
 * once. A row is read, sorted and turned into JSON without any call, by the shape that `open` gave.
 */
#ifndef ROOST_FIELD_TYPE_H
#define ROOST_FIELD_TYPE_H

#include "core.h"
#include "records.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_FIELD_TYPE "roost.field-type/1"

/* How a stored column appears in JSON. */
#define ROOST_FORM_TEXT 1u          /* a string */
#define ROOST_FORM_NUMBER 2u        /* a number */
#define ROOST_FORM_BOOL 3u          /* true or false */
#define ROOST_FORM_JSON 4u          /* the column's JSON document as it is */
#define ROOST_FORM_LIST 5u          /* an array of strings; a plain text is an array of one */
#define ROOST_FORM_LAST_OF_LIST 6u  /* a string; of an array in the column, the last member */
#define ROOST_FORM_SECRET 7u        /* never shown */
#define ROOST_FORM_DATE 8u          /* "2006-01-02 15:04:05.000Z" or "" */

/* Moments at which `intercept` is called, as bits of `moments`. */
#define ROOST_MOMENT_BEFORE_VALIDATE_CREATE 0x001u
#define ROOST_MOMENT_BEFORE_VALIDATE_UPDATE 0x002u
#define ROOST_MOMENT_BEFORE_CREATE 0x004u
#define ROOST_MOMENT_BEFORE_UPDATE 0x008u
#define ROOST_MOMENT_BEFORE_DELETE 0x010u
#define ROOST_MOMENT_AFTER_CREATE 0x020u
#define ROOST_MOMENT_AFTER_UPDATE 0x040u
#define ROOST_MOMENT_AFTER_DELETE 0x080u
#define ROOST_MOMENT_FAILED_CREATE 0x100u
#define ROOST_MOMENT_FAILED_UPDATE 0x200u
#define ROOST_MOMENT_FAILED_DELETE 0x400u

#define ROOST_MODIFY_APPEND 1u        /* name+ */
#define ROOST_MODIFY_PREPEND 2u       /* +name */
#define ROOST_MODIFY_REMOVE 3u        /* name- */
#define ROOST_MODIFY_AUTOGENERATE 4u  /* name:autogenerate */

#define ROOST_SHAPE_MULTIPLE 0x1u           /* the value is a list */
#define ROOST_SHAPE_FILE 0x2u               /* the values are names of stored files */
#define ROOST_SHAPE_RELATION_CASCADE 0x4u   /* a record goes when what it refers to goes */
#define ROOST_SHAPE_RELATION_REQUIRED 0x8u  /* what it refers to cannot go while it is the last one */
#define ROOST_SHAPE_READ_ONLY 0x10u         /* what clients send is ignored; only setting it raw changes it */

/* What the host must know of an opened field. OWNERSHIP: bytes live until `close`. 104 bytes. */
typedef struct roost_field_shape {
    uint32_t form;         /* ROOST_FORM_… */
    uint32_t flags;        /* ROOST_SHAPE_… */
    uint32_t moments;      /* ROOST_MOMENT_… */
    uint32_t reserved;
    roost_bytes column;    /* the column's declaration after its name, e.g. "TEXT DEFAULT '' NOT NULL" */
    roost_bytes relation;  /* id of the collection whose record ids the values are; empty when there is none */
    roost_value zero;      /* the value of a record that was given none */
    int64_t max_body_size; /* bytes that a request may need for this field */
    uint64_t reserved2;
} roost_field_shape;

/* Where a call about one field happens. OWNERSHIP: borrowed for the call. 72 bytes. */
typedef struct roost_field_context {
    const roost_call *call;
    roost_bytes name;        /* of the field */
    roost_bytes collection;  /* id of the collection */
    roost_record record;     /* the record; {0} where there is none (normalise, modify) */
    uint32_t is_new;         /* 1 when the record is not stored yet */
    uint32_t moment;         /* in intercept: one ROOST_MOMENT_… bit */
    roost_transaction transaction; /* the running one; {0} outside */
    uint64_t reserved;
} roost_field_context;

/* One kind of field. OWNERSHIP: static. Functions that may be NULL say so. */
typedef struct roost_field_type_v1 {
    roost_bytes id;  /* the `type` in a collection's JSON; letters and digits */

    /*
     * The settings beside those that every field has (id, name, type, system, hidden, presentable), as a JSON array:
     *   [{"name": "min", "type": "integer", "default": 0}, …]
     * types: string, integer, number, optionalNumber, bool, strings, json. The host refuses wrong types, fills in
     * defaults, and shows the settings in this form in the dashboard.
     */
    roost_bytes settings;

    uint64_t reserved;

    /* [any] Checks complete settings beyond their types; failures by `fail_field`. `field` is the whole field as JSON,
     * `collection` the whole collection that is about to be saved, `original` the same field as it is saved now or
     * empty. A failure of a list's member is given under "setting.index". ROOST_EFAILED when something was wrong. May
     * be NULL. */
    roost_status (*validate_settings)(
        void *instance, const roost_call *call, roost_bytes field, roost_bytes collection, roost_bytes original);

    /* [any] Compiles complete settings. `field` is the JSON object of the settings with "name" and "system" of the
     * field; it may be opened before the collection exists. `*opened` is passed to the functions below until `close`. */
    roost_status (*open)(
        void *instance, const roost_call *call, roost_bytes field, void **opened, roost_field_shape *shape);
    void (*close)(void *opened);

    /* [any] Turns what a client sent into the stored form. Never fails: what makes no sense becomes the zero value. */
    roost_status (*normalise)(
        void *opened, const roost_field_context *context, const roost_value *value, roost_value *out);

    /* [any] Applies a ROOST_MODIFY_…; ROOST_EUNSUPPORTED when the type has no such modifier. May be NULL. */
    roost_status (*modify)(
        void *opened, const roost_field_context *context, uint32_t modifier, const roost_value *current,
        const roost_value *operand, roost_value *out);

    /* [any] Checks a normalised value. On ROOST_EFAILED the reason was given with `fail`, or with `fail_field` under
     * the field's own name when it has params. May be NULL. */
    roost_status (*validate)(void *opened, const roost_field_context *context, const roost_value *value);

    /* [any] Acts at a moment of the record's life, through roost.records/1. A failure before the write refuses it.
     * May be NULL. */
    roost_status (*intercept)(void *opened, const roost_field_context *context);
} roost_field_type_v1;

/* The host's side. */
typedef struct roost_field_types_v1 {
    /* [init] ROOST_ECONFLICT: another plugin brought that type. */
    roost_status (*add)(const roost_host *host, const roost_field_type_v1 *type, void *instance);
} roost_field_types_v1;

#ifdef __cplusplus
}
#endif

#endif
