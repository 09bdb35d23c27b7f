"""The forms that an index has had, one change a file (`make migration NAME=...` begins one). Alembic loads them."""
