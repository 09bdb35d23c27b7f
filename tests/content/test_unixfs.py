"""The shape of files and folders is that of the profile unixfs-v1-2025, as a real Kubo makes it."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import KUBO_TREES, VECTORS, table, zero_leaves

from registry.content import dagpb, unixfs
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.names import check_name, check_path, collision_key
from registry.content.unixfs import (
    DIRECTORY_LIMIT,
    LEAF_SIZE,
    SHARDED_DIRECTORY,
    decode_data,
    directory_root,
    directory_shape,
    document_shape,
    encode_file_data,
    file_root,
    file_tsize,
)
from registry.errors import DirectoryTooLarge, InvalidDag, NameCollision, UnsafeName

EMPTY = Cid.of(RAW, b"")


@pytest.mark.parametrize("vector", KUBO_TREES, ids=lambda vector: vector["title"])
def test_vectors_of_a_real_kubo(vector: dict[str, Any]) -> None:
    files, empty = table(vector["tree"])
    assert str(directory_root(files, empty)) == vector["cid"]


def test_vectors_of_the_profile() -> None:
    vectors = json.loads((VECTORS / "unixfs-v1-2025.json").read_text())
    assert [str(directory_root([], []))] == [vector["cid"] for vector in vectors["directories"]]
    assert vectors["profile"]["hamt_threshold_block_bytes"] == DIRECTORY_LIMIT
    assert vectors["profile"]["chunk"] == LEAF_SIZE


def test_a_folder_of_exactly_the_limit_stays_one_block_and_a_byte_more_does_not() -> None:
    # A link with a name of n <= 85 bytes to an empty file takes 44 + n bytes of the block, and the folder itself 4.
    files = [(f"{i:056d}", 0, EMPTY) for i in range(2620)] + [("y" * 26, 0, EMPTY)]
    assert DIRECTORY_LIMIT == 4 + 2620 * 100 + 2 * 70
    whole = directory_shape([*files, ("z" * 26, 0, EMPTY)], [])
    assert [len(block) for block in whole.nodes.values()] == [DIRECTORY_LIMIT]
    sharded = directory_shape([*files, ("z" * 27, 0, EMPTY)], [])
    assert len(sharded.nodes) > 256
    assert decode_data(dagpb.decode(sharded.nodes[sharded.cid]).data).type == SHARDED_DIRECTORY


def test_an_artifact_has_a_bounded_number_of_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unixfs, "MAX_ENTRIES", 10)
    files = [(f"a/f{i}", 0, EMPTY) for i in range(8)]
    directory_root(files, ["b"])
    for table_of_files, empty in (([*files, ("g", 0, EMPTY)], ["b"]), (files, ["b", "c"]), (files, ["b/c"])):
        with pytest.raises(DirectoryTooLarge, match="has 11"):
            directory_root(table_of_files, empty)


@given(st.integers(0, 2**33))
def test_the_tsize_follows_from_the_size(size: int) -> None:
    shape = file_root(zero_leaves(size), size)
    assert shape.tsize == file_tsize(size)


@pytest.mark.parametrize("size", [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**40 + 2**20 + 1, 2**50])
def test_the_tsize_of_any_size_is_found_at_once(size: int) -> None:
    assert file_tsize(size) >= size


@given(st.integers(0, 2**32))
def test_a_file_tells_its_size_and_its_leaves(size: int) -> None:
    shape = file_root(zero_leaves(size), size)
    if shape.cid.codec == RAW:
        assert size <= LEAF_SIZE
        return
    node = dagpb.decode(shape.nodes[shape.cid])
    data = decode_data(node.data)
    assert data.size == size == sum(data.block_sizes)
    assert shape.tsize == len(shape.nodes[shape.cid]) + sum(link.tsize for link in node.links)


def test_leaves_that_are_not_those_of_the_size_are_refused() -> None:
    with pytest.raises(InvalidDag):
        file_root(bytes(64), LEAF_SIZE)
    with pytest.raises(InvalidDag):
        file_root(b"", 0)


@given(st.binary(max_size=100), st.integers(0, 3))
def test_a_document_is_a_file(data: bytes, leaves: int) -> None:
    data = data + bytes(leaves * LEAF_SIZE)
    digests = b"".join(
        hashlib.sha256(data[start : start + LEAF_SIZE]).digest() for start in range(0, max(1, len(data)), LEAF_SIZE)
    )
    assert document_shape(data).cid == file_root(digests, len(data)).cid


@pytest.mark.parametrize(
    ("files", "empty"),
    [
        (["a", "a"], []),
        (["a", "a/b"], []),
        (["a/b"], ["a"]),
        (["a"], ["a"]),
        ([], ["a", "a"]),
        ([], ["a", "a/b"]),
        (["A", "a"], []),
        (["x/\u00e9"], ["x/e\u0301"]),  # composed and decomposed
        (["straße", "STRASSE"], []),
        (["a/x", "A/y"], []),
    ],
)
def test_what_would_be_one_name_is_refused(files: list[str], empty: list[str]) -> None:
    for table_of_files in (files, files[::-1]):
        with pytest.raises(NameCollision):
            directory_root([(path, 0, EMPTY) for path in table_of_files], empty)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/a",
        "a/",
        "a//b",
        "a/../b",
        "./a",
        "../a",
        "a\0",
        "a\\b",
        "\udcff",
        "x" * 256,
        "/".join("a" * 101),
    ],
)
def test_unsafe_paths_are_refused(path: str) -> None:
    with pytest.raises(UnsafeName):
        check_path(path)
    with pytest.raises(UnsafeName):
        directory_root([(path, 0, EMPTY)], [])
    with pytest.raises(UnsafeName):
        directory_root([], [path])


@pytest.mark.parametrize("name", [".hidden", "...", "a b", "模型", "-rf", "CON", "a:b", "x" * 255])
def test_unusual_names_are_safe(name: str) -> None:
    check_name(name)


def test_a_size_that_cannot_have_its_cid_is_refused() -> None:
    with pytest.raises(InvalidDag):
        directory_root([("a", LEAF_SIZE + 1, EMPTY)], [])
    with pytest.raises(InvalidDag):
        directory_root([("a", 1, Cid(DAG_PB, bytes(32)))], [])


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=10))
def test_case_never_tells_names_apart(name: str) -> None:
    assert collision_key(name.casefold()) == collision_key(name)


@pytest.mark.parametrize("leaves", [1, 2, 1023, 1024, 1025, 2**11, 2**12, 2**20 - 1, 2**20, 2**20 + 1])
@pytest.mark.parametrize("rest", [-1, 0, 1])
def test_trees_of_up_to_1_tib_link_by_link(leaves: int, rest: int) -> None:
    """Against the shape written out plainly: balanced, 1024 wide. All leaves are zeros, so most nodes are the same."""
    size = leaves * LEAF_SIZE + rest
    shape = file_root(zero_leaves(size), size)
    rest_of_last = (size - 1) % LEAF_SIZE + 1
    last = Cid.of(RAW, bytes(rest_of_last))
    whole, last_link = (Cid.of(RAW, bytes(LEAF_SIZE)), LEAF_SIZE, LEAF_SIZE), (last, rest_of_last, rest_of_last)
    count = -(-size // LEAF_SIZE)
    while count > 1:
        full, odd = divmod(count - 1, 1024)
        if full:
            whole_above = plain_node([whole] * 1024)
        last_link = plain_node([whole] * odd + [last_link])
        count = full + 1
        if full:
            whole = whole_above
    assert shape.cid == last_link[0]
    assert (shape.size, shape.tsize) == (size, last_link[2]) == (last_link[1], file_tsize(size))


def plain_node(children: list[tuple[Cid, int, int]]) -> tuple[Cid, int, int]:
    """A node over children (CID, size, Tsize), by the codec."""
    links = tuple(dagpb.Link(cid, "", tsize) for cid, _, tsize in children)
    data = encode_file_data(sum(size for _, size, _ in children), [size for _, size, _ in children])
    block = dagpb.encode(dagpb.Node(links, data))
    return Cid.of(DAG_PB, block), sum(size for _, size, _ in children), len(block) + sum(t for _, _, t in children)
