"""DAGs of millions of entries and thousands of levels are refused before they cost much."""

from pathlib import Path

import pytest

from registry.content import dagpb, layout
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.dagpb import Link, Node
from registry.content.reader import fetch_artifact
from registry.errors import (
    InvalidDag,
    ProvenanceError,
    UnsafeName,
)


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    (tmp_path / "parent").mkdir()
    return tmp_path / "parent/fetched"


class TestHugeDags:
    def test_ten_million_entries(self, destination: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(layout, "MAX_ENTRIES", 30_000)  # a million, as it is, takes a minute to read
        leaf = Cid.of(RAW, b"x")
        links = b"".join(_field(dagpb.link_bytes(Link(leaf, f"b{number:05}", 1))) for number in range(10_000))
        found: dict[Cid, bytes] = {leaf: b"x"}
        folders = []
        for number in range(1000):
            first = _field(dagpb.link_bytes(Link(leaf, f"a{number}", 1)))
            block = first + links + b"\x0a\x02\x08\x01"
            found[Cid.of(DAG_PB, block)] = block
            folders.append(Link(Cid.of(DAG_PB, block), f"{number:04}", len(block)))
        root = dagpb.encode(Node(tuple(folders), b"\x08\x01"))
        found[Cid.of(DAG_PB, root)] = root
        self.refused(found, Cid.of(DAG_PB, root), destination, InvalidDag, "more than 30000")

    def test_ten_thousand_levels(self, destination: Path) -> None:
        cid, found = Cid.of(RAW, b"x"), {Cid.of(RAW, b"x"): b"x"}
        for _ in range(10_000):
            block = dagpb.encode(Node((Link(cid, "d", 1),), b"\x08\x01"))
            cid = Cid.of(DAG_PB, block)
            found[cid] = block
        self.refused(found, cid, destination, UnsafeName, "folders deep")

    @staticmethod
    def refused(found: dict[Cid, bytes], root: Cid, destination: Path, error: type[ProvenanceError], why: str) -> None:
        asked = []

        class Source:
            name = "memory"

            def get_block(self, cid: Cid) -> bytes:
                asked.append(cid)
                return found[cid]

        with pytest.raises(error, match=why):
            fetch_artifact([Source()], root, destination)
        assert len(asked) <= 110
        assert not list(destination.parent.iterdir())


def _field(link: bytes) -> bytes:
    return b"\x12" + dagpb.varint(len(link)) + link
