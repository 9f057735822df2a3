"""Browse the database with Datasette, read-only and on this machine only.

`server`       Datasette on the loopback address. Only this module and those below it here need the extra.
`plugin`       Datasette's hooks: what the templates show beyond Datasette's own pages.
`database`     The database as Datasette uses it: references between tables, and pages of results.
`cells`        Cells of tables: names as links, and values as people write them.
`formatting`   Times, sizes, shares, durations, and charts as SVG.
`columns`      What each column is: its format, and the record that it names.
`parameters`   Parameters of queries: times in ISO 8601, numbers, and ranges of versions.
`ranges`       Whether versions and requirements of packages are in a range.
`description`  Datasette's metadata of tables and views, from the mappings.
`questions`    Prepared queries, by subject.
`comparisons`  Pages that compare two versions of a model, or the registry at two moments.
`templates`    Pages that replace Datasette's own; `static` has their style.
"""
