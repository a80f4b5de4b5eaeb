/*
 * The part of libvips that thumbs need. The library is loaded when it is first asked for, and its functions are declared
 * in cvips.c: its own headers would need 140 packages on every machine that builds Roost.
 *
 * Every function that gives an image gives a new one, or NULL with the reason in roost_vips_problem(). One thread only.
 */
#ifndef ROOST_CVIPS_H
#define ROOST_CVIPS_H

#include <stdint.h>

typedef struct roost_image roost_image;

#define ROOST_IMAGE_JPEG 1
#define ROOST_IMAGE_PNG 2
#define ROOST_IMAGE_GIF 3
#define ROOST_IMAGE_WEBP 4

/* NULL when the library is ready, else a sentence. */
const char *roost_vips_load(void);
const char *roost_vips_problem(void);

/* Opens a file of one format, whatever its name; pixels are decoded as they are asked for, from the top down. `shrink`
 * of 2, 4 or 8 has a JPEG decoded at that part of its size. What is cut off or broken is an error, then or later. */
roost_image *roost_vips_open(const char *path, int32_t format, int32_t shrink);
void roost_vips_close(roost_image *image);

int32_t roost_vips_width(roost_image *image);
int32_t roost_vips_height(roost_image *image);
/* EXIF's, 1 to 8; 1 when there is none. */
int32_t roost_vips_orientation(roost_image *image);

roost_image *roost_vips_crop(roost_image *image, int32_t left, int32_t top, int32_t width, int32_t height);
/* To exactly this size, by a linear filter, with colours weighted by their opacity, as sRGB of 8 bits. */
roost_image *roost_vips_resize(roost_image *image, int32_t width, int32_t height);
/* Turned as EXIF's orientation says. */
roost_image *roost_vips_turn(roost_image *image);
/* Writes a file without any metadata; 0 when it is written. */
int32_t roost_vips_save(roost_image *image, const char *path, int32_t format);

/* Limits what the process can take from here on: memory of its own in bytes, files, core dumps, privileges. */
void roost_limit_process(int64_t memory);

#endif
