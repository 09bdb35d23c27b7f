"""Folders in shards: Kubo's trie, and tries that were made to do harm. Vectors of whole folders are in test_unixfs."""

import contextlib
import functools
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.content import dagpb, hamt
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.dagpb import Link, Node
from registry.content.layout import read_layout
from registry.content.unixfs import directory_root, directory_shape
from registry.errors import InvalidDag, NameCollision, ProvenanceError, UnsafeName

EMPTY = Cid.of(RAW, b"")
COLLIDING = ("weights-00001-of-00002.safetenso", "weights-004ca9c6fNWJ}pUF-m9z ^=:")
ROOM = 1 << 40

names = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=8)


def links(count: int) -> list[Link]:
    """Empty files under long names, so that 2,500 of them are too many for one block, and 2,000 are not."""
    return [Link(EMPTY, f"f{number:05d}{'-' * 70}", 0) for number in range(count)]


def trie(entries: list[Link]) -> tuple[Link, dict[Cid, bytes]]:
    nodes: dict[Cid, bytes] = {}
    return hamt.build(entries, nodes), nodes


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        # MurmurHash3_x64_128 of the reference implementation (smhasher), seed 0, its first 64 bits.
        ("", "0000000000000000"),
        ("hello", "cbd8a7b341bd9b02"),
        ("hello, world", "342fac623a5ebc8e"),
        ("19 Jan 2038 at 3:14:07 AM", "b89e5988b737affc"),
        ("The quick brown fox jumps over the lazy dog.", "cd99481f9ee902c9"),
    ],
)
def test_the_hash_of_a_name(name: str, digest: str) -> None:
    """Vectors of github.com/spaolacci/murmur3, which Kubo uses."""
    assert hamt.hash_name(name).hex() == digest


def test_the_data_of_a_shard_leaves_out_leading_zeros() -> None:
    assert hamt.encode_data([0]).hex() == "0805120101" + "2822308002"
    assert hamt.encode_data([9]).hex() == "080512020200" + "2822308002"
    assert hamt.encode_data(range(256)).hex() == "08051220" + "ff" * 32 + "2822308002"


def entries_of(root: Cid, get_block: Callable[[Cid], bytes]) -> list[Link]:
    pending, found = [(b"", root)], []
    while pending:
        buckets, cid = pending.pop()
        shard = hamt.read(dagpb.decode(get_block(cid)), buckets)
        found += shard.entries
        pending += [(buckets + bytes((bucket,)), below) for bucket, below in shard.shards]
    return found


@settings(deadline=None)
@given(st.sets(names, min_size=2, max_size=700))
def test_reading_gives_what_was_built_in_any_order(found: set[str]) -> None:
    entries = [Link(EMPTY, name, number) for number, name in enumerate(sorted(found))]
    root, nodes = trie(entries)
    assert sorted(entries_of(root.cid, nodes.__getitem__), key=lambda link: link.tsize) == entries
    random.Random(len(found)).shuffle(entries)
    again, _ = trie(entries)
    assert again == root
    assert root.tsize == sum(map(len, nodes.values())) + sum(link.tsize for link in entries)


def test_names_with_one_hash_are_refused() -> None:
    """The hash is no secret: anyone can make such names. IPFS itself fails on them."""
    one, other = COLLIDING
    assert hamt.hash_name(one) == hamt.hash_name(other)
    with pytest.raises(NameCollision, match="same 64-bit hash"):
        directory_root([(name, 0, EMPTY) for name in (one, other, *(link.name for link in links(2500)))], [])
    assert directory_root([(one, 0, EMPTY), (other, 0, EMPTY)], [])


