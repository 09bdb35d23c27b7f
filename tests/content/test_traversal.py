"""What a trustless gateway answers: exactly the blocks that prove what was asked for, in depth-first order."""

import hashlib
from pathlib import Path

import pytest
from artifact_files import every_block, write_artifact
from hypothesis import given
from hypothesis import strategies as st

from registry.artifacts.digest import Artifact
from registry.content import dagpb
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.dagpb import Link, Node
from registry.content.traversal import Below, GetBlock, Scope, Span, blocks_below, parse_span, resolve
from registry.content.unixfs import (
    LEAF_SIZE,
    WIDTH,
    directory_shape,
    document_shape,
    encode_file_data,
    file_root,
)
from registry.errors import BlockNotFound, InvalidDag, InvalidQuery


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return write_artifact(tmp_path_factory.mktemp("artifact") / "artifact")


@pytest.fixture(scope="module")
def blocks(artifact: Artifact) -> dict[str, bytes]:
    return every_block(artifact)


@pytest.fixture
def get_block(blocks: dict[str, bytes]) -> GetBlock:
    return lambda cid: blocks[str(cid)]


def asked(
    get_block: GetBlock, root: Cid, path: str, scope: Scope, span: str | None = None, *, duplicates: bool = False
) -> list[Cid]:
    terminus = resolve(get_block, root, [name for name in path.split("/") if name])
    bounds = None if span is None else parse_span(span)
    return [cid for cid, _ in blocks_below(get_block, terminus, scope, bounds, duplicates=duplicates)]


class TestScope:
    def test_all_is_the_whole_dag_each_block_once_the_root_first(
        self, artifact: Artifact, blocks: dict[str, bytes], get_block: GetBlock
    ) -> None:
        found = asked(get_block, artifact.root, "", Scope.ALL)
        assert found[0] == artifact.root and len(found) == len(set(found))
        assert {str(cid) for cid in found} == set(blocks)

    def test_with_duplicates_a_block_comes_as_often_as_it_is_linked(
        self, artifact: Artifact, get_block: GetBlock
    ) -> None:
        zeros = Cid.of(RAW, bytes(LEAF_SIZE))
        assert asked(get_block, artifact.root, "zeros", Scope.ENTITY).count(zeros) == 1
        assert asked(get_block, artifact.root, "zeros", Scope.ENTITY, duplicates=True).count(zeros) == 2

    def test_a_path_brings_the_blocks_that_prove_it(self, artifact: Artifact, get_block: GetBlock) -> None:
        terminus = resolve(get_block, artifact.root, ["a", "b", "copy.bin"])
        assert [cid for cid, _ in terminus.along] == list(terminus.roots[:-1])
        assert len(terminus.roots) == 4 and terminus.roots[-1] == terminus.cid
        assert asked(get_block, artifact.root, "a/b/copy.bin", Scope.BLOCK) == list(terminus.roots)
        assert len(asked(get_block, artifact.root, "a/b/copy.bin", Scope.ENTITY)) == 4 + 4

    def test_an_entity_is_a_file_whole_and_a_folder_without_what_is_in_it(
        self, artifact: Artifact, get_block: GetBlock
    ) -> None:
        assert asked(get_block, artifact.root, "", Scope.ENTITY) == [artifact.root]
        assert len(asked(get_block, artifact.root, "a", Scope.ENTITY)) == 2
        assert len(asked(get_block, artifact.root, "config.json", Scope.ENTITY)) == 2

    @pytest.mark.parametrize("path", ["nowhere", "config.json/x", "model.bin/x", "a/b/c", ".."])
    def test_what_is_not_there_is_not_found(self, artifact: Artifact, get_block: GetBlock, path: str) -> None:
        with pytest.raises(BlockNotFound, match="There is no"):
            resolve(get_block, artifact.root, path.split("/"))

    def test_a_folder_in_shards(self) -> None:
        names = [f"file-{number:05}" for number in range(6000)]
        leaves = {name: Cid.of(RAW, name.encode()) for name in names}
        shape = directory_shape(((f"d/{name}", len(name), leaves[name]) for name in names), [])
        found = {**shape.nodes, **{cid: name.encode() for name, cid in leaves.items()}}
        below = asked(found.__getitem__, shape.cid, "d/file-04711", Scope.ALL)
        assert below[0] == shape.cid and below[-1] == leaves["file-04711"] and 3 <= len(below) <= 5
        assert set(asked(found.__getitem__, shape.cid, "d", Scope.ENTITY)) == set(shape.nodes)
        assert set(asked(found.__getitem__, shape.cid, "d", Scope.ALL)) == set(found)
        with pytest.raises(BlockNotFound):
            resolve(found.__getitem__, shape.cid, ["d", "file-99999"])

    def test_ten_thousand_levels_take_no_deep_stack(self) -> None:
        found: dict[Cid, bytes] = {}
        cid = Cid.of(RAW, b"x")
        found[cid] = b"x"
        for _ in range(10_000):
            block = dagpb.encode(Node((Link(cid, "d", 1),), b"\x08\x01"))
            cid = Cid.of(DAG_PB, block)
            found[cid] = block
        assert len(asked(found.__getitem__, cid, "", Scope.ALL)) == 10_001

    def test_a_link_to_an_identity_cid_is_refused_so_nothing_can_contain_itself(self) -> None:
        identity = bytes((1, DAG_PB, 0, 4)) + b"\x0a\x02\x08\x01"
        link = b"\x0a" + bytes((len(identity),)) + identity + b"\x12\x01d\x18\x00"
        block = b"\x12" + bytes((len(link),)) + link + b"\x0a\x02\x08\x01"
        cid = Cid.of(DAG_PB, block)
        with pytest.raises(InvalidDag, match="leads nowhere"):
            asked({cid: block}.__getitem__, cid, "", Scope.ALL)


