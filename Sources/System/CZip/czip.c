#define _GNU_SOURCE
#include "czip.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#define FUNCTIONS(F)                                                                                                 \
    F(zip_open) F(zip_close) F(zip_discard) F(zip_get_error) F(zip_error_strerror) F(zip_error_init_with_code)         \
    F(zip_error_fini) F(zip_error_set) F(zip_error_to_data) F(zip_source_function) F(zip_source_free) F(zip_file_add)  \
    F(zip_set_file_compression) F(zip_file_set_mtime) F(zip_file_set_external_attributes) F(zip_get_num_entries)      \
    F(zip_stat_init) F(zip_stat_index) F(zip_file_get_external_attributes) F(zip_fopen_index) F(zip_fread) F(zip_fclose)   \
    F(zip_error_code_system) F(zip_open_from_source) F(zip_source_function_create) F(zip_source_seek_compute_offset)

static struct {
#define MEMBER(name) __typeof__(name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} library;

static const char *problem;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    /* Debian's soname is 4, that of upstream 5; what is used here is the same in both. */
    void *handle = dlopen("libzip.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!handle) handle = dlopen("libzip.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        problem = "libzip.so.4 cannot be loaded; install the package libzip4";
        return;
    }
#define FIND(name)                                                                                                  \
    if (!(library.name = (__typeof__(name) *)dlsym(handle, #name))) problem = "libzip has no " #name "; it is too old";
    FUNCTIONS(FIND)
#undef FIND
}

const char *roost_zip_load(void) {
    pthread_once(&once, load);
    return problem;
}

/* The words of a failure, until the thread's next. */
static const char *words_of(zip_error_t *failure) {
    static _Thread_local char words[256];
    strncpy(words, library.zip_error_strerror(failure), sizeof words - 1);
    library.zip_error_fini(failure);
    return words;
}

roost_zip *roost_zip_open(const char *path, const char **error) {
    int code = 0;
    zip_t *archive = library.zip_open(path, ZIP_RDONLY, &code);
    if (!archive) {
        zip_error_t failure;
        library.zip_error_init_with_code(&failure, code);
        *error = words_of(&failure);
    }
    return (roost_zip *)archive;
}

/* --- the file of a new archive --- */

/* What is written goes to the disk piece by piece. Left to itself the kernel gathers it, and who then waits for a commit of
 * the database on the same disk waits for all of it. */
#define PIECE (4 << 20)
#define BUFFER (64 << 10)

struct output {
    char *path;
    int descriptor;
    uint64_t position, size, started;
    /* What is still to be written before `position`. */
    size_t waiting;
    zip_error_t error;
    char buffer[BUFFER];
};

static zip_int64_t failed(struct output *output, int code) {
    library.zip_error_set(&output->error, code, errno);
    return -1;
}

static int flush_output(struct output *output) {
    uint64_t start = output->position - output->waiting;
    size_t done = 0;
    while (done < output->waiting) {
        ssize_t count =
            pwrite(output->descriptor, output->buffer + done, output->waiting - done, (off_t)(start + done));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return (int)failed(output, ZIP_ER_WRITE);
        done += (size_t)count;
    }
    output->waiting = 0;
    return 0;
}

static zip_int64_t write_output(struct output *output, const char *bytes, zip_uint64_t length) {
    for (zip_uint64_t done = 0; done < length;) {
        if (output->waiting == BUFFER && flush_output(output) < 0) return -1;
        size_t count = BUFFER - output->waiting;
        if (count > length - done) count = (size_t)(length - done);
        memcpy(output->buffer + output->waiting, bytes + done, count);
        output->waiting += count;
        output->position += count;
        done += count;
    }
    if (output->position > output->size) output->size = output->position;
    if (output->size - output->started >= PIECE) {
        if (flush_output(output) < 0) return -1;
        /* A request, which some file systems do not know; the archive is synchronised in the end. */
        sync_file_range(
            output->descriptor, (off_t)output->started, (off_t)(output->size - output->started),
            SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
        output->started = output->size;
    }
    return (zip_int64_t)length;
}

/* Closes the file of an archive that came to nothing, and removes it. */
static void drop_output(struct output *output) {
    if (output->descriptor < 0) return;
    close(output->descriptor);
    unlink(output->path);
    output->descriptor = -1;
}

static zip_int64_t run_output(void *data, void *buffer, zip_uint64_t length, zip_source_cmd_t command) {
    struct output *output = data;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS: return ZIP_SOURCE_SUPPORTS_WRITABLE;
    case ZIP_SOURCE_STAT:
        /* There is nothing yet, as zip_open_from_source wants to be told. */
        errno = ENOENT;
        return failed(output, ZIP_ER_READ);
    case ZIP_SOURCE_BEGIN_WRITE:
        output->descriptor = open(output->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        return output->descriptor < 0 ? failed(output, ZIP_ER_TMPOPEN) : 0;
    case ZIP_SOURCE_WRITE: return write_output(output, buffer, length);
    case ZIP_SOURCE_SEEK_WRITE: {
        if (flush_output(output) < 0) return -1;
        zip_int64_t position =
            library.zip_source_seek_compute_offset(output->position, output->size, buffer, length, &output->error);
        if (position < 0) return -1;
        output->position = (uint64_t)position;
        return 0;
    }
    case ZIP_SOURCE_TELL_WRITE: return (zip_int64_t)output->position;
    case ZIP_SOURCE_COMMIT_WRITE: {
        if (flush_output(output) < 0) return -1;
        int status = close(output->descriptor);
        output->descriptor = -1;
        if (status == 0) return 0;
        failed(output, ZIP_ER_CLOSE);
        unlink(output->path);
        return -1;
    }
    case ZIP_SOURCE_ROLLBACK_WRITE: drop_output(output); return 0;
    case ZIP_SOURCE_REMOVE: return 0;
    case ZIP_SOURCE_ERROR: return library.zip_error_to_data(&output->error, buffer, length);
    case ZIP_SOURCE_FREE:
        drop_output(output);
        free(output->path);
        free(output);
        return 0;
    default: library.zip_error_set(&output->error, ZIP_ER_OPNOTSUPP, 0); return -1;
    }
}

roost_zip *roost_zip_create(const char *path, const char **error) {
    struct output *output = calloc(1, sizeof *output);
    zip_error_t failure;
    library.zip_error_init_with_code(&failure, ZIP_ER_MEMORY);
    zip_source_t *source = NULL;
    if (output && (output->path = strdup(path))) {
        output->descriptor = -1;
        source = library.zip_source_function_create(run_output, output, &failure);
    }
    if (!source) {
        if (output) free(output->path);
        free(output);
        *error = words_of(&failure);
        return NULL;
    }
    zip_t *archive = library.zip_open_from_source(source, ZIP_CREATE, &failure);
    if (!archive) {
        library.zip_source_free(source);
        *error = words_of(&failure);
        return NULL;
    }
    return (roost_zip *)archive;
}

/* --- writing --- */

struct source {
    roost_zip_content content;
    uint64_t size;
    int64_t modified;
    zip_error_t error;
};

static zip_int64_t run_source(void *data, void *buffer, zip_uint64_t length, zip_source_cmd_t command) {
    struct source *source = data;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_MAKE_COMMAND_BITMASK(ZIP_SOURCE_OPEN) | ZIP_SOURCE_MAKE_COMMAND_BITMASK(ZIP_SOURCE_READ) |
               ZIP_SOURCE_MAKE_COMMAND_BITMASK(ZIP_SOURCE_CLOSE) | ZIP_SOURCE_MAKE_COMMAND_BITMASK(ZIP_SOURCE_STAT) |
               ZIP_SOURCE_MAKE_COMMAND_BITMASK(ZIP_SOURCE_ERROR) | ZIP_SOURCE_MAKE_COMMAND_BITMASK(ZIP_SOURCE_FREE);
    case ZIP_SOURCE_OPEN:
        if (source->content.open(source->content.user) >= 0) return 0;
        library.zip_error_set(&source->error, ZIP_ER_OPEN, 0);
        return -1;
    case ZIP_SOURCE_READ: {
        int64_t count = source->content.read(source->content.user, buffer, length);
        if (count >= 0) return count;
        library.zip_error_set(&source->error, ZIP_ER_READ, 0);
        return -1;
    }
    case ZIP_SOURCE_CLOSE: source->content.close(source->content.user); return 0;
    case ZIP_SOURCE_STAT: {
        zip_stat_t *stat = buffer;
        if (length < sizeof *stat) return -1;
        library.zip_stat_init(stat);
        stat->valid = ZIP_STAT_SIZE | ZIP_STAT_MTIME;
        stat->size = source->size;
        stat->mtime = (time_t)source->modified;
        return sizeof *stat;
    }
    case ZIP_SOURCE_ERROR: return library.zip_error_to_data(&source->error, buffer, length);
    case ZIP_SOURCE_FREE:
        source->content.release(source->content.user);
        free(source);
        return 0;
    default: library.zip_error_set(&source->error, ZIP_ER_OPNOTSUPP, 0); return -1;
    }
}

int roost_zip_add(
    roost_zip *archive, const char *name, uint64_t size, int64_t modified, int compresses,
    const roost_zip_content *content) {
    zip_t *zip = (zip_t *)archive;
    struct source *source = calloc(1, sizeof *source);
    if (!source) {
        content->release(content->user);
        return -1;
    }
    source->content = *content;
    source->size = size;
    source->modified = modified;
    zip_source_t *made = library.zip_source_function(zip, run_source, source);
    if (!made) {
        content->release(content->user);
        free(source);
        return -1;
    }
    zip_int64_t index = library.zip_file_add(zip, name, made, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        library.zip_source_free(made);
        return -1;
    }
    /* Level 1: a backup is to be over soon, as PocketBase's is. */
    if (library.zip_set_file_compression(zip, (zip_uint64_t)index, compresses ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 1) < 0)
        return -1;
    return library.zip_file_set_external_attributes(
        zip, (zip_uint64_t)index, 0, ZIP_OPSYS_UNIX, (zip_uint32_t)0100644 << 16);
}

int roost_zip_close(roost_zip *archive) { return library.zip_close((zip_t *)archive); }
void roost_zip_discard(roost_zip *archive) { library.zip_discard((zip_t *)archive); }

const char *roost_zip_error(roost_zip *archive) {
    return library.zip_error_strerror(library.zip_get_error((zip_t *)archive));
}

int roost_zip_error_code(roost_zip *archive) {
    return library.zip_error_code_system(library.zip_get_error((zip_t *)archive));
}

/* --- reading --- */

int64_t roost_zip_count(roost_zip *archive) { return library.zip_get_num_entries((zip_t *)archive, 0); }

int roost_zip_stat(roost_zip *archive, int64_t index, roost_zip_entry *out) {
    zip_t *zip = (zip_t *)archive;
    zip_stat_t stat;
    library.zip_stat_init(&stat);
    if (library.zip_stat_index(zip, (zip_uint64_t)index, ZIP_FL_ENC_GUESS, &stat) < 0) return -1;
    zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    if ((stat.valid & needed) != needed) return -1;
    out->name = stat.name;
    out->size = stat.size;
    out->compressed = stat.comp_size;
    out->is_encrypted = (stat.valid & ZIP_STAT_ENCRYPTION_METHOD) && stat.encryption_method != ZIP_EM_NONE;
    zip_uint8_t system = 0;
    zip_uint32_t attributes = 0;
    out->mode = 0;
    if (library.zip_file_get_external_attributes(zip, (zip_uint64_t)index, 0, &system, &attributes) == 0 &&
        (system == ZIP_OPSYS_UNIX || system == ZIP_OPSYS_OS_X))
        out->mode = attributes >> 16;
    return 0;
}

roost_zip_file *roost_zip_open_entry(roost_zip *archive, int64_t index) {
    return (roost_zip_file *)library.zip_fopen_index((zip_t *)archive, (zip_uint64_t)index, 0);
}

int64_t roost_zip_read(roost_zip_file *file, void *buffer, uint64_t length) {
    return library.zip_fread((zip_file_t *)file, buffer, length);
}

void roost_zip_close_entry(roost_zip_file *file) { library.zip_fclose((zip_file_t *)file); }
