"""What differs by database: one module for each, with the same functions."""
