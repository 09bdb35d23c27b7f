"""Forms that others read: what is written here is theirs, and held against their own tools in tests."""