class TestSpan:
    @pytest.mark.parametrize(
        ("span", "leaves"),
        [
            ("0:*", [0, 1, 2, 3]),
            ("0:0", [0]),
            (f"0:{LEAF_SIZE - 1}", [0]),
            (f"0:{LEAF_SIZE}", [0, 1]),
            (f"{LEAF_SIZE}:{LEAF_SIZE}", [1]),
            (f"{2 * LEAF_SIZE + 7}:*", [2, 3]),
            ("-5:*", [3]),
            ("-6:*", [2, 3]),
            (f"-{99 * LEAF_SIZE}:*", [0, 1, 2, 3]),
            (f"{LEAF_SIZE}:-6", [1, 2]),
            ("-7:-6", [2]),
            (f"{3 * LEAF_SIZE + 5}:*", []),
            ("99999999999999:*", []),
        ],
    )
    @pytest.mark.parametrize("scope", [Scope.ENTITY, Scope.ALL])
    def test_the_fewest_blocks_that_prove_the_bytes(
        self, artifact: Artifact, get_block: GetBlock, span: str, leaves: list[int], scope: Scope
    ) -> None:
        file = next(file for file in artifact.dag().files if file.path == "model.bin")
        expected = [artifact.root, file.cid, *(file.leaf(index)[0] for index in leaves)]
        assert asked(get_block, artifact.root, "model.bin", scope, span) == expected

    def test_a_file_of_two_levels_is_entered_where_the_bytes_are(self) -> None:
        leaves = [hashlib.sha256(number.to_bytes(2, "big")).digest() for number in range(2 * WIDTH)]
        shape = file_root(b"".join(leaves), 2 * WIDTH * LEAF_SIZE)
        reads: list[Cid] = []

        def get_block(cid: Cid) -> bytes:
            reads.append(cid)
            return shape.nodes.get(cid, b"a leaf")

        at = (WIDTH + 5) * LEAF_SIZE
        assert asked(get_block, shape.cid, "", Scope.ENTITY, f"{at}:{at}")[-1] == Cid(RAW, leaves[WIDTH + 5])
        assert len(reads) == 3

    def test_the_same_node_at_two_places_is_entered_at_both(self) -> None:
        leaf = bytes(LEAF_SIZE)
        tail = hashlib.sha256(b"tail").digest()
        shape = file_root(hashlib.sha256(leaf).digest() * WIDTH * 2 + tail, 2 * WIDTH * LEAF_SIZE + 1)
        found = {**shape.nodes, Cid.of(RAW, leaf): leaf, Cid(RAW, tail): b"x"}
        span = f"{(WIDTH - 1) * LEAF_SIZE}:{(WIDTH + 1) * LEAF_SIZE}"
        assert set(asked(found.__getitem__, shape.cid, "", Scope.ENTITY, span)) == {
            shape.cid,
            Cid.of(RAW, leaf),
            next(link.cid for link in dagpb.decode(shape.nodes[shape.cid]).links),
        }

    def test_of_a_folder_and_of_a_single_block_it_changes_nothing(
        self, artifact: Artifact, get_block: GetBlock
    ) -> None:
        for path in ("", "a", "leaf"):
            whole = asked(get_block, artifact.root, path, Scope.ALL)
            assert asked(get_block, artifact.root, path, Scope.ALL, "5:6") == whole

    def test_a_node_that_does_not_say_its_sizes_ends_it(self) -> None:
        shape = document_shape(bytes(LEAF_SIZE + 1))
        node = dagpb.decode(shape.nodes[shape.cid])
        block = dagpb.encode(Node(node.links, encode_file_data(LEAF_SIZE + 1, [LEAF_SIZE])))
        cid = Cid.of(DAG_PB, block)
        with pytest.raises(InvalidDag, match="how many bytes"):
            asked({cid: block}.__getitem__, cid, "", Scope.ENTITY, "0:1")

    @given(st.integers(-300, 300), st.integers(-300, 300) | st.none(), st.integers(0, 250))
    def test_within_is_what_python_would_cut_out(self, first: int, last: int | None, size: int) -> None:
        start, end = Span(first, last).within(size)
        behind = size if last is None else last + 1 if last >= 0 else max(0, size + last + 1)
        assert range(size)[start:end] == range(size)[slice(first, behind)]

    @pytest.mark.parametrize(
        "text", ["", "5", "a:b", "1:", ":1", "*:5", "5:4", "-4:-5", "1:2:3", "+1:2", "1_0:20", "²:*"]
    )
    def test_what_is_no_span(self, text: str) -> None:
        with pytest.raises(InvalidQuery):
            parse_span(text)
        with pytest.raises(InvalidQuery):
            parse_span("9" * 30 + ":*")


