#include "thermal_status.h"

#include "service.h"

static service thermal;
static int last = -1;

void watch_thermal_status(void) {
    service_start(&thermal, "timeout 4 dumpsys thermalservice | grep -m 1 'Thermal Status:'");
}

int thermal_status(void) {
    int64_t number;
    const char *answer = service_answer(&thermal);
    if (answer != NULL)
        last = service_number(answer, "Thermal Status:", &number) && number >= 0 && number <= 6
                   ? (int)number
                   : -1;
    return last;
}

void stop_watching(void) { service_end(&thermal); }
