/*
 * "roost.records/1": records, queries and transactions, as trusted code sees them: no rule is applied.
 *
 * Handles are checked by generation: use after their end is ROOST_ESTALE, never a crash.
 */
#ifndef ROOST_RECORDS_H
#define ROOST_RECORDS_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_RECORDS "roost.records/1"

typedef struct roost_record { uint64_t id; } roost_record;
typedef struct roost_transaction { uint64_t id; } roost_transaction;

/* [writer] The body of a transaction; a negative status rolls it back. */
typedef roost_status (*roost_transaction_body)(void *user, const roost_call *call, roost_transaction transaction);

#define ROOST_EXPORT_PUBLIC 0u      /* as everybody may see it: no hidden fields, e-mail by its visibility */
#define ROOST_EXPORT_OWNER 1u       /* as its owner sees it: its own e-mail address too */
#define ROOST_EXPORT_EVERYTHING 2u  /* as a superuser sees it */

/* THREADS: a record may be used by any thread, by one at a time. While a function works with all of it (export_json,
 * save, remove, matches), others that are asked for it on another thread answer ROOST_ETHREAD. */
typedef struct roost_records_v1 {
    /* [any] A value of a record; `.bytes` live until the record is changed or ends. ROOST_ENOTFOUND: no such field.
     * Beside fields: "collectionId", "collectionName", and keys of a request's body that are no fields, written
     * "extra:name" (e.g. "extra:passwordConfirm"). */
    roost_status (*get)(roost_record record, roost_bytes name, roost_value *out);
    /* [any] The value as it is stored. ROOST_ENOTFOUND when the record is new. */
    roost_status (*get_original)(roost_record record, roost_bytes name, roost_value *out);
    /* [any] Sets a value: normalised by the field's type. `raw` 1 skips that (a field type setting its own value). */
    roost_status (*set)(roost_record record, roost_bytes name, const roost_value *value, uint32_t raw);
    /* [any] 1 when the record is not stored yet. */
    uint32_t (*is_new)(roost_record record);
    /* [any] The record as JSON, ROOST_EXPORT_…; `expand` and `fields` are the query parameters' texts, or empty.
     * OWNERSHIP: scratch of the call. */
    roost_status (*export_json)(
        const roost_call *call, roost_record record, uint32_t audience, roost_bytes expand, roost_bytes fields,
        roost_bytes *out);

    /* [worker] [writer] Finds records; handles live until the call ends. `collection` is an id or a name. In a
     * transaction, pass it to see its changes; {0} reads what is committed. Short indexed reads also [loop]. */
    roost_status (*find)(
        const roost_call *call, roost_transaction transaction, roost_bytes collection, roost_bytes id,
        roost_record *out);
    /* The first record whose field equals the value; `ignore_case` 1 compares ASCII letters without case. */
    roost_status (*find_by)(
        const roost_call *call, roost_transaction transaction, roost_bytes collection, roost_bytes field,
        const roost_value *value, uint32_t ignore_case, roost_record *out);
    /* Up to `*count` records that match a filter expression, sorted by a sort expression; `*count` becomes how many
     * were written to `out`. Values for {:name} placeholders come as a JSON object. */
    roost_status (*list)(
        const roost_call *call, roost_transaction transaction, roost_bytes collection, roost_bytes filter,
        roost_bytes sort, roost_bytes parameters, uint64_t offset, roost_record *out, uint64_t *count);
    /* How many of the ids (a JSON array of strings) exist in the collection. [any] in field-type calls. */
    roost_status (*count_ids)(
        const roost_call *call, roost_transaction transaction, roost_bytes collection, roost_bytes ids,
        uint64_t *out);

    /* [any] A new record in memory. */
    roost_status (*create)(const roost_call *call, roost_bytes collection, roost_record *out);
    /* [worker] [writer] Validates (all but with `unchecked` 1) and writes; without a transaction in one of its own,
     * waiting for its commit. On ROOST_EFAILED the fields' failures have been given to the call. */
    roost_status (*save)(
        const roost_call *call, roost_transaction transaction, roost_record record, uint32_t unchecked);
    /* [worker] [writer] Deletes with all that cascades. */
    roost_status (*remove)(const roost_call *call, roost_transaction transaction, roost_record record);

    /* [worker] [writer] Runs the body inside a transaction; nested ones are savepoints. Returns after the commit with
     * the body's status, or with ROOST_EINTERNAL when the commit failed. */
    roost_status (*transaction)(const roost_call *call, roost_transaction_body body, void *user);

    /* [any] A collection as JSON, ROOST_ENOTFOUND when there is none. With the grant "secrets" its options include
     * token secrets. OWNERSHIP: scratch of the call. */
    roost_status (*collection)(const roost_call *call, roost_bytes collection, roost_bytes *out);
    /* [any] Whether a filter expression (a rule) matches a stored record as the given identity sees it; `auth` {0} for
     * a guest. 1 or 0 in `*out`. `context` is what @request.context reads. */
    roost_status (*matches)(
        const roost_call *call, roost_record record, roost_bytes rule, roost_record auth, roost_bytes context,
        uint32_t *out);
} roost_records_v1;

#ifdef __cplusplus
}
#endif

#endif
