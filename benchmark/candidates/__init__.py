"""Model files to measure, with their inputs and expected outputs."""