class TestLayout:
    def test_a_folder_in_shards_is_read(self) -> None:
        table = [(f"a/f{number:05d}", number, Cid.of(RAW, bytes(number))) for number in range(5400)]
        shape = directory_shape(table, ["b"])
        layout = read_layout(shape.nodes.__getitem__, shape.cid, ROOM)
        assert sorted((file.path, file.size, file.cid) for file in layout.files) == table
        assert layout.empty_directories == ("b",)

    def test_a_folder_in_shards_that_fits_into_one_block_is_not_the_profile(self) -> None:
        root, nodes = trie(links(2000))
        with pytest.raises(InvalidDag, match="shape of the profile"):
            read_layout(nodes.__getitem__, root.cid, ROOM)

    def test_a_folder_in_one_block_that_is_too_large_is_not_the_profile(self) -> None:
        block = dagpb.encode(Node(tuple(links(2500)), b"\x08\x01"))
        with pytest.raises(InvalidDag, match="shape of the profile"):
            read_layout(lambda cid: block, Cid.of(DAG_PB, block), ROOM)

    @pytest.mark.parametrize("name", ["..", ".", "x/y", "a\\b", "a\0"])
    def test_unsafe_names(self, name: str) -> None:
        root, nodes = trie([*links(2500), Link(EMPTY, name, 0)])
        with pytest.raises(UnsafeName):
            read_layout(nodes.__getitem__, root.cid, ROOM)

    def test_a_folder_in_shards_that_stands_in_many_places(self) -> None:
        root, nodes = trie(links(2500))
        places = tuple(Link(root.cid, f"p{number:02d}", root.tsize) for number in range(20))
        block = dagpb.encode(Node(places, b"\x08\x01"))
        nodes[Cid.of(DAG_PB, block)] = block
        with pytest.raises(InvalidDag, match="repeats its folders"):
            read_layout(nodes.__getitem__, Cid.of(DAG_PB, block), ROOM)

    def test_names_that_collide_in_different_shards(self) -> None:
        root, nodes = trie([*links(2500), Link(EMPTY, links(1)[0].name.upper(), 0)])
        with pytest.raises(NameCollision):
            read_layout(nodes.__getitem__, root.cid, ROOM)


@functools.cache
def _untouched() -> tuple[Link, dict[Cid, bytes]]:
    return trie(links(2500))


class Trie:
    """A trie of 2,500 names whose nodes can be changed, hashed anew up to the root."""

    def __init__(self) -> None:
        self.root, nodes = _untouched()
        self.nodes = dict(nodes)
        self.node = dagpb.decode(self.nodes[self.root.cid])
        self.below = dagpb.decode(self.nodes[self.node.links[0].cid])
        assert len(self.node.links) == 256 and len(self.below.links) > 3

    def put(self, node: Node) -> Cid:
        block = dagpb.encode(node)
        cid = Cid.of(DAG_PB, block)
        self.nodes[cid] = block
        return cid

    def shard(self, *links: Link, data: bytes | None = None) -> Cid:
        """A shard with these links, and the data that belongs to them unless other is given."""
        buckets = (int(link.name[:2], 16) for link in links)
        return self.put(Node(links, hamt.encode_data(buckets) if data is None else data))

    def refused(self, root: Cid, match: str) -> None:
        asked: list[Cid] = []

        def get_block(cid: Cid) -> bytes:
            asked.append(cid)
            return self.nodes[cid]

        with pytest.raises(InvalidDag, match=match):
            read_layout(get_block, root, ROOM)
        assert len(asked) < 600

    def with_below(self, *links: Link, data: bytes | None = None) -> Cid:
        """The root over a first shard with these links."""
        cid = self.shard(*links, data=data)
        return self.shard(replace(self.node.links[0], cid=cid), *self.node.links[1:])


@pytest.fixture
def made() -> Trie:
    return Trie()


