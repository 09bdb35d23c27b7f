"""What an index holds of the chain, and whether that is what a fresh index holds."""

import time

from sqlalchemy import select

from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import Release
from registry.index.database import Database, open_database
from registry.index.follower import Follower
from registry.index.schema import COUNTED, FOLDED, cursors, events, heads

DIGEST = b"\5" * 32


def publish(client: ModelRegistryClient, name: str, version: str = "1", **fields) -> bytes:
    release = Release(client.account, name, version, fields.pop("artifact", DIGEST), DIGEST, **fields)
    return client.publish(release).release_id


def tables(database: Database) -> dict[str, list]:
    """Everything that comes from the chain, sorted, without the key that a database happened to give the deployment."""
    unread = ("release_id", "publisher", "block_number", "digest")
    with database.read() as connection:
        found = {
            table.name: sorted(map(tuple, connection.execute(select(*(table.c[name] for name in unread)))))
            for table in COUNTED
        }
        for table in (*FOLDED, events, heads):
            columns = [column for column in table.columns if column.name != "deployment"]
            found[table.name] = sorted(map(tuple, connection.execute(select(*columns))))
        where = connection.execute(select(cursors.c.number, cursors.c.hash, cursors.c.verified)).one()
    return found | {"cursor": [tuple(where)]}


def assert_equals_a_fresh_index(database: Database, registry: ModelRegistryClient, folder) -> None:
    """A fresh one in SQLite, whichever database the other is in: the two keep the same."""
    fresh = open_database(f"sqlite:///{folder / f'fresh-{time.monotonic_ns()}.sqlite'}")
    try:
        Follower(registry, fresh).catch_up()
        assert tables(database) == tables(fresh)
    finally:
        fresh.close()
