/*
 * "roost.auth-method/1": ways to sign in. A method says who somebody is; the plugin that signs people in (Auth) does the
 * rest: whether the method is on, the collection's rule, the second factor, the alert, the token. Needs the capability
 * "identity", because whoever says that a request is from Ann is believed.
 *
 * A method with the name NAME is reached by clients below /api/collections/{collection}/ as
 *
 *   POST auth-begin/NAME   what `begin` answers, e.g. a challenge
 *   POST auth-with/NAME    `finish`, and then the record with a token, or 401 {"mfaId": …} when one more proof is needed
 *
 * and shows up in GET auth-methods under its name. The methods "password", "otp" and "oauth2" have PocketBase's paths
 * too (auth-with-password, request-otp, auth-with-otp, auth-with-oauth2).
 *
 * Its options in a collection are a JSON object: where PocketBase has them for its three ("passwordAuth", "otp",
 * "oauth2"), for all others under "authMethods": {"NAME": {"enabled": true, …}}, which PocketBase passes over. Members
 * that are called "secret" or end in "Secret" are never shown and stay when a change does not send them.
 */
#ifndef ROOST_AUTH_METHOD_H
#define ROOST_AUTH_METHOD_H

#include "core.h"
#include "http.h"
#include "records.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_AUTH_METHOD "roost.auth-method/1"

#define ROOST_FACTOR_FIRST 1u   /* it alone says who somebody is */
#define ROOST_FACTOR_SECOND 2u  /* it may be the second proof after another method; alone in `factors`: only that */

/* What a method is asked about. OWNERSHIP: borrowed until the call returns. 64 bytes. */
typedef struct roost_auth_attempt_v1 {
    roost_request request;
    roost_bytes collection;  /* id of the auth collection */
    roost_bytes options;     /* the method's options there: complete, with secrets */
    /* Who has given a first proof and comes for the second, by the request's "mfaId"; {0} for nobody. A second proof has
     * to be of this record. Methods with ROOST_FACTOR_SECOND alone are never called without. */
    roost_record pending;
    uint64_t reserved[2];
} roost_auth_attempt_v1;

/* Who somebody is. 40 bytes. */
typedef struct roost_auth_proof_v1 {
    roost_record record;  /* a stored record of the collection, a handle of the call */
    roost_bytes meta;     /* a JSON object that goes out beside record and token, or empty. Scratch of the call. */
    uint64_t reserved[2];
} roost_auth_proof_v1;

/* [any] Refuses a collection's options with fail_field by their names. The host has checked that each member is one of
 * `defaults` and of its JSON type. Asked for options that are on or off. */
typedef roost_status (*roost_auth_validate)(void *user, const roost_call *call, roost_bytes options);

/* [loop] What GET auth-methods shows beside "enabled": a JSON object (scratch of the call). Must not show secrets. */
typedef roost_status (*roost_auth_describe)(void *user, const roost_call *call, roost_bytes options, roost_bytes *out);

/* [worker] First half: a JSON object that is answered with 200 (scratch of the call). */
typedef roost_status (*roost_auth_begin)(
    void *user, const roost_call *call, const roost_auth_attempt_v1 *attempt, roost_bytes *out);

/* [worker] Second half. A negative status is answered with the words of the call; it should take as long and say as
 * little whether somebody is not there or gave the wrong proof. */
typedef roost_status (*roost_auth_finish)(
    void *user, const roost_call *call, const roost_auth_attempt_v1 *attempt, roost_auth_proof_v1 *proof);

/* OWNERSHIP: borrowed; the host copies. 112 bytes. */
typedef struct roost_auth_method_v1 {
    roost_bytes name;      /* a-z, 0-9 and -, a letter first, 32 bytes at most */
    roost_bytes title;     /* for "The collection is not configured to allow {title} authentication." */
    roost_bytes defaults;  /* a JSON object with all members of the options, "enabled" first; a default of null takes any
                            * type. Not looked at for "password", "otp" and "oauth2". */
    uint32_t factors;      /* ROOST_FACTOR_… */
    uint32_t reserved;
    void *user;
    roost_auth_validate validate;  /* may be NULL */
    roost_auth_describe describe;  /* may be NULL */
    roost_auth_begin begin;        /* may be NULL */
    roost_auth_finish finish;
    void (*free)(void *user);      /* when the method goes; may be NULL */
    uint64_t reserved2;
} roost_auth_method_v1;

typedef struct roost_auth_methods_v1 {
    /* [init] Adds a method. ROOST_ECONFLICT: there is one of that name, or it is "password" or "otp", which are for the
     * plugin that is the identity provider. */
    roost_status (*add)(const roost_host *host, const roost_auth_method_v1 *method);

    /* The rest is for the plugin that signs people in. */

    /* [any] All methods in the order of their names: a JSON array of
     * {"name": …, "title": …, "factors": …, "begins": true}. After init it is the same text for the life of the
     * process. OWNERSHIP: scratch of the call. */
    roost_status (*list)(const roost_call *call, roost_bytes *out);
    /* [any] A method's options in a collection (id or name): complete, with secrets where "secrets" is granted.
     * ROOST_ENOTFOUND: no such method or collection. OWNERSHIP: scratch of the call. */
    roost_status (*options)(const roost_call *call, roost_bytes name, roost_bytes collection, roost_bytes *out);
    /* [loop], then [worker] or a thread of the plugin's own that may wait: they call the method's functions, each in a
     * call of the method's plugin. ROOST_ENOTFOUND: no such method; ROOST_EUNSUPPORTED: it has no such function.
     * ROOST_EFAILED: the method refused, and `*error` is the answer to the client, {"status": …, "message": …,
     * "data": {…}}. OWNERSHIP: what they give is scratch of the call. */
    roost_status (*describe)(const roost_call *call, roost_bytes name, roost_bytes options, roost_bytes *out);
    roost_status (*begin)(
        const roost_call *call, roost_bytes name, const roost_auth_attempt_v1 *attempt, roost_bytes *out,
        roost_bytes *error);
    roost_status (*finish)(
        const roost_call *call, roost_bytes name, const roost_auth_attempt_v1 *attempt, roost_auth_proof_v1 *proof,
        roost_bytes *error);
} roost_auth_methods_v1;

#ifdef __cplusplus
}
#endif

#endif
