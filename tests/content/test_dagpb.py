"""dag-pb: what is written is read back, and nothing else is read."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cid import cids

from registry.content import dagpb
from registry.content.dagpb import Link, Node, decode, encode
from registry.errors import InvalidDag

sizes = st.integers(0, 2**64 - 1)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
nodes = st.builds(Node, st.lists(st.builds(Link, cids, names, sizes), max_size=5).map(tuple), st.binary(max_size=40))


@given(nodes)
def test_a_block_leads_back_to_its_node(node: Node) -> None:
    assert decode(encode(node)) == node


@given(sizes)
def test_numbers_lead_back(value: int) -> None:
    written = dagpb.varint(value)
    assert dagpb.read_varint(written, 0) == (value, len(written))
    assert dagpb.varint_size(value) == len(written)


@given(st.binary(max_size=200))
def test_any_bytes_are_canonical_or_refused(block: bytes) -> None:
    try:
        node = decode(block)
    except InvalidDag:
        return
    assert encode(node) == block


@given(nodes, st.data())
def test_a_cut_block_is_refused_or_another_canonical_block(node: Node, data: st.DataObject) -> None:
    block = encode(node)
    cut = block[: data.draw(st.integers(0, len(block) - 1))]
    with contextlib.suppress(InvalidDag):
        assert encode(decode(cut)) == cut


@pytest.mark.parametrize(
    "block",
    [
        b"\x0a\x81\x00x",  # a length in two bytes where one would do
        b"\x0a\x00\x0a\x00",  # data twice
        b"\x1a\x00",  # an unknown field
        b"\x0a\x05abc",  # cut off
        b"\x12\x02\x0a\x00",  # a link with an empty CID
        b"\x12\x00",  # a link without one
        b"\xff" * 11,  # an endless number
    ],
)
def test_other_forms_are_refused(block: bytes) -> None:
    with pytest.raises(InvalidDag):
        decode(block)
