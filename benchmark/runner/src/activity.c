#include "activity.h"

#include <stdlib.h>

#include "power.h"
#include "report.h"
#include "system.h"
#include "thermal_status.h"

/* The time between two readings of the sensors, and the inferences that ended in it. */
typedef struct {
    int64_t index, cycle, started_ns, missed;
    int is_idle;
    size_t count, capacity;
    int64_t *durations;
} span;

static void add_run(span *s, int64_t duration_ns) {
    if (s->count == s->capacity) {
        s->capacity = 2 * s->capacity + 64;
        s->durations = realloc(s->durations, s->capacity * sizeof *s->durations);
        if (s->durations == NULL) fail(STATUS_NO_MODEL, "out of memory");
    }
    s->durations[s->count++] = duration_ns;
}

/* Writes the span that ends now, and starts the next one. */
static void write_span(span *s, const planned_model *of) {
    const int64_t ended_ns = clock_ns();
    const power_state *power = power_read();
    line_begin("span");
    line_text("model", of->id);
    line_integer("index", s->index++);
    line_integer("cycle", s->cycle);
    line_flag("is_idle", s->is_idle);
    line_integer("started_ns", s->started_ns);
    line_integer("ended_ns", ended_ns);
    line_integer("asleep_ns", asleep_ns());
    line_integers("durations_ns", s->durations, s->count);
    line_integer("missed_frames", s->missed);
    line_count("frequency_khz", frequency_khz(current_cpu()));
    line_real("temperature_c", temperature_c(), 3);
    line_count("thermal_status", thermal_status());
    if (power->has_current) line_integer("battery_current", power->current);
    else line_null("battery_current");
    line_count("battery_voltage", power->voltage);
    line_count("battery_charge", power->charge);
    line_integers("rails_uws", power->rails_uws, power->rail_count);
    line_integers("rails_ms", power->rails_ms, power->rail_count);
    line_end();
    s->count = 0;
    s->missed = 0;
    s->started_ns = clock_ns();
}

static void idle(span *s, const planned_activity *how, const planned_model *of) {
    const int64_t end_ns = clock_ns() + how->idle_ns;
    s->is_idle = 1;
    s->started_ns = clock_ns();
    while (s->started_ns < end_ns) {
        const int64_t next_ns = s->started_ns + how->sample_ns;
        sleep_until(next_ns < end_ns ? next_ns : end_ns);
        write_span(s, of);
    }
}

/* Waits for the next frame. Of several frames that arrived during an inference, only the newest is
 * processed. Returns 0 if none arrives before the end. */
static int wait_for_frame(span *s, int64_t begin_ns, int64_t end_ns, int64_t period_ns,
                          int64_t *next) {
    const int64_t newest = (clock_ns() - begin_ns) / period_ns;
    if (newest > *next) {
        s->missed += newest - *next;
        *next = newest;
    }
    const int64_t arrives_ns = begin_ns + *next * period_ns;
    if (arrives_ns >= end_ns) return 0;
    sleep_until(arrives_ns);
    (*next)++;
    return 1;
}

static void work(span *s, const planned_activity *how, const planned_model *of, model *loaded,
                 const runtime *with) {
    const int64_t begin_ns = clock_ns(), end_ns = begin_ns + how->active_ns;
    int64_t frame = 0, now_ns = begin_ns;
    s->is_idle = 0;
    s->started_ns = begin_ns;
    while (now_ns < end_ns) {
        if (how->frame_ns > 0 && !wait_for_frame(s, begin_ns, end_ns, how->frame_ns, &frame)) break;
        const int64_t start_ns = clock_ns();
        with->run(loaded);
        now_ns = clock_ns();
        add_run(s, now_ns - start_ns);
        current_cpu();
        if (now_ns - s->started_ns >= how->sample_ns) write_span(s, of);
    }
    if (s->count > 0) write_span(s, of);
}

void run_activity(const plan *planned, const planned_model *of, model *loaded,
                  const runtime *with) {
    const planned_activity *how = &planned->activity;
    span s = {0};
    power_describe();
    for (s.cycle = 0; s.cycle < how->cycles; s.cycle++) {
        if (how->idle_ns > 0) idle(&s, how, of);
        work(&s, how, of, loaded, with);
    }
    free(s.durations);
}