def test_a_missing_block_ends_it_where_it_is(tmp_path: Path, blocks: dict[str, bytes], artifact: Artifact) -> None:
    file = next(file for file in artifact.dag().files if file.path == "model.bin")
    lacking = {key: block for key, block in blocks.items() if key != str(file.leaf(2)[0])}
    terminus = resolve(lambda cid: lacking[str(cid)], file.cid, [])
    found = blocks_below(lambda cid: lacking[str(cid)], terminus, Scope.ALL)
    assert [next(found)[0] for _ in range(3)] == [file.cid, file.leaf(0)[0], file.leaf(1)[0]]
    with pytest.raises(KeyError):
        next(found)


class TestRepeats:
    """A small DAG that claims to be large costs no more than it is."""

    def read(self, blocks: dict[Cid, bytes], root: Cid, span: Span | None) -> tuple[list[Cid], list[Cid]]:
        """The blocks that are read, and those that are sent."""
        read: list[Cid] = []

        def get_block(cid: Cid) -> bytes:
            read.append(cid)
            return blocks[cid]

        sent = blocks_below(get_block, resolve(get_block, root, []), Scope.ENTITY, span)
        return read, [cid for cid, _ in sent]

    @pytest.mark.parametrize("span", [None, Span(0, None), Span(5, -5), Span(LEAF_SIZE - 1, LEAF_SIZE * 3000)])
    def test_a_file_of_one_leaf_many_times(self, span: Span | None) -> None:
        leaf = bytes(LEAF_SIZE)
        shape = file_root(Cid.of(RAW, leaf).digest * 4096, 4096 * LEAF_SIZE)
        read, sent = self.read({**shape.nodes, Cid.of(RAW, leaf): leaf}, shape.cid, span)
        assert set(sent) == {*shape.nodes, Cid.of(RAW, leaf)} and len(sent) == 3
        assert len(read) <= 5

    @pytest.mark.parametrize("lie", [1, 3])
    @pytest.mark.parametrize("span", [None, Span(0, None), Span(3, -3), Span(-(2**39), 2**39 + 5)])
    def test_nodes_that_link_twice_to_the_one_below(self, span: Span | None, lie: int) -> None:
        cid, size = Cid.of(RAW, b"leaf"), 4
        blocks = {cid: b"leaf"}
        for level in range(40):
            data = encode_file_data(2 * size, [size, size])
            node = dagpb.encode(Node((Link(cid, "", size), Link(cid, "", size)), data))
            cid, size = (
                Cid.of(DAG_PB, node),
                (2 if level % 7 else 2 * lie) * size,
            )  # what is above says more than there is
            blocks[cid] = node
        read, sent = self.read(blocks, cid, span)
        assert len(sent) == len(set(sent)) <= 41
        assert len(read) <= 3 * 41

    def test_a_node_cut_by_the_span_is_entered_again_where_it_is_whole(self) -> None:
        leaves = [Cid.of(RAW, bytes([number])) for number in range(4)]
        blocks = {leaf: bytes([number]) for number, leaf in enumerate(leaves)}
        node = dagpb.encode(Node(tuple(Link(leaf, "", 1) for leaf in leaves), encode_file_data(4, [1] * 4)))
        inner = Cid.of(DAG_PB, node)
        root = dagpb.encode(Node((Link(inner, "", 4), Link(inner, "", 4)), encode_file_data(8, [4, 4])))
        blocks |= {inner: node, Cid.of(DAG_PB, root): root}
        _, sent = self.read(blocks, Cid.of(DAG_PB, root), Span(2, 7))
        assert sent == [Cid.of(DAG_PB, root), inner, leaves[2], leaves[3], leaves[0], leaves[1]]
        _, sent = self.read(blocks, Cid.of(DAG_PB, root), Span(2, 5))
        assert set(sent[2:]) == set(leaves)
        _, sent = self.read(blocks, Cid.of(DAG_PB, root), Span(3, 4))
        assert sent[2:] == [leaves[3], leaves[0]]


