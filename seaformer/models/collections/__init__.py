"""Networks of other libraries, named PREFIX:NAME; `collection_table.py` lists the libraries."""