class TestHarm:
    def test_untouched_it_is_read(self, made: Trie) -> None:
        again = made.with_below(*made.below.links)
        assert again == made.root.cid
        assert len(read_layout(made.nodes.__getitem__, again, ROOM).files) == 2500

    def test_a_name_in_another_bucket(self, made: Trie) -> None:
        first, second, *rest = made.below.links
        swapped = [
            replace(first, name=first.name[:2] + second.name[2:]),
            replace(second, name=second.name[:2] + first.name[2:]),
        ]
        made.refused(made.with_below(*swapped, *rest), "where its hash does not lead")

    def test_a_shard_in_another_bucket(self, made: Trie) -> None:
        first, second, *rest = made.node.links
        made.refused(made.shard(replace(first, cid=second.cid), replace(second, cid=first.cid), *rest), "does not lead")

    @pytest.mark.parametrize("prefix", ["0", "", "g0", "0x", "-1", " 1", "\uff11\uff11", "\u0661\u0661", "²²"])
    def test_a_link_without_a_bucket(self, made: Trie, prefix: str) -> None:
        first, *rest = made.below.links
        root = made.with_below(replace(first, name=prefix), *rest, data=made.below.data)
        made.refused(root, "does not start with a bucket")

    def test_a_bucket_in_lower_case(self, made: Trie) -> None:
        last = made.node.links[-1]
        made.refused(made.shard(*made.node.links[:-1], replace(last, name="ff")), "does not start with a bucket")

    def test_one_bucket_twice(self, made: Trie) -> None:
        first, *rest = made.below.links
        made.refused(made.with_below(first, first, *rest), "do not ascend")

    def test_buckets_in_another_order(self, made: Trie) -> None:
        made.refused(made.with_below(*made.below.links[::-1]), "do not ascend")
        made.refused(made.shard(*made.node.links[::-1]), "do not ascend")

    def test_one_name_in_two_shards(self, made: Trie) -> None:
        entry = next(link for link in made.below.links if link.name[2:])
        first, second, *rest = made.node.links
        assert hamt.hash_name(entry.name[2:])[0] == 0
        beside = [replace(entry, name=f"{bucket}{entry.name[2:]}") for bucket in ("00", "01")]
        made.refused(made.shard(first, beside[0], second, *rest), "do not ascend")
        made.refused(made.shard(first, beside[1], *rest), "does not lead")

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("2822", "2823"),  # another hash
            ("308002", "308001"),  # a fanout of 128
            ("308002", "308004"),  # of 512
            ("308002", "3010"),
            ("308002", ""),
            ("2822", ""),
            ("2822308002", "3080022822"),  # in another order
            ("0805", "0801"),
            ("1220ff", "12207f"),  # a bit less
            ("1220", "122100"),  # a zero byte in front
            ("2822308002", "282230800238a403"),  # a mode
        ],
    )
    def test_data_that_says_something_else(self, made: Trie, old: str, new: str) -> None:
        data = made.node.data.hex()
        assert old in data
        root = made.shard(*made.node.links, data=bytes.fromhex(data.replace(old, new)))
        with pytest.raises(InvalidDag):
            read_layout(made.nodes.__getitem__, root, ROOM)

    def test_a_shard_below_with_another_fanout(self, made: Trie) -> None:
        data = made.below.data.replace(b"\x30\x80\x02", b"\x30\x80\x04")
        made.refused(made.with_below(*made.below.links, data=data), "another fanout")

    def test_bits_that_no_link_has_and_links_that_no_bit_has(self, made: Trie) -> None:
        made.refused(made.with_below(*made.below.links[1:], data=made.below.data), "another fanout")
        made.refused(made.with_below(*made.below.links, data=hamt.encode_data([1])), "another fanout")

    def test_shards_of_fewer_than_two_entries(self, made: Trie) -> None:
        made.refused(made.with_below(), "less than two")
        made.refused(made.with_below(made.below.links[0]), "less than two")
        made.refused(made.shard(), "less than two")

    def test_a_shard_that_is_no_shard(self, made: Trie) -> None:
        folder = made.put(Node((), b"\x08\x01"))
        for cid in (folder, EMPTY):
            root = made.shard(replace(made.node.links[0], cid=cid), *made.node.links[1:])
            with pytest.raises(InvalidDag):
                read_layout({**made.nodes, EMPTY: b""}.__getitem__, root, ROOM)

    def test_a_wrong_tsize(self, made: Trie) -> None:
        first, *rest = made.node.links
        made.refused(made.shard(replace(first, tsize=first.tsize + 1), *rest), "shape of the profile")

    def test_more_levels_than_a_hash_has_bytes(self, made: Trie) -> None:
        cid = made.shard(*made.below.links)
        for _ in range(30):
            cid = made.shard(Link(cid, "00", 1))
        made.refused(cid, "something else than a shard")

    def test_a_few_shards_that_stand_for_more_than_there_are_atoms(self, made: Trie) -> None:
        cid = made.shard(*made.below.links)
        for _ in range(7):
            cid = made.shard(*(Link(cid, f"{bucket:02X}", 1) for bucket in range(256)))
        made.refused(cid, "does not lead")

    @settings(max_examples=100, deadline=None)
    @given(data=st.data())
    def test_any_flipped_bit_of_any_shard_hashed_anew_is_another_folder_or_refused(self, data: st.DataObject) -> None:
        made = Trie()
        place = data.draw(st.sampled_from([None, *range(256)]))
        block = bytearray(made.nodes[made.root.cid if place is None else made.node.links[place].cid])
        position = data.draw(st.integers(0, len(block) * 8 - 1))
        block[position // 8] ^= 1 << position % 8
        cid = Cid.of(DAG_PB, bytes(block))
        made.nodes[cid] = bytes(block)
        if place is not None:
            below = 0
            with contextlib.suppress(InvalidDag):
                below = sum(link.tsize for link in dagpb.decode(bytes(block)).links)
            changed = list(made.node.links)
            changed[place] = replace(changed[place], cid=cid, tsize=min(len(block) + below, 2**64 - 1))
            cid = made.shard(*changed)
        try:
            layout = read_layout({**made.nodes, EMPTY: b""}.__getitem__, cid, ROOM)
        except (ProvenanceError, KeyError):  # KeyError: a link to a block that is nowhere
            return
        # Another folder, in its one form: an entry has another size or leaf, and the leaf will not be found to have it.
        assert len(layout.files) == 2500
        assert [file.path for file in layout.files if (file.cid, file.size) != (EMPTY, 0)]
