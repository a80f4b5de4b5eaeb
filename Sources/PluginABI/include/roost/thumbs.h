/*
 * "roost.file-thumbs/1": small forms of stored images, from the host to the plugin that gives files out. Needs the
 * capability "files".
 *
 * "roost.thumb-maker/1": what makes them. A plugin (Thumbs, or one that replaces it) offers this table and the host uses
 * it: the host asks once for each thumb, however many clients want it, stores what is made, and removes it with its
 * original.
 */
#ifndef ROOST_THUMBS_H
#define ROOST_THUMBS_H

#include "core.h"
#include "http.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_FILE_THUMBS "roost.file-thumbs/1"
#define ROOST_TABLE_THUMB_MAKER "roost.thumb-maker/1"

typedef struct roost_file_thumbs_v1 {
    /* [any] Answers a request like `serve` of "roost.files/1", but with a thumb of the image: the one that is stored, or
     * one that is made now, which the answer then waits for. What is no image, or none that a thumb can be made of, is
     * answered as it is. `size` is "WxH" ("300x200"), with t, b or f behind it (cut at the bottom, cut at the top, not
     * cut), or with 0 for one of both; ROOST_EINVALID for another. The rest as in "roost.files/1". */
    roost_status (*serve)(
        roost_request request, roost_bytes key, roost_bytes name, roost_bytes size, uint32_t flags);
    uint64_t reserved;
} roost_file_thumbs_v1;

/* Told how the making of a thumb ended: [any], once, on a thread of the maker. `error` is empty when it was made, else says
 * why not. OWNERSHIP: borrowed until it returns. */
typedef void (*roost_thumb_done)(void *user, roost_status status, roost_bytes error);

/* OWNERSHIP: the offering plugin's, for ever. 24 bytes. */
typedef struct roost_thumb_maker_v1 {
    /* Passed back as the function's first parameter. */
    void *maker;
    /* [any] Takes over the making of a thumb and returns at once. `source` is the path of the image, `target` that of
     * the file to write, `size` as above, `type` the MIME type of the image. A thumb of image/jpeg and image/gif has the
     * type of the image, any other image/png. `done` is called unless this fails. */
    roost_status (*make)(
        void *maker, roost_bytes source, roost_bytes target, roost_bytes size, roost_bytes type,
        roost_thumb_done done, void *user);
    uint64_t reserved;
} roost_thumb_maker_v1;

#ifdef __cplusplus
}
#endif

#endif
