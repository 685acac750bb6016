"""`--sustain`: models that run for minutes, with the state of the device over time."""
