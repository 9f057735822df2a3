"""Browse the database with Datasette, read-only and on this machine only.

`description`  Datasette's metadata of tables and views, from the mappings.
`queries`      Prepared queries, some with parameters.
`server`       Datasette on the loopback address; only this module needs the extra.
"""
