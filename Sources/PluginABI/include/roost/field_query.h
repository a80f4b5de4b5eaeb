/*
 * "roost.field-query/1": how the values of a field type are compared, sorted, counted and cast in filters, sorts and
 * rules. A type without it is compared and sorted by its column as it is stored.
 *
 * `a OP b` is asked of keys where `key_uses` says so, else of the stored values. What a field is compared with is cast
 * first, so that it may be written in another form than the stored one. `~` and `!~` always look at the stored text.
 *
 * Comparing by keys costs a call for each row that is looked at, and no index helps. Where the stored form can be made
 * such that it sorts as it should, do that, and use `cast` alone: then an index on the column is used.
 */
#ifndef ROOST_FIELD_QUERY_H
#define ROOST_FIELD_QUERY_H

#include "core.h"
#include "field_type.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_FIELD_QUERY "roost.field-query/1"

/* What keys are used for, as bits of `key_uses`. */
#define ROOST_KEY_ORDER 0x1u    /* < <= > >= and sorts */
#define ROOST_KEY_EQUALITY 0x2u /* = and != */

/*
 * How one field type takes part in queries. OWNERSHIP: static. 56 bytes. Any function may be NULL, `key` when `key_uses`
 * is 0. They are called from any thread, also at the same time, and must give the same result for the same value as long
 * as the field is opened: the database counts on it. `opened` is that of the field type; of `context` only `call` and
 * `name` are filled in. Values given back are static, part of the input, or from `scratch`.
 */
typedef struct roost_field_query_v1 {
    roost_bytes type;  /* the id of a type that this plugin added with roost.field-type/1 */
    uint32_t key_uses; /* ROOST_KEY_… */
    uint32_t reserved;
    uint64_t reserved2;

    /*
     * [any] Turns what a filter compares the field with into the stored form: a text, a number or (for a true and a
     * false) the numbers 1 and 0; never nothing, which is not cast. For the members of a list (`:each`) it is called for
     * one member. ROOST_UNCHANGED: compared as it is. ROOST_EFAILED: it makes no sense for this type; a request that
     * wrote it gets a 400, and a value of another column is equal to none and has no place in the order.
     */
    roost_status (*cast)(
        void *opened, const roost_field_context *context, const roost_value *value, roost_value *out);

    /*
     * [any] The key of a stored value (or of one that was cast): a number, a text, or ROOST_NULL for what has no place
     * in the order, which counts as nothing. Texts are compared by their bytes, numbers come before texts.
     * ROOST_UNCHANGED: the value itself. A failure counts as ROOST_NULL and is logged once.
     */
    roost_status (*key)(
        void *opened, const roost_field_context *context, const roost_value *value, roost_value *out);

    /* [any] What `:length` of a stored value is, from 0. A failure counts as 0 and is logged once. */
    roost_status (*count)(
        void *opened, const roost_field_context *context, const roost_value *value, int64_t *out);
} roost_field_query_v1;

/* The host's side. */
typedef struct roost_field_queries_v1 {
    /* [init] After `add` of the type itself. ROOST_ENOTFOUND: this plugin added no such type. ROOST_ECONFLICT: it was
     * told already. ROOST_EINVALID: unknown bits, or uses without `key`. */
    roost_status (*add)(const roost_host *host, const roost_field_query_v1 *query);
} roost_field_queries_v1;

#ifdef __cplusplus
}
#endif

#endif
