"""What a benchmark found: the schema of `results.json`, and what follows from it."""
