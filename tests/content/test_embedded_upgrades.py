"""An index of the embedded store from an earlier version is read on, and nothing of it is lost."""

import os
import sqlite3
from pathlib import Path

import pytest
from artifact_files import assert_gives_every_block, every_block

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content import places
from registry.content.embedded import EmbeddedStore
from registry.content.unixfs import LEAF_SIZE
from registry.content.upkeep import collect, verify
from registry.errors import (
    StoreUnavailable,
)

OLD_SCHEMA = """
CREATE TABLE leaves (digest BLOB PRIMARY KEY, file BLOB NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE roots (cid BLOB PRIMARY KEY) WITHOUT ROWID;
"""


class TestAnIndexOfVersion1:
    """It knew one place for each leaf, by the digest of a file's root."""

    @pytest.fixture
    def old(self, tmp_path: Path) -> tuple[Artifact, dict[str, bytes], Path]:
        (tmp_path / "artifact").mkdir()
        shared = os.urandom(LEAF_SIZE)
        for number in range(2):
            (tmp_path / f"artifact/{number}").write_bytes(shared + bytes([number]) * LEAF_SIZE + b"end")
        artifact = digest_artifact(tmp_path / "artifact")
        store = tmp_path / "store"
        EmbeddedStore(store).put_dag(artifact.dag())
        (store / "index.sqlite").unlink()
        with sqlite3.connect(store / "index.sqlite") as index:
            index.executescript(OLD_SCHEMA)
            for file in artifact.files:
                for position in range(3):
                    digest = file.leaves[32 * position : 32 * position + 32]
                    index.execute("INSERT OR REPLACE INTO leaves VALUES (?, ?, ?)", (digest, file.cid.digest, position))
            index.execute("INSERT INTO roots VALUES (?)", (artifact.root.to_bytes(),))
        index.close()
        return artifact, every_block(artifact), store

    @pytest.mark.parametrize("missing", ["nothing", "a node"])
    def test_nothing_is_lost(self, old: tuple[Artifact, dict[str, bytes], Path], missing: str) -> None:
        artifact, blocks, folder = old
        store = EmbeddedStore(folder)
        if missing == "a node":  # then the leaves are hashed
            cid = next(file.cid for file in artifact.files)
            store.block_path(cid).unlink()
            store.put_document(blocks[str(cid)])
            store.put_dag(artifact.dag())
        assert_gives_every_block(store, artifact, blocks)
        for file in artifact.files:  # the shared leaf is known in both, so that either can go
            with store.reading() as index:
                assert index is not None
                assert len(index.of_leaf(file.leaves[:32])) == 2

    def test_a_kill_before_its_end_changes_nothing(self, old: tuple[Artifact, dict[str, bytes], Path]) -> None:
        class Killed(EmbeddedStore):
            def file_path(self, file: places.KeptFile) -> Path:
                os._exit(9)  # in the middle: the leaves of a file are looked for

        artifact, blocks, folder = old
        before = (folder / "index.sqlite").read_bytes()
        child = os.fork()
        if not child:
            Killed(folder).has_dag(artifact.root)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        assert (folder / "index.sqlite").read_bytes() == before
        assert_gives_every_block(EmbeddedStore(folder), artifact, blocks)

    def test_a_later_version_is_left_alone(self, old: tuple[Artifact, dict[str, bytes], Path]) -> None:
        artifact, _, folder = old
        with sqlite3.connect(folder / "index.sqlite") as index:
            index.execute(f"PRAGMA user_version = {places.VERSION + 1}")
        index.close()
        with pytest.raises(StoreUnavailable, match="newer"):
            EmbeddedStore(folder).has_dag(artifact.root)


class TestAnIndexOfVersion2:
    """It knew one place for each file."""

    @pytest.mark.parametrize("in_place", [False, True])
    def test_nothing_is_lost(self, artifact: Artifact, tmp_path: Path, in_place: bool) -> None:
        blocks, store = every_block(artifact), EmbeddedStore(tmp_path / "store", in_place=in_place)
        store.put_dag(artifact.dag())
        with sqlite3.connect(store.folder / "index.sqlite") as index:
            index.executescript("""
                ALTER TABLE files RENAME TO now;
                CREATE TABLE files (id INTEGER PRIMARY KEY, cid BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, path BLOB,
                    mtime_ns INTEGER);
                INSERT INTO files SELECT id, cid, size, nullif(path, X''), mtime_ns FROM now JOIN places ON file = id;
                DROP TABLE now;
                DROP TABLE places;
                PRAGMA user_version = 2;
            """)
        index.close()
        assert_gives_every_block(store, artifact, blocks)
        found = verify(store)
        assert not found.damage and (found.files, found.in_place) == ((0, 5) if in_place else (2, 0))
        store.put_dag(artifact.dag())
        assert collect(store).references == 0 and store.has_dag(artifact.root)
