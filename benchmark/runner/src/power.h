/* Sensors of power: the battery, by the kernel or by Android's service, and power rails (ODPM).
 *
 * Formats: Documentation/ABI/testing/sysfs-class-power of Linux; onShellCommand and dumpInternal of
 * services/core/java/com/android/server/BatteryService.java of Android; parseEnergyContents of
 * powerstats/dataproviders/IioEnergyMeterDataProvider.cpp and dumpEnergyMeter of the PowerStats
 * service of Pixel phones (hardware/google/pixel). */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { MAX_RAILS = 64 };

typedef struct {
    int has_current;
    int64_t current, voltage, charge; /* as they are reported; negative, except current: unknown */
    size_t rail_count;
    int64_t rails_uws[MAX_RAILS], rails_ms[MAX_RAILS];
} power_state;

/* Finds the battery and the rails in a folder like /sys. With `may_ask`, services are asked about
 * what the kernel does not show to this process, which takes up to some seconds. Must be called
 * before the process is bound to processors. */
void power_start(const char *sysfs, int may_ask);

/* Writes the line about the sensors. */
void power_describe(void);

/* Reads the sensors; services are asked about once a second, without waiting for the answer. */
const power_state *power_read(void);

void power_end(void);
