/* Models whose answers are known, to find out whether a library is what it is taken for: what this
 * program declares of the runtimes is checked with them before anything is believed.
 *
 * Both take x, float32 [1, 2, 3, 5]. The .onnx gives y = x + 1.5, the .tflite gives
 * q = round(x / 0.25) - 3 as int8 of scale 0.25 and zero point -3. */
#pragma once

#include "runtime.h"

enum { PROBE_ELEMENTS = 30 };

extern const unsigned char probe_onnx[], probe_onnx_end[];
extern const unsigned char probe_tflite[], probe_tflite_end[];

/* The input of both: 0, 0.25, 0.5, ... */
void probe_input(float to[PROBE_ELEMENTS]);

/* Fails, saying what is not as it should be, unless that holds of a runtime and a known model. */
void require(int holds, const char *what);

/* Fails unless the model looks as it should: one input, one output of this name and type. */
void probe_signature(const model *loaded, const char *output, const char *type);
