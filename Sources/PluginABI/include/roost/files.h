/*
 * "roost.files/1": the files of records. Needs the capability "files".
 *
 * A file is named by its key, "<collection id>/<record id>/<name>". The host stores uploads and removes what records let
 * go of; a plugin decides who gets which file.
 */
#ifndef ROOST_FILES_H
#define ROOST_FILES_H

#include "core.h"
#include "http.h"
#include "records.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_FILES "roost.files/1"

#define ROOST_FILE_DOWNLOAD 1u  /* the client is to save it, whatever its type */

typedef struct roost_files_v1 {
    /* [init] Says that the plugin gives files out: uploads are taken from now on, which are refused otherwise. */
    roost_status (*accept_uploads)(const roost_host *host);
    /* [worker], and [loop] for records of collections that are no views: which file of a record a name means, as
     * {"key": "…", "field": "cover", "protected": false, "thumbs": ["100x100"]}. For a view's record the key is that of
     * the record which the view shows. ROOST_ENOTFOUND: none of its fields has that name. OWNERSHIP: scratch of the
     * call. */
    roost_status (*locate)(const roost_call *call, roost_record record, roost_bytes name, roost_bytes *out);
    /* [worker], and [loop] while files lie on this machine (else ROOST_ETHREAD): what is known of a stored file, as
     * {"size": 1, "modified": <Unix seconds>, "contentType": "…"}. ROOST_ENOTFOUND: there is none. OWNERSHIP: scratch of
     * the call. */
    roost_status (*information)(const roost_call *call, roost_bytes key, roost_bytes *out);
    /* [any] Answers a request with a stored file, or with the part of it or the 304 that its headers ask for. `name` is
     * what the client is told that it is called; `flags` are ROOST_FILE_…. ROOST_ENOTFOUND: there is none, and the
     * request is still to be answered; where files lie behind a network the host finds out later and answers 404 itself.
     * ROOST_ESTALE as in "roost.http/1". */
    roost_status (*serve)(roost_request request, roost_bytes key, roost_bytes name, uint32_t flags);
} roost_files_v1;

#ifdef __cplusplus
}
#endif

#endif
