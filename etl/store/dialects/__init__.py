"""The differences between databases: one subclass of `DatabaseDialect` for each."""
