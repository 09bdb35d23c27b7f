"""A CAR holds a DAG: what is written is read back, block by block, and nothing that does not hash."""

import contextlib
import io
from pathlib import Path

import pytest
from artifact_files import every_block, write_artifact
from hypothesis import given
from hypothesis import strategies as st
from test_cid import cids

from registry.content.car import ChunkReader, dag_chunks, document_chunks, header, read_car, section
from registry.content.cid import RAW, Cid
from registry.content.unixfs import LEAF_SIZE, document_shape
from registry.errors import BlockMismatch, ContentError, FileChanged


def test_an_artifact_as_a_car_holds_each_block_once(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path / "artifact")
    done: list[int] = []
    root, blocks = read_car(io.BytesIO(b"".join(dag_chunks(artifact.dag(), done.append))))
    found = list(blocks)
    assert root == artifact.root == found[0][0] or root in dict(found)
    assert {str(cid): block for cid, block in found} == every_block(artifact)
    assert sum(done) <= artifact.size


@given(st.binary(max_size=50), st.integers(0, 2))
def test_a_document_as_a_car(data: bytes, leaves: int) -> None:
    data = bytes(leaves * LEAF_SIZE) + data
    root, blocks = read_car(io.BytesIO(b"".join(document_chunks(data))))
    assert root == document_shape(data).cid
    assert root in dict(blocks)


@given(cids)
def test_the_header_names_the_root(root: Cid) -> None:
    assert read_car(io.BytesIO(header(root)))[0] == root


def test_a_header_as_other_implementations_write_it() -> None:
    written = header(Cid.of(RAW, b"hello world"))
    assert written[:16].hex() == "3aa265726f6f747381d82a5825000155"
    assert written.endswith(b"gversion\x01")


@given(st.binary(max_size=100))
def test_any_bytes_are_a_car_or_an_error_of_ours(data: bytes) -> None:
    for prefix in (b"", header(Cid.of(RAW, b""))):
        with contextlib.suppress(ContentError):
            list(read_car(io.BytesIO(prefix + data))[1])


def test_a_block_that_does_not_hash_is_refused() -> None:
    cid = Cid.of(RAW, b"right")
    with pytest.raises(BlockMismatch):
        list(read_car(io.BytesIO(header(cid) + section(cid, b"wrong")))[1])


def test_a_file_that_changed_is_never_sent(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path / "artifact")
    (tmp_path / "artifact/config.json").write_bytes(b"[]")
    with pytest.raises(FileChanged):
        list(dag_chunks(artifact.dag()))


@given(st.lists(st.binary(max_size=20)), st.integers(1, 9))
def test_chunks_as_a_stream_are_the_same_bytes(chunks: list[bytes], size: int) -> None:
    stream = io.BufferedReader(ChunkReader(iter(chunks)), size)
    assert b"".join(iter(lambda: stream.read(size), b"")) == b"".join(chunks)
