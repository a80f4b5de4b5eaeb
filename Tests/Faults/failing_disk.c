/* A disk that fails: loaded into a process with LD_PRELOAD, it counts the calls that change files below one folder, and
 * from the n-th on, or only at the n-th, answers with an error instead of doing them.
 *
 * The control file, named by ROOST_FAULT_CONTROL, is a shared page that the test writes and reads while the process runs:
 * see struct control. FAULT_MODE_KILL ends the process at the n-th call, as kill -9 would.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MODE_OFF = 0, MODE_ONCE = 1, MODE_FROM = 2, MODE_KILL = 3, MODE_SHORT = 4 };

struct control {
    _Atomic uint32_t mode;
    _Atomic uint32_t error;  /* the errno to answer with */
    _Atomic uint32_t target; /* the call to fail, counted from 1 */
    _Atomic uint32_t seen;   /* calls so far since the test set it to 0 */
    _Atomic uint32_t failed; /* calls that were failed */
    _Atomic uint32_t mask;   /* which calls count: one bit for each enum call; 0 for all */
    char folder[PATH_MAX];   /* only files below this folder count */
};

enum call { WRITE, SYNC, OPEN, RENAME, UNLINK, TRUNCATE, MKDIR, LINK };

static struct control *control;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("ROOST_FAULT_CONTROL");
    if (!path) return;
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return;
    void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (page != MAP_FAILED) control = page;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int is_below(const char *path) {
    size_t length = strlen(control->folder);
    return strncmp(path, control->folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int path_counts(int folder, const char *path) {
    char whole[PATH_MAX * 2];
    if (path[0] != '/') {
        if (folder == AT_FDCWD) {
            if (!getcwd(whole, PATH_MAX)) return 0;
        } else {
            char link[64];
            char *end = link + sizeof link - 1;
            *end = 0;
            unsigned number = (unsigned)folder;
            do { *--end = (char)('0' + number % 10); number /= 10; } while (number);
            static const char prefix[] = "/proc/self/fd/";
            end -= sizeof prefix - 1;
            memcpy(end, prefix, sizeof prefix - 1);
            ssize_t count = readlink(end, whole, PATH_MAX - 1);
            if (count < 0) return 0;
            whole[count] = 0;
        }
        strncat(whole, "/", 2);
        strncat(whole, path, PATH_MAX - 1);
        path = whole;
    }
    return is_below(path);
}

static int descriptor_counts(int descriptor) {
    char link[64] = "/proc/self/fd/", digits[16], whole[PATH_MAX];
    int at = 16;
    unsigned number = (unsigned)descriptor;
    do { digits[--at] = (char)('0' + number % 10); number /= 10; } while (number);
    strncat(link, digits + at, 16 - at);
    ssize_t count = readlink(link, whole, sizeof whole - 1);
    if (count <= 0) return 0;
    whole[count] = 0;
    return is_below(whole);
}

/* Whether this call is to fail. `applies` tells whether it concerns the folder, and is asked only when it matters. */
static int fails(enum call call, int counts) {
    if (!counts) return 0;
    uint32_t mask = control->mask;
    if (mask && !(mask & (1u << call))) return 0;
    uint32_t number = atomic_fetch_add(&control->seen, 1) + 1, target = control->target, mode = control->mode;
    if (mode == MODE_OFF || target == 0) return 0;
    /* A full disk lets files be removed. */
    if (call == UNLINK && control->error == ENOSPC && mode != MODE_KILL) return 0;
    if (mode == MODE_FROM ? number < target : number != target) return 0;
    atomic_fetch_add(&control->failed, 1);
    if (mode == MODE_KILL) kill(getpid(), SIGKILL);
    errno = (int)control->error;
    return 1;
}

#define WATCHED (control && control->folder[0])
#define FAILS_FD(call, descriptor) (WATCHED && fails(call, descriptor_counts(descriptor)))
#define FAILS_PATH(call, folder, path) (WATCHED && fails(call, path_counts(folder, path)))

ssize_t write(int descriptor, const void *bytes, size_t count) {
    REAL(write);
    if (FAILS_FD(WRITE, descriptor)) {
        if (control->mode == MODE_SHORT && count > 1) return real(descriptor, bytes, count / 2);
        return -1;
    }
    return real(descriptor, bytes, count);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    REAL(pwrite64);
    if (FAILS_FD(WRITE, descriptor)) {
        if (control->mode == MODE_SHORT && count > 1) return real(descriptor, bytes, count / 2, offset);
        return -1;
    }
    return real(descriptor, bytes, count, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return pwrite64(descriptor, bytes, count, offset);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(writev);
    if (FAILS_FD(WRITE, descriptor)) return -1;
    return real(descriptor, parts, count);
}

int fsync(int descriptor) {
    REAL(fsync);
    return FAILS_FD(SYNC, descriptor) ? -1 : real(descriptor);
}

int fdatasync(int descriptor) {
    REAL(fdatasync);
    return FAILS_FD(SYNC, descriptor) ? -1 : real(descriptor);
}

int ftruncate64(int descriptor, off64_t length) {
    REAL(ftruncate64);
    return FAILS_FD(TRUNCATE, descriptor) ? -1 : real(descriptor, length);
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

int fallocate64(int descriptor, int mode, off64_t offset, off64_t length) {
    REAL(fallocate64);
    return FAILS_FD(TRUNCATE, descriptor) ? -1 : real(descriptor, mode, offset, length);
}

int fallocate(int descriptor, int mode, off_t offset, off_t length) {
    return fallocate64(descriptor, mode, offset, length);
}

int posix_fallocate64(int descriptor, off64_t offset, off64_t length) {
    REAL(posix_fallocate64);
    return FAILS_FD(TRUNCATE, descriptor) ? errno : real(descriptor, offset, length);
}

int posix_fallocate(int descriptor, off_t offset, off_t length) {
    return posix_fallocate64(descriptor, offset, length);
}

/* Opening for reading alone is left as it is. */
static int changes(int flags) { return (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0; }

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (changes(flags) && FAILS_PATH(OPEN, AT_FDCWD, path)) return -1;
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open64(path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    REAL(openat64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (changes(flags) && FAILS_PATH(OPEN, folder, path)) return -1;
    return real(folder, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return openat64(folder, path, flags, mode);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return FAILS_PATH(RENAME, AT_FDCWD, to) ? -1 : real(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(renameat);
    return FAILS_PATH(RENAME, to_folder, to) ? -1 : real(from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    static int (*real)(int, const char *, int, const char *, unsigned);
    if (!real) real = (int (*)(int, const char *, int, const char *, unsigned))dlsym(RTLD_NEXT, "renameat2");
    return FAILS_PATH(RENAME, to_folder, to) ? -1 : real(from_folder, from, to_folder, to, flags);
}

int link(const char *from, const char *to) {
    REAL(link);
    return FAILS_PATH(LINK, AT_FDCWD, to) ? -1 : real(from, to);
}

int unlink(const char *path) {
    REAL(unlink);
    return FAILS_PATH(UNLINK, AT_FDCWD, path) ? -1 : real(path);
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat);
    return FAILS_PATH(UNLINK, folder, path) ? -1 : real(folder, path, flags);
}

int rmdir(const char *path) {
    REAL(rmdir);
    return FAILS_PATH(UNLINK, AT_FDCWD, path) ? -1 : real(path);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return FAILS_PATH(MKDIR, AT_FDCWD, path) ? -1 : real(path, mode);
}
