/* Known models with known outputs, which check that a library matches the declarations of the
 * runtimes in this program.
 *
 * Both take x, float32 [1, 2, 3, 5]. The .onnx returns y = x + 1.5, the .tflite returns
 * q = round(x / 0.25) - 3 as int8 of scale 0.25 and zero point -3. */
#pragma once

#include "runtime.h"

enum { PROBE_ELEMENTS = 30 };

extern const unsigned char probe_onnx[], probe_onnx_end[];
extern const unsigned char probe_tflite[], probe_tflite_end[];

/* The input of both: 0, 0.25, 0.5, ... */
void probe_input(float to[PROBE_ELEMENTS]);

/* Fails unless a condition on a runtime and a known model holds; `what` names the mismatch. */
void require(int holds, const char *what);

/* Fails unless the model has one input, and one output with this name and type. */
void probe_signature(const model *loaded, const char *output, const char *type);
