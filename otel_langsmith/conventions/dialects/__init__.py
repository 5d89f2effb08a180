"""One module for each dialect of span attributes, and in each one table: a `Convention`."""
