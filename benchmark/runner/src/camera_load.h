/* The work of an app with a camera preview, beside the network: every frame is converted from
 * YUV 4:2:0 (NV21, as cameras of Android give it) to RGB and resized bilinearly, on one thread. */
#pragma once

#include "plan.h"

/* Allocates a frame of noise of the planned size and everything else, or fails. */
void camera_load_prepare(const planned_load *how);

/* Converts and resizes the frame. */
void camera_load_run(void);
