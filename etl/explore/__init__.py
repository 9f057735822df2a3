"""The database in a browser, by Datasette: to look at, on this machine alone.

description  what Datasette is told of tables and views, from what the mappings say of themselves
queries      questions that are asked often, some with a parameter
server       Datasette on the loopback address, until it is stopped; it alone needs the extra
"""
