"""Results as text: numbers, tables for the terminal, CSV, files for other programs."""
