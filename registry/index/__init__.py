"""Follows the chain into a database and answers queries from one snapshot of it. Importing it loads neither."""
