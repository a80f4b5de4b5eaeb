/* libzip as Swift can call it, loaded at its first use: a server that makes no backups does not have it in memory.
 * Names are UTF-8. Threads: an archive is one thread's. */
#ifndef ROOST_CZIP_H
#define ROOST_CZIP_H

#include <stdint.h>

typedef struct roost_zip roost_zip;
typedef struct roost_zip_file roost_zip_file;

/* NULL when libzip is there, else a sentence that says why not. */
const char *roost_zip_load(void);

/* Begins a new archive at a path where there is nothing. NULL: see `error` (static, or of the thread's last call). */
roost_zip *roost_zip_create(const char *path, const char **error);

/* Where the content of an entry comes from, called while the archive is closed. Each returns a negative number when it
 * failed; `read` gives 0 at the end. `release` is called once, whatever happens. */
typedef struct roost_zip_content {
    void *user;
    int (*open)(void *user);
    int64_t (*read)(void *user, void *buffer, uint64_t length);
    void (*close)(void *user);
    void (*release)(void *user);
} roost_zip_content;

/* Adds an entry. -1: see roost_zip_error; the content was released. */
int roost_zip_add(
    roost_zip *archive, const char *name, uint64_t size, int64_t modified, int compresses,
    const roost_zip_content *content);

/* Reads all contents, writes the archive and puts it at its path. -1: see roost_zip_error, and discard it. */
int roost_zip_close(roost_zip *archive);
void roost_zip_discard(roost_zip *archive);
/* Of the last failure. OWNERSHIP: the archive's, until the next call. */
const char *roost_zip_error(roost_zip *archive);
/* The system's number for it; 0 when it has none. */
int roost_zip_error_code(roost_zip *archive);

/* Opens an archive for reading. */
roost_zip *roost_zip_open(const char *path, const char **error);
int64_t roost_zip_count(roost_zip *archive);

typedef struct roost_zip_entry {
    const char *name; /* OWNERSHIP: the archive's */
    uint64_t size;
    uint64_t compressed;
    uint32_t mode;    /* st_mode of the system that made it; 0 when it has none */
    int is_encrypted;
} roost_zip_entry;

/* -1: see roost_zip_error. */
int roost_zip_stat(roost_zip *archive, int64_t index, roost_zip_entry *out);
roost_zip_file *roost_zip_open_entry(roost_zip *archive, int64_t index);
/* Bytes, 0 at the end, -1 on failure; the last read checks the sum. */
int64_t roost_zip_read(roost_zip_file *file, void *buffer, uint64_t length);
void roost_zip_close_entry(roost_zip_file *file);

#endif
