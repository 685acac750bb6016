/* Android's thermal status, which is available only from a system service. */
#pragma once

/* Starts a process that queries the service. Must be called before this process is bound to
 * processors, so that the queries do not disturb the inferences. */
void watch_thermal_status(void);

/* Returns the last known status; negative if unknown. Queries it about once a second, and does not
 * wait for the reply. */
int thermal_status(void);

/* Ends the process. */
void stop_watching(void);
