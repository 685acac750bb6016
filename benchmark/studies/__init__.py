"""Studies that export their own models: tables and the two halves of the paper's Figure 1."""
