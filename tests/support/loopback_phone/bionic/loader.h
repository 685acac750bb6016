/* Loads ELF files that were built for Android's C library (bionic) into a process of glibc. */
#ifndef LOOPBACK_PHONE_LOADER_H
#define LOOPBACK_PHONE_LOADER_H

#include <link.h>
#include <stddef.h>
#include <stdint.h>

struct image;

/* Maps, relocates and initialises a file. NULL, and a message in loader_error, if it is not one
 * that Android would load. */
struct image *load(const char *path);
/* Address of a defined symbol, or NULL. */
void *image_symbol(const struct image *image, const char *name);
/* As dl_iterate_phdr, over what was loaded here, then over glibc's own. */
int for_each_image(int (*visit)(struct dl_phdr_info *, size_t, void *), void *data);
/* Whether a handle is one of ours. */
int is_image(const void *handle);

extern char loader_error[512];

/* The function of glibc, or the one of bionic.c that stands for bionic's; NULL if there is none. */
void *library_function(const char *name);

#endif
