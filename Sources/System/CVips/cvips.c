#include "cvips.h"

#include <dlfcn.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* libvips' functions as version 8.13 and later have them; those with dots take names with values, and NULL at the end. */
static struct {
    int (*vips_init)(const char *);
    void (*vips_block_untrusted_set)(int);
    void (*vips_concurrency_set)(int);
    void (*vips_cache_set_max)(int);
    const char *(*vips_error_buffer)(void);
    void (*vips_error_clear)(void);
    void (*g_object_unref)(void *);
    int (*vips_image_get_width)(const roost_image *);
    int (*vips_image_get_height)(const roost_image *);
    int (*vips_image_get_orientation)(roost_image *);
    int (*vips_image_hasalpha)(roost_image *);
    roost_image *(*vips_image_copy_memory)(roost_image *);
    int (*vips_jpegload)(const char *, roost_image **, ...);
    int (*vips_pngload)(const char *, roost_image **, ...);
    int (*vips_gifload)(const char *, roost_image **, ...);
    int (*vips_webpload)(const char *, roost_image **, ...);
    int (*vips_extract_area)(roost_image *, roost_image **, int, int, int, int, ...);
    int (*vips_resize)(roost_image *, roost_image **, double, ...);
    int (*vips_colourspace)(roost_image *, roost_image **, int, ...);
    int (*vips_premultiply)(roost_image *, roost_image **, ...);
    int (*vips_unpremultiply)(roost_image *, roost_image **, ...);
    int (*vips_cast)(roost_image *, roost_image **, int, ...);
    int (*vips_autorot)(roost_image *, roost_image **, ...);
    int (*vips_jpegsave)(roost_image *, const char *, ...);
    int (*vips_pngsave)(roost_image *, const char *, ...);
    int (*vips_gifsave)(roost_image *, const char *, ...);
} vips;

enum { ACCESS_SEQUENTIAL = 1, FAIL_ON_ERROR = 2, KERNEL_LINEAR = 1, INTERPRETATION_SRGB = 22, FORMAT_UCHAR = 0 };

static const char *problem;

