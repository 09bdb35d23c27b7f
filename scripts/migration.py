"""Begins a migration: compares the tables of `registry/index/schema.py` with those that the migrations make.

    python scripts/migration.py "what changes"

What it writes is a draft: read it, and say whether an index can be changed in place.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from registry.index.database import Database
from registry.index.engines import make_engine, parse_address
from registry.index.upgrading import MIGRATIONS, configuration

SCHEMA = MIGRATIONS.parent / "schema.py"


def main() -> int:
    """Writes the file, and its number into the schema."""
    if len(sys.argv) != 2 or not sys.argv[1].strip():
        print("Say what changes: make migration NAME='what changes'", file=sys.stderr)
        return 2
    number = f"{len(list((MIGRATIONS / 'versions').glob('r[0-9]*.py'))) + 1:04}"
    with tempfile.TemporaryDirectory() as folder:
        address = parse_address(f"sqlite:///{Path(folder) / 'index.sqlite'}")
        database = Database(make_engine(address), "a new index")
        try:
            with database.write() as connection:
                config = configuration(connection)
                command.upgrade(config, "head")
                command.revision(config, message=sys.argv[1].strip().rstrip("."), autogenerate=True, rev_id=number)
        finally:
            database.close()
    (draft,) = (MIGRATIONS / "versions").glob(f"r{number}_*.py")
    draft.write_text(re.sub(r"\n *# ### .*", "", draft.read_text(encoding="utf-8")), encoding="utf-8")
    for what in (["check", "--fix-only", "--quiet"], ["format", "--quiet"]):
        subprocess.run([Path(sys.executable).with_name("ruff"), *what, MIGRATIONS], check=True)
    source = SCHEMA.read_text(encoding="utf-8")
    SCHEMA.write_text(re.sub(r'^REVISION: Final = ".*"$', f'REVISION: Final = "{number}"', source, flags=re.M), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
