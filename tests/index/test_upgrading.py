"""Migrations: they make the tables that the schema says, and bring an older index up to date without the chain."""

import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

from registry.chain.records import Reason, Status
from registry.errors import IndexOutdated
from registry.index import upgrading
from registry.index.database import open_database
from registry.index.follower import Follower
from registry.index.schema import REVISION, metadata, versions
from tests.index.test_follower import publish, tables

LATER = '''
"""A change of what is folded."""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "later", "{before}"
READS_THE_CHAIN_AGAIN = {again}


def upgrade():
    op.drop_table("lineage")
    op.create_table(
        "lineage",
        sa.Column("deployment", sa.Integer(), primary_key=True),
        sa.Column("child", sa.LargeBinary(32), primary_key=True),
        sa.Column("parent", sa.LargeBinary(32), primary_key=True),
        sa.Column("relation", sa.SmallInteger(), primary_key=True),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=True),
    )
    {then}
'''


def later(monkeypatch: pytest.MonkeyPatch, folder: Path, *, again: bool = False, then: str = "") -> None:
    """A version with one migration more."""
    migrations = folder / "migrations"
    if not migrations.exists():
        shutil.copytree(upgrading.MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    source = LATER.format(before=REVISION, again=again, then=then)
    (migrations / "versions" / "later.py").write_text(source)
    monkeypatch.setattr(upgrading, "MIGRATIONS", migrations)
    monkeypatch.setattr(upgrading, "REVISION", "later")
    monkeypatch.setattr("registry.index.database.REVISION", "later")


def test_migrations_make_the_tables_that_the_schema_says(database):
    """What `alembic check` does; and what it does not look at: the order of text."""
    with database.read() as connection:
        options = {"compare_type": True, "render_as_batch": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        made = inspect(connection)
        for table in metadata.sorted_tables:
            columns = {column["name"]: column for column in made.get_columns(table.name)}
            assert list(columns) == [column.name for column in table.columns]
            assert made.get_pk_constraint(table.name)["constrained_columns"] == [
                column.name for column in table.primary_key.columns
            ]
            for column in table.columns:
                assert columns[column.name]["nullable"] == column.nullable
                collation = getattr(columns[column.name]["type"], "collation", None)
                said = getattr(column.type.dialect_impl(connection.dialect), "collation", None)
                assert collation == said, f"{table.name}.{column.name}"


def test_the_schema_names_the_newest_migration(database):
    with database.read() as connection:
        scripts = ScriptDirectory.from_config(upgrading.configuration(connection))
        assert connection.execute(select(versions.c.version_num)).scalars().all() == [REVISION]
    assert scripts.get_heads() == [REVISION]


def test_an_older_index_is_changed_in_place_and_what_is_folded_is_folded_anew(
    publisher, new_index, tmp_path, monkeypatch
):
    url = new_index()
    database = open_database(url)
    publish(publisher, "base")
    publisher.set_status("base", "1", Status.DEPRECATED, Reason.SUPERSEDED)
    Follower(publisher, database).catch_up()
    before = tables(database)
    assert before["releases"] and before["statuses"]
    database.close()

    later(monkeypatch, tmp_path)
    with pytest.raises(IndexOutdated, match="start that first"):
        open_database(url, upgrade=False)
    database = open_database(url)
    assert tables(database) == before
    with database.read() as connection:
        assert "new" in {column["name"] for column in inspect(connection).get_columns("lineage")}
    assert Follower(publisher, database).step() == 0
    database.close()
    open_database(url, upgrade=False).close()


def test_a_migration_that_stops_half_way_leaves_the_index_as_it_was(publisher, new_index, tmp_path, monkeypatch):
    url = new_index()
    database = open_database(url)
    publish(publisher, "base")
    Follower(publisher, database).catch_up()
    before = tables(database)
    database.close()
    with monkeypatch.context() as patch:
        later(patch, tmp_path, then="raise KeyboardInterrupt")
        with pytest.raises(KeyboardInterrupt):
            open_database(url)
    database = open_database(url)
    assert tables(database) == before
    database.close()


def test_an_index_that_lacks_what_only_the_chain_knows_must_be_made_again(new_index, tmp_path, monkeypatch):
    url = new_index()
    open_database(url).close()
    later(monkeypatch, tmp_path, again=True)
    with pytest.raises(IndexOutdated, match="Delete it"):
        open_database(url)
    other = new_index()
    open_database(other).close()  # a new one has every form from the start


def test_a_new_index_is_made_by_those_who_only_read_too(new_index):
    database = open_database(new_index(), upgrade=False)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM events")).scalar() == 0
    database.close()
