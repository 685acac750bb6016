"""Results as text: terminal tables, CSV, and files for other programs."""
