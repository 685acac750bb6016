#include "power.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform.h"
#include "report.h"
#include "service.h"
#include "system.h"

enum { PATH_SIZE = 1200, NAME_SIZE = 64, MAX_METERS = 8, MAX_DEVICES = 32 };

static const int64_t limit_ns = 10000000000, highest_ua = 100000000;

static power_state state;
static char battery_folder[PATH_SIZE], refused[PATH_SIZE + 200]; /* empty without one */
static char meters[MAX_METERS][PATH_SIZE]; /* files of rails */
static int meter_count;
static char rail_names[MAX_RAILS][NAME_SIZE];
static service battery_service, rails_service;

/* ---- The battery ----------------------------------------------------------------------------- */

/* Reads a whole number; returns 0 if it is missing or not permitted. */
static int read_number(const char *folder, const char *name, int64_t *number) {
    char path[PATH_SIZE + 64], value[64], *end;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!read_line(path, value, sizeof value)) return 0;
    *number = strtoll(value, &end, 10);
    return end != value;
}

static void find_battery(const char *sysfs) {
    char supplies[PATH_SIZE / 2], folder[PATH_SIZE], path[PATH_SIZE + 64], type[64];
    int64_t current;
    snprintf(supplies, sizeof supplies, "%s/class/power_supply", sysfs);
    DIR *listed = opendir(supplies);
    struct dirent *entry;
    if (listed == NULL) {
        snprintf(refused, sizeof refused, "%s: %s", supplies, strerror(errno));
        return;
    }
    snprintf(refused, sizeof refused, "%s has no battery", supplies);
    while (battery_folder[0] == 0 && (entry = readdir(listed)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        snprintf(folder, sizeof folder, "%s/%s", supplies, entry->d_name);
        snprintf(path, sizeof path, "%s/type", folder);
        if (!read_line(path, type, sizeof type) || strcmp(type, "Battery") != 0) continue;
        errno = 0;
        if (read_number(folder, "current_now", &current)) {
            snprintf(battery_folder, sizeof battery_folder, "%s", folder);
            refused[0] = 0;
        } else
            snprintf(refused, sizeof refused, "%s/current_now: %s", folder,
                     errno ? strerror(errno) : "no number");
    }
    closedir(listed);
}

/* Reads an answer of the battery's service. */
static void take_battery(const char *answer) {
    int64_t number;
    state.has_current = service_number(answer, "current_now:", &number) && number > -highest_ua &&
                        number < highest_ua;
    if (state.has_current) state.current = number;
    state.voltage = service_number(answer, "voltage:", &number) ? number : -1;
    state.charge = service_number(answer, "Charge counter:", &number) ? number : -1;
}

/* ---- Rails ----------------------------------------------------------------------------------- */

static void take_rail(const char *name, size_t length, int64_t uws, int64_t ms) {
    size_t i = 0;
    if (length >= NAME_SIZE) length = NAME_SIZE - 1;
    while (i < state.rail_count &&
           (strlen(rail_names[i]) != length || strncmp(rail_names[i], name, length) != 0))
        i++;
    if (i == MAX_RAILS) return;
    if (i == state.rail_count) {
        memcpy(rail_names[i], name, length);
        rail_names[i][length] = 0;
        state.rail_count++;
    }
    state.rails_uws[i] = uws;
    state.rails_ms[i] = ms;
}

/* Finds the name of a rail: in brackets, or the first word. */
static const char *rail_name(const char *line, size_t *length) {
    const char *open = line + strcspn(line, "[\n");
    if (*open == '[') {
        *length = strcspn(open + 1, "]\n");
        return open + 1;
    }
    const char *first = line + strspn(line, " ");
    *length = strcspn(first, " ,\n");
    return first;
}

/* Reads a file of the kernel: "t=MS", then lines "CH3(T=MS)[NAME], MICROWATTSECONDS"; of older
 * ones: "MS", then "NAME,MICROWATTSECONDS". */
static void take_meter(const char *text) {
    int64_t ms = -1;
    for (const char *line = text; *line != 0;) {
        const char *after = line + strcspn(line, "\n"), *comma = line + strcspn(line, ",\n");
        size_t length;
        if (ms < 0) ms = strtoll(line + (strncmp(line, "t=", 2) == 0 ? 2 : 0), NULL, 10);
        else if (*comma == ',') {
            const char *name = rail_name(line, &length);
            take_rail(name, length, strtoll(comma + 1, NULL, 10), ms);
        }
        line = after + (*after == '\n');
    }
}

/* Reads the answer of the service: lines "[NAME]:SUBSYSTEM    MILLIWATTSECONDS mWs". */
static void take_rails(const char *answer) {
    const int64_t ms = clock_ns() / 1000000;
    for (const char *line = answer; *line != 0;) {
        const char *after = line + strcspn(line, "\n"), *unit = strstr(line, " mWs");
        if (unit != NULL && unit < after) {
            const char *number = unit;
            size_t length;
            while (number > line && number[-1] != ' ') number--;
            const char *name = rail_name(line, &length);
            take_rail(name, length, (int64_t)(1e3 * strtod(number, NULL) + 0.5), ms);
        }
        line = after + (*after == '\n');
    }
}

static void read_meters(void) {
    char text[1 << 12];
    for (int i = 0; i < meter_count; i++)
        if (read_small(meters[i], text, sizeof text)) take_meter(text);
}

static void find_meters(const char *sysfs) {
    char text[1 << 12];
    for (int device = 0; device < MAX_DEVICES && meter_count < MAX_METERS; device++) {
        char *path = meters[meter_count];
        snprintf(path, PATH_SIZE, "%s/bus/iio/devices/iio:device%d/energy_value", sysfs, device);
        meter_count += read_small(path, text, sizeof text);
    }
    read_meters();
}

/* ---- All ------------------------------------------------------------------------------------- */

void power_start(const char *sysfs, int may_ask) {
    const char *answer;
    state = (power_state){.voltage = -1, .charge = -1};
    find_battery(sysfs);
    find_meters(sysfs);
    if (!may_ask) return;
    if (battery_folder[0] == 0) {
        service_start(&battery_service,
                      "echo \"current_now: $(timeout 4 cmd battery get -f current_now)\"; "
                      "timeout 4 dumpsys battery");
        answer = service_first_answer(&battery_service, limit_ns);
        if (answer != NULL) take_battery(answer);
        if (!state.has_current && state.charge < 0) service_end(&battery_service);
    }
    if (state.rail_count == 0) {
        service_start(&rails_service,
                      "timeout 4 dumpsys android.hardware.power.stats.IPowerStats/default"
                      " | sed -n '/energy meter/,/End of/p'");
        answer = service_first_answer(&rails_service, limit_ns);
        if (answer != NULL) take_rails(answer);
        if (state.rail_count == 0) service_end(&rails_service);
    }
}

void power_describe(void) {
    char *names[MAX_RAILS];
    for (size_t i = 0; i < state.rail_count; i++) names[i] = rail_names[i];
    line_begin("sensors");
    if (battery_folder[0] != 0) line_text("battery", "kernel");
    else if (battery_service.is_started) line_text("battery", "service");
    else line_null("battery");
    if (refused[0] != 0) line_text("refused", refused);
    else line_null("refused");
    if (state.rail_count == 0) line_null("rails_from");
    else line_text("rails_from", meter_count > 0 ? "kernel" : "service");
    line_texts("rails", names, state.rail_count);
    line_end();
}

const power_state *power_read(void) {
    const char *answer;
    if (battery_folder[0] != 0) {
        state.has_current = read_number(battery_folder, "current_now", &state.current);
        if (!read_number(battery_folder, "voltage_now", &state.voltage)) state.voltage = -1;
    } else if ((answer = service_answer(&battery_service)) != NULL) take_battery(answer);
    if (meter_count > 0) read_meters();
    else if ((answer = service_answer(&rails_service)) != NULL) take_rails(answer);
    return &state;
}

void power_end(void) {
    service_end(&battery_service);
    service_end(&rails_service);
}
