"""Attacks on the order of claims: copied transactions, stolen reservations, and the times around them."""

import pytest
from eth_utils import keccak

from attacks.world import DAY, ZERO, refuses, release

BYTES = keccak(text="the bytes")
SALT = keccak(text="32 random bytes")


@pytest.fixture
def reserve(world):
    def send(account, artifact=BYTES, salt=SALT, by=None):
        commitment = bytes(world.models.reservationOf(account.address, artifact, salt))
        world.models.reserve(commitment, by=by or account)
        return commitment

    return send


def first(world):
    publisher, seq, since = world.models.firstClaim(BYTES)
    return publisher, seq, since


def test_a_copied_pending_publish_is_a_claim_of_its_own(world, node, alice, mallory):
    """Mallory sees it in the pool and goes first: the names are apart, and the order is all that is lost."""
    copied = world.models.data("publish", release(mallory, artifact=BYTES), ZERO)
    pending = world.models.data("publish", release(alice, artifact=BYTES), ZERO)
    verbatim = node.send_together(
        (mallory.address, world.models.address, pending),  # as it was: not mallory's to send
        (mallory.address, world.models.address, copied),
        (alice.address, world.models.address, pending),
    )
    assert [receipt["status"] for receipt in verbatim] == ["0x0", "0x1", "0x1"]
    assert first(world) == (mallory.address.lower(), 0, node.now)  # why there are reservations


def test_a_copied_pending_publish_wins_nothing_against_a_reservation(world, node, alice, mallory, reserve):
    reserve(alice)
    since = node.now
    node.sleep(12)
    pending = world.models.data("publish", release(alice, artifact=BYTES), SALT)
    copied = world.models.data("publish", release(mallory, artifact=BYTES), ZERO)
    receipts = node.send_together(
        (mallory.address, world.models.address, copied), (alice.address, world.models.address, pending)
    )
    assert [receipt["status"] for receipt in receipts] == ["0x1", "0x1"]
    assert first(world) == (alice.address.lower(), 1, since)


def test_a_front_run_reveal(world, node, alice, mallory, reserve):
    """The salt is public once the reveal is pending, and opens nothing for anybody else."""
    commitment = reserve(alice)
    node.sleep(12)
    theirs = bytes(world.models.reservationOf(mallory.address, BYTES, SALT))
    assert theirs != commitment
    with refuses("UnknownReservation", theirs):
        world.publish(mallory, artifact=BYTES, salt=SALT)
    # Reserving with the salt just seen is too late: it counts from the next timestamp, and later than alice's.
    receipts = node.send_together(
        (mallory.address, world.models.address, world.models.data("reserve", theirs)),
        (mallory.address, world.models.address, world.models.data("publish", release(mallory, artifact=BYTES), SALT)),
        (alice.address, world.models.address, world.models.data("publish", release(alice, artifact=BYTES), SALT)),
    )
    assert [receipt["status"] for receipt in receipts] == ["0x1", "0x0", "0x1"]
    node.sleep(12)
    world.publish(mallory, artifact=BYTES, salt=SALT)
    assert first(world)[0] == alice.address.lower()


def test_a_front_run_reserve(world, node, alice, mallory, reserve):
    """The commitment is public; that somebody else sends it earlier serves whom it is for."""
    reserve(alice, by=mallory)
    since = node.now
    node.sleep(12)
    reserve(alice)
    node.sleep(12)
    world.publish(alice, artifact=BYTES, salt=SALT)
    assert first(world) == (alice.address.lower(), 0, since)


def test_a_reservation_is_of_one_artifact(world, node, alice, reserve):
    reserve(alice, artifact=keccak(text="other bytes"))
    node.sleep(12)
    with refuses("UnknownReservation"):
        world.publish(alice, artifact=BYTES, salt=SALT)


def test_a_reservation_of_the_zero_salt_is_none(world, node, alice, reserve):
    reserve(alice, salt=ZERO)
    node.sleep(12)
    record = world.publish(alice, artifact=BYTES)
    assert record[3] == record[1] == node.now


def test_a_reservation_revealed_in_its_own_timestamp(world, node, alice, reserve):
    """Otherwise who sees a publish could reserve and publish ahead of it within the block."""
    commitment = bytes(world.models.reservationOf(alice.address, BYTES, SALT))
    publish = world.models.data("publish", release(alice, artifact=BYTES), SALT)
    receipts = node.send_together(
        (alice.address, world.models.address, world.models.data("reserve", commitment)),
        (alice.address, world.models.address, publish),
    )
    assert [receipt["status"] for receipt in receipts] == ["0x1", "0x0"]
    with refuses("ReservationTooNew", commitment):  # a block later, in the same second
        world.models.publish(release(alice, artifact=BYTES), SALT, by=alice)
    node.sleep(1)
    world.models.publish(release(alice, artifact=BYTES), SALT, by=alice)


def test_an_old_reservation(world, node, alice, reserve):
    commitment = reserve(alice)
    node.sleep(DAY)
    data = world.models.data("publish", release(alice, artifact=BYTES), SALT)
    world.call(world.models.address, data, by=alice)  # the last second
    node.sleep(1)
    with refuses("ReservationExpired", commitment):
        world.publish(alice, artifact=BYTES, salt=SALT)
    # Reserving it again does not make it young.
    reserve(alice)
    node.sleep(1)
    with refuses("ReservationExpired", commitment):
        world.publish(alice, artifact=BYTES, salt=SALT)


def test_reservations_hoarded_ahead_displace_no_final_claim(world, node, alice, mallory, reserve):
    """A first claim is final a day after its `since`, whatever was reserved for the same bytes."""
    reserve(mallory)
    node.sleep(1)
    world.publish(alice, artifact=BYTES)
    node.sleep(DAY - 1)
    data = world.models.data("publish", release(mallory, artifact=BYTES), SALT)
    world.call(world.models.address, data, by=mallory)  # the last second in which it can be displaced
    node.sleep(1)
    with refuses("ReservationExpired"):
        world.publish(mallory, artifact=BYTES, salt=SALT)
    assert first(world)[0] == alice.address.lower()


def test_an_equal_since_displaces_nobody(world, node, alice, mallory, reserve):
    reserve(alice)
    reserve(mallory)
    node.sleep(12)
    world.publish(mallory, artifact=BYTES, salt=SALT)
    world.publish(alice, artifact=BYTES, salt=SALT)
    assert first(world)[:2] == (mallory.address.lower(), 0)


def test_a_claim_at_the_second_of_a_reservation_stays(world, node, alice, mallory, reserve):
    """Published at T, reserved at T: neither is earlier, and the first record stays first."""
    publish = world.models.data("publish", release(mallory, artifact=BYTES), ZERO)
    commitment = bytes(world.models.reservationOf(alice.address, BYTES, SALT))
    node.send_together(
        (mallory.address, world.models.address, publish),
        (alice.address, world.models.address, world.models.data("reserve", commitment)),
    )
    node.sleep(1)
    world.publish(alice, artifact=BYTES, salt=SALT)
    assert first(world)[0] == mallory.address.lower()


def test_a_first_claim_decides_nothing(world, alice, mallory):
    """Mallory is first with alice's bytes, and alice's release is as good as without."""
    world.publish(mallory, artifact=BYTES, terms=world.everything_allowed())
    record = world.publish(alice, artifact=BYTES)
    assert first(world)[0] == mallory.address.lower()
    assert world.models.verifyRecord(record)[1] == alice.address.lower()
    assert world.permits(record, mallory.address) == 0
