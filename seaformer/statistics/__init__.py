"""Statistics: summaries, ratios and bootstrap intervals of measurements."""
