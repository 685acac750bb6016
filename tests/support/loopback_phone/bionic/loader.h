/* Loads ELF files that were built for Android's C library (bionic) into a glibc process. */
#ifndef LOOPBACK_PHONE_LOADER_H
#define LOOPBACK_PHONE_LOADER_H

#include <link.h>
#include <stddef.h>
#include <stdint.h>

struct image;

/* Maps, relocates and initializes a file. Returns NULL, with a message in loader_error, if Android
 * would not load it. */
struct image *load(const char *path);
/* Address of a defined symbol, or NULL. */
void *image_symbol(const struct image *image, const char *name);
/* Like dl_iterate_phdr, first over the files loaded here, then over glibc's own. */
int for_each_image(int (*visit)(struct dl_phdr_info *, size_t, void *), void *data);
/* Whether a handle belongs to a file loaded here. */
int is_image(const void *handle);

extern char loader_error[512];

/* The function of bionic.c that replaces bionic's, else glibc's; NULL if neither exists. */
void *library_function(const char *name);

#endif
