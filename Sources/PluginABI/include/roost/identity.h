/*
 * "roost.identity/1": who a request comes from. One plugin (Auth) registers as the provider; capability "identity".
 */
#ifndef ROOST_IDENTITY_H
#define ROOST_IDENTITY_H

#include "core.h"
#include "records.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_IDENTITY "roost.identity/1"

/*
 * Tells whose token it is: [loop], must not wait. `*collection` and `*record_id` from the token's claims (scratch of
 * the call) and ROOST_OK, or ROOST_ENOTFOUND for a token that is none. The token is not trusted yet: the host finds the
 * record and then asks `verify`.
 */
typedef roost_status (*roost_identity_claims)(
    void *user, const roost_call *call, roost_bytes token, roost_bytes *collection, roost_bytes *record_id);

/*
 * Checks the token against its record: [loop]. `collection` is the record's collection as JSON with its secrets.
 * `*expires` becomes the second (Unix time) from which the token no longer counts; until then, and until the record or
 * the collection changes, the host keeps the answer and does not ask again.
 */
typedef roost_status (*roost_identity_verify)(
    void *user, const roost_call *call, roost_bytes token, roost_record record, roost_bytes collection,
    int64_t *expires);

/* OWNERSHIP: static. 40 bytes. */
typedef struct roost_identity_provider_v1 {
    void *user;
    roost_identity_claims claims;
    roost_identity_verify verify;
    uint64_t reserved;
    uint64_t reserved2;
} roost_identity_provider_v1;

typedef struct roost_identity_v1 {
    /* [init] ROOST_ECONFLICT: there is a provider. */
    roost_status (*provide)(const roost_host *host, const roost_identity_provider_v1 *provider);
} roost_identity_v1;

#ifdef __cplusplus
}
#endif

#endif
