/*
 * "roost.file-storage/1": keeps files somewhere else than beside the database. A plugin (S3, or one that replaces it)
 * offers this table; the host stores the files of records and the backups with it when the settings say so, and other
 * plugins may use it as well.
 *
 * The functions may wait for a network as long as it takes. Each is [worker] and may run on many threads at once, also
 * for one place; none may be called inside a transaction of the caller's. Keys are UTF-8, relative and with "/" between
 * their parts, e.g. "<collection id>/<record id>/<name>".
 *
 * ERRORS. ROOST_ENOTFOUND: there is no such file. ROOST_EDENIED: the storage refuses what the settings bring as
 * credentials. ROOST_ECONFLICT: the file is not the asked-for version any more. ROOST_EINVALID: the settings or the key
 * cannot be used. ROOST_EFAILED: anything else, after retries of the storage's own. What a callback returns below 0 ends
 * the function, which returns it. `*error` says why in one sentence for the operator (scratch of the call; `error` may
 * be NULL for who does not ask).
 */
#ifndef ROOST_FILE_STORAGE_H
#define ROOST_FILE_STORAGE_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ROOST_TABLE_FILE_STORAGE "roost.file-storage/1"

/* To the end of the file. */
#define ROOST_STORAGE_REST 0xFFFFFFFFFFFFFFFFu

/* Somewhere that files are kept: what `open` made of settings. */
typedef struct roost_storage_place roost_storage_place;

/* A file in a storage. Members that are not known are empty or 0. 88 bytes. */
typedef struct roost_storage_file_v1 {
    roost_bytes key;
    uint64_t size;              /* bytes of the whole file */
    int64_t modified;           /* milliseconds since 1970 */
    roost_bytes content_type;
    roost_bytes original_name;  /* what the client who brought it calls it */
    roost_bytes version;        /* other bytes after each change of the file */
    uint64_t reserved;
} roost_storage_file_v1;

/* Gives bytes of a file that is to be stored: up to `capacity` of them from `offset` on into `buffer`. [any], also at the
 * same time and for the same bytes again. Returns how many it gave; 0 and less is a failure, as the storage asks for
 * nothing behind the size it was told. */
typedef int64_t (*roost_storage_read)(void *user, uint64_t offset, uint8_t *buffer, uint64_t capacity);

/* Takes what is known of a file before its first byte, or one file of a list. On the thread of the call. OWNERSHIP:
 * borrowed until it returns. */
typedef roost_status (*roost_storage_file)(void *user, const roost_storage_file_v1 *file);

/* Takes the next bytes of a file. On the thread of the call; may wait until there is room for them. OWNERSHIP: borrowed
 * until it returns. */
typedef roost_status (*roost_storage_write)(void *user, roost_bytes piece);

/* OWNERSHIP: the offering plugin's, for ever. 80 bytes. */
typedef struct roost_file_storage_v1 {
    /* Passed back as the functions' first parameter. */
    void *storage;
    /* [any] Makes a place of settings, a JSON object of the members that PocketBase's settings have for S3: "bucket",
     * "region", "endpoint", "accessKey", "secret", "forcePathStyle". Looks at them only and connects to nothing.
     * OWNERSHIP: `*place` is the caller's until `close`. */
    roost_status (*open)(
        void *storage, const roost_call *call, roost_bytes settings, roost_storage_place **place, roost_bytes *error);
    /* [any] Ends a place. No other function may be running with it. */
    void (*close)(void *storage, roost_storage_place *place);
    /* Stores `file->size` bytes under `file->key`, whole or not at all, with the type and the original name that `file`
     * brings; what was there is replaced. */
    roost_status (*put)(
        void *storage, const roost_call *call, roost_storage_place *place, const roost_storage_file_v1 *file,
        roost_storage_read read, void *user, roost_bytes *error);
    /* What is known of a file. OWNERSHIP: scratch of the call. */
    roost_status (*information)(
        void *storage, const roost_call *call, roost_storage_place *place, roost_bytes key,
        roost_storage_file_v1 *out, roost_bytes *error);
    /* Reads `length` bytes of a file from `offset` on (ROOST_STORAGE_REST: all that follow) and gives them to `write` in
     * order, each byte once. `begin` (may be NULL) is called before the first, and for an empty file too. `version` is
     * empty or what an earlier call told: ROOST_ECONFLICT when the file has changed since. ROOST_EINVALID when `offset`
     * lies behind the end. A failure may come after some of the bytes. */
    roost_status (*get)(
        void *storage, const roost_call *call, roost_storage_place *place, roost_bytes key, roost_bytes version,
        uint64_t offset, uint64_t length, roost_storage_file begin, roost_storage_write write, void *user,
        roost_bytes *error);
    /* Removes a file. One that is not there is removed already. */
    roost_status (*remove)(
        void *storage, const roost_call *call, roost_storage_place *place, roost_bytes key, roost_bytes *error);
    /* Removes every file whose key begins with `prefix`, and what uploads left there that never came to their end. An
     * empty prefix is ROOST_EINVALID. */
    roost_status (*remove_all)(
        void *storage, const roost_call *call, roost_storage_place *place, roost_bytes prefix, roost_bytes *error);
    /* Gives every file whose key begins with `prefix` to `each`, in the order of their keys; type and original name are
     * not among what it tells. */
    roost_status (*list)(
        void *storage, const roost_call *call, roost_storage_place *place, roost_bytes prefix,
        roost_storage_file each, void *user, roost_bytes *error);
    uint64_t reserved;
} roost_file_storage_v1;

#ifdef __cplusplus
}
#endif

#endif
