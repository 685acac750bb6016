"""Networks of other libraries, named PREFIX:NAME; the table of them is in `collection_table.py`."""
