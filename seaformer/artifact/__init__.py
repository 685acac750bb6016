"""The contract of an exported file: its description, formats and precisions."""
