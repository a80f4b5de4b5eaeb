/*
 * "roost.record-requests/1": records as a client may make them, inside a plugin's own transaction. Unlike
 * roost.records/1, which trusts the plugin, everything that holds for a request of the client holds here too.
 */
#ifndef ROOST_RECORD_REQUESTS_H
#define ROOST_RECORD_REQUESTS_H

#include "core.h"
#include "http.h"
#include "records.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_RECORD_REQUESTS "roost.record-requests/1"

/* A file that comes along. OWNERSHIP: borrowed for the call. 48 bytes. */
typedef struct roost_record_upload_v1 {
    roost_bytes field;  /* its key, e.g. "avatar" or "photos+" */
    roost_bytes name;   /* what it is called */
    roost_bytes data;
} roost_record_upload_v1;

typedef struct roost_record_requests_v1 {
    /* [worker] [writer] Creates a record as the client of `request` would with POST …/records and `body`, a JSON object:
     * by the create rule, without hidden fields unless it is a superuser, with the hooks of such requests. `context` is
     * what @request.context reads. Without a transaction it is one of its own, and its commit is waited for. `*out` is
     * the stored record, a handle of the call. ROOST_EFAILED: the client may not, or the record is not valid; passed on,
     * it is answered as the request would have been. */
    roost_status (*create)(
        const roost_call *call, roost_request request, roost_transaction transaction, roost_bytes collection,
        roost_bytes context, roost_bytes body, const roost_record_upload_v1 *uploads, uint64_t upload_count,
        roost_record *out);
} roost_record_requests_v1;

#ifdef __cplusplus
}
#endif

#endif
