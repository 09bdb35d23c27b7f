"""Makes the tables of a new index, and brings an older one to the form of this version, by Alembic's migrations.

All of it is one transaction of the caller's: whoever is killed half-way leaves what was there before.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, inspect, select

from registry.chain.records import Deployment
from registry.errors import IndexOutdated
from registry.index.ledger import rebuild_fold
from registry.index.manifest_facts import keep_facts_again
from registry.index.schema import REVISION, deployments, versions
from registry.index.stored import stored_contracts

MIGRATIONS: Final = Path(__file__).resolve().parent / "migrations"
_BEFORE_MIGRATIONS: Final = "meta"
"""A table that every index had before there were migrations."""


def configuration(connection: Connection) -> Config:
    """Alembic's, for one connection, whose transaction it takes part in."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("file_template", "r%%(rev)s_%%(slug)s")
    return config


def bring_up_to_date(connection: Connection, name: str, *, upgrade: bool) -> None:
    """Make the tables of a new index, or change those of an older one (`upgrade` False: refuse to).

    An index is changed in place when no migration that it lacks asks for the chain to be read again; what is folded
    from the events is folded anew, and what is kept of manifests is taken from the documents again. Raises
    `IndexOutdated` for any other. `name` is the index's, for people.
    """
    config = configuration(connection)
    tables = inspect(connection)
    if not tables.has_table(versions.name):
        if tables.has_table(_BEFORE_MIGRATIONS):
            raise _outdated(name, None)
        command.upgrade(config, REVISION)
        return
    found = connection.execute(select(versions.c.version_num)).scalar()
    if found == REVISION:  # another was faster
        return
    lacking = _lacking(ScriptDirectory.from_config(config), found)
    if lacking is None or any(script.module.READS_THE_CHAIN_AGAIN for script in lacking):
        raise _outdated(name, found)
    if not upgrade:
        raise IndexOutdated(
            f"The index {name} has the form {found}, and this version reads the form {REVISION}. What follows the "
            "chain brings it up to date: start that first, with this version.",
            found=found,
            expected=REVISION,
        )
    command.upgrade(config, REVISION)
    for row in connection.execute(select(deployments)).all():
        keep_facts_again(connection, row.id)
        contracts = stored_contracts(connection, Deployment(row.chain_id, row.model_registry), row.id)
        if contracts.addresses:  # else it has not read any block
            rebuild_fold(connection, contracts, row.id)


def _lacking(scripts: ScriptDirectory, found: str | None) -> Sequence[Script] | None:
    """The migrations after the one that was found, None for one that this version does not know: a newer one's."""
    try:
        return list(scripts.iterate_revisions(REVISION, found))
    except RevisionError:
        return None


def _outdated(name: str, found: str | None) -> IndexOutdated:
    form = "an older form" if found is None else f"the form {found}"
    return IndexOutdated(
        f"The index {name} has {form}, and this version reads the form {REVISION}. Delete it: it is made again from "
        "the chain.",
        found=found,
        expected=REVISION,
    )
