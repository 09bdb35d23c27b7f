"""What is told behind a place: who was away over a reorganisation is told of it, and of all that is there instead."""

from collections.abc import Sequence
from typing import Any

import pytest
from chain_moves import mine, reorganise, rewind

from registry.index import ledger
from registry.index.changes import START, Change, Place, Watched, changes, here, parse_place
from tests.index.conftest import ON_ANVIL
from tests.index.same_index import publish

pytestmark = ON_ANVIL


@pytest.fixture
def told(reader):
    """What is told behind a place of all releases."""

    def changes_behind(place: Place) -> Sequence[Change]:
        with reader.snapshot() as snapshot:
            return changes(snapshot, parse_place(str(place)), Watched())

    return changes_behind


def names(found: Sequence[Change]) -> list[Any]:
    return [change.document.get("name", change.kind) for change in found]


def now(reader) -> Place:
    with reader.snapshot() as snapshot:
        return here(snapshot)


@pytest.mark.parametrize("followed_along", [False, True])
@pytest.mark.parametrize("settled", [False, True])
def test_who_was_away_over_a_reorganisation_is_told_all_that_is_there_since_what_is_still_the_same(
    node, publisher, follower, reader, told, followed_along, settled
):
    publish(publisher, "old")
    kept = node.chain.latest()
    mine(node, 64 if settled else 1)
    publish(publisher, "recent")
    before = [publish(publisher, f"lost-{index}") and node.chain.latest() for index in range(3)]
    follower.catch_up()
    last = told(START)[-1].place
    assert last.block_number == before[-1].number and told(last) == []

    rewind(node, 3)
    publish(publisher, "instead")  # in the place of the first; nothing is recorded in that of the last
    for _ in range(30):
        mine(node)
        if followed_along:
            follower.catch_up()
    follower.catch_up()
    with reader.snapshot() as snapshot:
        assert snapshot.as_of().finalized > last.block_number
    first, *rest = told(last)
    assert first.kind == "reorg" and first.document["lost_block"]["number"] == last.block_number
    assert first.document["after_block"] == (kept.number if settled else 0)
    assert names(rest) == (["recent", "instead"] if settled else ["old", "recent", "instead"])
    assert told(first.place) == rest, "who goes on from there is told no more than that"


def test_a_place_at_the_end_stays_good_however_many_blocks_follow(node, publisher, follower, reader, told, monkeypatch):
    monkeypatch.setattr(ledger, "_RECENT_BLOCKS", 2)
    follower.catch_up()
    start = now(reader)
    publish(publisher, "model")
    mine(node, 3)
    follower.catch_up()
    place = now(reader)
    for _ in range(5):
        mine(node)
        follower.catch_up()
    assert told(place) == [] and names(told(start)) == ["model"]
    publish(publisher, "next")
    follower.catch_up()
    assert names(told(place)) == ["next"]


def test_blocks_without_events_that_are_replaced_concern_nobody(node, publisher, follower, reader, told):
    publish(publisher, "model")
    mine(node, 3)
    follower.catch_up()
    place = now(reader)
    reorganise(node, 3)
    publish(publisher, "next")
    follower.catch_up()
    assert names(told(place)) == ["next"]


def test_a_place_is_the_same_whenever_it_is_told_and_fits_into_a_header(node, publisher, follower, told):
    publish(publisher, "first")
    mine(node, 70)
    publish(publisher, "second")
    follower.catch_up()
    places = [change.place for change in told(START)]
    assert [place.older and place.older[0] for place in places] == [None, places[0].block_number]
    mine(node, 100)
    follower.catch_up()
    assert [change.place for change in told(START)] == places
    longest = Place((1 << 53) - 1, (1 << 31) - 1, b"\xff" * 32, ((1 << 53) - 65, b"\xff" * 8))
    assert len(str(longest)) <= 128 and parse_place(str(longest)) == longest
