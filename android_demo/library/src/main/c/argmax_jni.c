/* JNI bindings of argmax.c for seaformer.library.NativeUpsampling.
 *
 * They compile without jni.h: the JNI specification (chapter 4) fixes the position of every function
 * in its table, and only three of them are used. A test compares the positions with the jni.h of a
 * JDK. */
#include <stdint.h>

#include "argmax.h"

typedef struct jni_functions jni_functions;
typedef const jni_functions *jni;

enum {
    GET_PRIMITIVE_ARRAY_CRITICAL = 222,
    RELEASE_PRIMITIVE_ARRAY_CRITICAL = 223,
    GET_DIRECT_BUFFER_ADDRESS = 230,
    JNI_ABORT = 2 /* release without copying back */
};

struct jni_functions {
    void *before[GET_PRIMITIVE_ARRAY_CRITICAL];
    void *(*get_array)(jni *, void *array, uint8_t *is_copy);
    void (*release_array)(jni *, void *array, void *elements, int32_t mode);
    void *between[GET_DIRECT_BUFFER_ADDRESS - RELEASE_PRIMITIVE_ARRAY_CRITICAL - 1];
    void *(*get_buffer_address)(jni *, void *buffer);
};

enum { NO_MEMORY = -1, ALIGNMENT = 64 };

#define EXPORTED __attribute__((visibility("default")))

static seaformer_upsampling make_spec(int32_t classes, int32_t height, int32_t width,
                                      int32_t mask_height, int32_t mask_width, int32_t type,
                                      int32_t layout) {
    return (seaformer_upsampling){classes, height, width, mask_height, mask_width, type, layout};
}

/* Returns the size of argmax.c's workspace, rounded up to the alignment; 0 if `spec` is invalid. */
static size_t workspace_size(const seaformer_upsampling *spec) {
    const size_t size = seaformer_upsample_argmax_workspace(spec);
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Returns the size in bytes of the direct buffer for `upsample`, or 0 if the arguments are invalid.
 * It holds the workspace of argmax.c and a mask of bytes. */
EXPORTED int64_t Java_seaformer_library_NativeUpsampling_bufferBytes(
    jni *environment, void *class, int32_t classes, int32_t height, int32_t width,
    int32_t mask_height, int32_t mask_width, int32_t type, int32_t layout) {
    (void)environment, (void)class;
    const seaformer_upsampling spec =
        make_spec(classes, height, width, mask_height, mask_width, type, layout);
    const size_t size = workspace_size(&spec);
    return size == 0 ? 0 : (int64_t)(size + ALIGNMENT + (size_t)mask_height * (size_t)mask_width);
}

/* Writes the mask to an array of shorts. `logits` is an array of float or byte. Returns a result of
 * seaformer_upsample_argmax, or NO_MEMORY. */
EXPORTED int32_t Java_seaformer_library_NativeUpsampling_upsample(
    jni *environment, void *class, int32_t classes, int32_t height, int32_t width,
    int32_t mask_height, int32_t mask_width, int32_t type, int32_t layout, void *logits,
    void *mask, void *buffer) {
    (void)class;
    const jni_functions *java = *environment;
    const seaformer_upsampling spec =
        make_spec(classes, height, width, mask_height, mask_width, type, layout);
    const uintptr_t address = (uintptr_t)java->get_buffer_address(environment, buffer);
    char *workspace = (char *)((address + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    const size_t pixels = (size_t)mask_height * (size_t)mask_width;
    const uint8_t *narrow = (uint8_t *)workspace + workspace_size(&spec);
    const int is_narrow = classes <= 256;

    /* The garbage collector may block until the arrays are released, some milliseconds later. */
    void *from = java->get_array(environment, logits, 0);
    uint16_t *to = from ? java->get_array(environment, mask, 0) : 0;
    int32_t status = NO_MEMORY;
    if (to) {
        status = seaformer_upsample_argmax(&spec, from, is_narrow ? (void *)narrow : to, workspace);
        if (status == SEAFORMER_OK && is_narrow)
            for (size_t i = 0; i < pixels; i++) to[i] = narrow[i];
        java->release_array(environment, mask, to, 0);
    }
    if (from) java->release_array(environment, logits, from, JNI_ABORT);
    return status;
}
