"""Results of a benchmark: the schema of `results.json`, and values derived from it."""
