"""HTML reports: one layout, one theme, one writer."""
