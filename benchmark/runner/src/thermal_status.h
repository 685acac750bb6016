/* Android's thermal status, which only a service of the system knows. */
#pragma once

/* Starts a process that asks the service. Must be called before the process is bound to
 * processors, so that asking does not disturb the inferences. */
void watch_thermal_status(void);

/* Returns the last known status; negative if unknown. Asks again about once a second, and does not
 * wait for the answer. */
int thermal_status(void);

/* Ends the process. */
void stop_watching(void);
