"""The differences between databases: one module for each, with the same functions."""