class TestNamesThatAreTold:
    """`enter` is told every path to a block, also where the block itself is not sent again."""

    def folders(self, levels: int) -> tuple[Cid, dict[Cid, bytes]]:
        """A folder in which `a` and `b` are one folder, and so on down to a file."""
        leaf = b"what is denied"
        blocks, below, size = {Cid.of(RAW, leaf): leaf}, Cid.of(RAW, leaf), len(leaf)
        for _ in range(levels):
            block = dagpb.encode(Node((Link(below, "a", size), Link(below, "b", size)), b"\x08\x01"))
            below, size = Cid.of(DAG_PB, block), size + 1
            blocks[below] = block
        return below, blocks

    def told(self, levels: int) -> tuple[list[str], list[Cid]]:
        root, blocks = self.folders(levels)
        paths: list[str] = []

        def enter(below: Below) -> None:
            names: list[str] = []
            place: Below | None = below
            while place is not None:
                place, _, name = place
                names.insert(0, name)
            paths.append("/".join(names))

        terminus = resolve(blocks.__getitem__, root, [])
        sent = [cid for cid, _ in blocks_below(blocks.__getitem__, terminus, Scope.ALL, enter=enter)]
        return paths, sent

    def test_a_folder_at_two_places_is_told_at_both_and_sent_once(self) -> None:
        paths, sent = self.told(2)
        assert sorted(paths) == ["a", "a/a", "a/b", "b", "b/a", "b/b"]
        assert len(sent) == len(set(sent)) == 3

    def test_a_dag_that_names_more_than_can_be_told_ends(self) -> None:
        with pytest.raises(InvalidDag, match="repeats"):
            self.told(100)
