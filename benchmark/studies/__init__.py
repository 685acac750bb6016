"""Comparisons that make their own files: tables of the paper and the two halves of its Figure 1."""