const char *roost_vips_load(void) {
    static int is_loaded;
    if (is_loaded) return problem;
    is_loaded = 1;
    void *library = dlopen("libvips.so.42", RTLD_NOW | RTLD_LOCAL);
    if (!library) return problem = "libvips.so.42 cannot be loaded; install the package libvips42";
#define FIND(name)                                                                                                  \
    if (!(vips.name = (__typeof__(vips.name))dlsym(library, #name)))                                                \
        return problem = "libvips.so.42 has no " #name "; it is too old";
    FIND(vips_init) FIND(vips_block_untrusted_set) FIND(vips_concurrency_set) FIND(vips_cache_set_max)
    FIND(vips_error_buffer) FIND(vips_error_clear) FIND(g_object_unref) FIND(vips_image_get_width)
    FIND(vips_image_get_height) FIND(vips_image_get_orientation) FIND(vips_image_hasalpha)
    FIND(vips_image_copy_memory) FIND(vips_jpegload) FIND(vips_pngload) FIND(vips_gifload) FIND(vips_webpload)
    FIND(vips_extract_area) FIND(vips_resize) FIND(vips_colourspace) FIND(vips_premultiply) FIND(vips_unpremultiply)
    FIND(vips_cast) FIND(vips_autorot) FIND(vips_jpegsave) FIND(vips_pngsave) FIND(vips_gifsave)
#undef FIND
    if (vips.vips_init("roost-thumbs") != 0) return problem = "libvips could not be started";
    vips.vips_block_untrusted_set(1);
    /* One image at a time for each process, and none comes twice. */
    vips.vips_concurrency_set(1);
    vips.vips_cache_set_max(0);
    return NULL;
}

const char *roost_vips_problem(void) {
    return vips.vips_error_buffer ? vips.vips_error_buffer() : "libvips is not loaded";
}

roost_image *roost_vips_open(const char *path, int32_t format, int32_t shrink) {
    roost_image *image = NULL;
    int status = -1;
    vips.vips_error_clear();
    switch (format) {
    case ROOST_IMAGE_JPEG:
        status = vips.vips_jpegload(
            path, &image, "access", ACCESS_SEQUENTIAL, "fail_on", FAIL_ON_ERROR, "shrink", (int)shrink, NULL);
        break;
    case ROOST_IMAGE_PNG:
        status = vips.vips_pngload(path, &image, "access", ACCESS_SEQUENTIAL, "fail_on", FAIL_ON_ERROR, NULL);
        break;
    case ROOST_IMAGE_GIF:
        status = vips.vips_gifload(path, &image, "access", ACCESS_SEQUENTIAL, "fail_on", FAIL_ON_ERROR, NULL);
        break;
    case ROOST_IMAGE_WEBP:
        status = vips.vips_webpload(path, &image, "access", ACCESS_SEQUENTIAL, "fail_on", FAIL_ON_ERROR, NULL);
        break;
    }
    return status == 0 ? image : NULL;
}

void roost_vips_close(roost_image *image) {
    if (image) vips.g_object_unref(image);
}

int32_t roost_vips_width(roost_image *image) { return vips.vips_image_get_width(image); }
int32_t roost_vips_height(roost_image *image) { return vips.vips_image_get_height(image); }
int32_t roost_vips_orientation(roost_image *image) { return vips.vips_image_get_orientation(image); }

roost_image *roost_vips_crop(roost_image *image, int32_t left, int32_t top, int32_t width, int32_t height) {
    roost_image *out = NULL;
    return vips.vips_extract_area(image, &out, left, top, width, height, NULL) == 0 ? out : NULL;
}

/* Lets go of an image that another takes the place of. */
static roost_image *replaced(roost_image *old, int status, roost_image *new) {
    vips.g_object_unref(old);
    return status == 0 ? new : NULL;
}

roost_image *roost_vips_resize(roost_image *image, int32_t width, int32_t height) {
    roost_image *out = NULL, *next = NULL;
    int status;
    if (vips.vips_colourspace(image, &out, INTERPRETATION_SRGB, NULL) != 0) return NULL;
    int has_alpha = vips.vips_image_hasalpha(out);
    if (has_alpha) {
        status = vips.vips_premultiply(out, &next, NULL);
        if (!(out = replaced(out, status, next))) return NULL;
    }
    double across = (double)width / vips.vips_image_get_width(out);
    double down = (double)height / vips.vips_image_get_height(out);
    status = vips.vips_resize(out, &next, across, "vscale", down, "kernel", KERNEL_LINEAR, NULL);
    if (!(out = replaced(out, status, next))) return NULL;
    if (has_alpha) {
        status = vips.vips_unpremultiply(out, &next, NULL);
        if (!(out = replaced(out, status, next))) return NULL;
    }
    status = vips.vips_cast(out, &next, FORMAT_UCHAR, NULL);
    if (!(out = replaced(out, status, next))) return NULL;
    /* Here the pixels are made: turning asks for them in another order than they are decoded in. */
    next = vips.vips_image_copy_memory(out);
    return replaced(out, next ? 0 : -1, next);
}

roost_image *roost_vips_turn(roost_image *image) {
    roost_image *out = NULL;
    return vips.vips_autorot(image, &out, NULL) == 0 ? out : NULL;
}

int32_t roost_vips_save(roost_image *image, const char *path, int32_t format) {
    switch (format) {
    case ROOST_IMAGE_JPEG: return vips.vips_jpegsave(image, path, "Q", 95, "strip", 1, NULL);
    case ROOST_IMAGE_GIF: return vips.vips_gifsave(image, path, "strip", 1, NULL);
    default: return vips.vips_pngsave(image, path, "strip", 1, NULL);
    }
}

void roost_limit_process(int64_t memory) {
    const struct { int resource; rlim_t value; } limits[] = {
        {RLIMIT_DATA, (rlim_t)memory}, {RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 256 << 20}, {RLIMIT_NOFILE, 64}};
    for (size_t index = 0; index < sizeof limits / sizeof *limits; index++) {
        struct rlimit limit = {limits[index].value, limits[index].value};
        setrlimit(limits[index].resource, &limit);
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
