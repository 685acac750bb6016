"""HTML pages: one layout, one theme, one way to write them."""
