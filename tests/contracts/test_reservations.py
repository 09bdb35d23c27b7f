"""Reservations: who copies a pending transaction wins nothing, and a first claim is final after a day."""

import pytest
from eth_utils import keccak
from oracle import ZERO, replay, reservation
from refusals import refuses

BYTES = keccak(text="the bytes")
SALT = keccak(text="salt")
DAY = 24 * 3600


@pytest.fixture
def reserve(models, publisher, stranger):
    """Reserves by whoever, since nobody can tell whose it is, and gives the time."""

    def send(who=publisher, artifact=BYTES, salt=SALT):
        commitment = models.reservationOf(who, artifact, salt)
        models.reserve(commitment, {"from": stranger})
        return models.reservedAt(commitment)

    return send


def test_the_commitment_binds_chain_contract_publisher_artifact_and_salt(models, publisher, stranger, web3):
    expected = reservation(web3.eth.chain_id, models.address, publisher.address, BYTES, SALT)
    assert bytes(models.reservationOf(publisher, BYTES, SALT)) == expected
    others = [(stranger, BYTES, SALT), (publisher, SALT, SALT), (publisher, BYTES, BYTES)]
    assert len({bytes(models.reservationOf(*values)) for values in [(publisher, BYTES, SALT), *others]}) == 4


def test_it_is_noted_once_and_is_no_record(models, publisher, stranger, later, web3):
    commitment = keccak(text="anything")
    assert models.reservedAt(commitment) == 0
    head = models.head()
    tx = models.reserve(commitment, {"from": publisher})
    assert len(tx.events) == 1
    assert (bytes(tx.events["Reserved"]["commitment"]), tx.events["Reserved"]["since"]) == (commitment, tx.timestamp)
    later(10)
    assert len(models.reserve(commitment, {"from": stranger}).events) == 0
    assert models.reservedAt(commitment) == tx.timestamp
    assert (models.head(), models.size()) == (head, 0)
    assert replay(web3, models.address).others == [("Reserved", [commitment], (tx.timestamp,))]


def test_a_claim_counts_from_the_reservation_that_the_release_reveals(models, publish, reserve, publisher, later, web3):
    since = reserve()
    later(1000)
    identity = publish(artifact=BYTES, salt=SALT)
    _, timestamp, _, recorded, _ = replay(web3, models.address).records[identity]
    assert (recorded, timestamp >= since + 1000) == (since, True)
    assert tuple(models.firstClaim(BYTES)) == (publisher, 0, since)
    assert bytes(models.head()) == replay(web3, models.address).head


def test_who_copies_a_pending_transaction_wins_nothing(models, publish, reserve, publisher, stranger, later):
    since = reserve()
    later(1000)
    publish(by=stranger, artifact=BYTES)
    assert models.firstClaim(BYTES)[0] == stranger
    publish(artifact=BYTES, salt=SALT)
    assert tuple(models.firstClaim(BYTES)) == (publisher, 1, since)


def test_the_salt_of_another_opens_nothing(models, release, reserve, publisher, stranger, later):
    reserve()
    later()
    theirs = models.reservationOf(stranger, BYTES, SALT)
    with refuses("UnknownReservation", theirs):
        models.publish(release(publisher=stranger.address, artifact=BYTES), SALT, {"from": stranger})


def test_nor_do_other_bytes_or_another_salt(models, release, reserve, publisher, later):
    reserve()
    later()
    for artifact, salt in ((keccak(text="others"), SALT), (BYTES, keccak(text="other"))):
        with refuses("UnknownReservation", models.reservationOf(publisher, artifact, salt)):
            models.publish(release(artifact=artifact), salt, {"from": publisher})


def test_it_counts_from_the_next_timestamp_on(models, release, reserve, publisher, now, later):
    since = reserve()
    assert now() == since
    with refuses("ReservationTooNew", models.reservationOf(publisher, BYTES, SALT)):
        models.publish.call(release(artifact=BYTES), SALT, {"from": publisher})
    later(1)
    models.publish.call(release(artifact=BYTES), SALT, {"from": publisher})


def test_nor_within_one_block(models, release, publisher, one_block, chain, web3):
    commitment, values = models.reservationOf(publisher, BYTES, SALT), release(artifact=BYTES)
    options = {"from": publisher, "required_confs": 0, "gas_limit": 500_000, "gas_price": 10**9}
    with one_block:
        models.reserve(commitment, options)
        sent = models.publish(values, SALT, {**options, "allow_revert": True})
    assert len(chain[-1].transactions) == 2
    assert web3.eth.get_transaction_receipt(sent.txid)["status"] == 0
    assert models.size() == 0


def test_it_can_be_revealed_for_a_day(models, release, reserve, publisher, at):
    assert models.RESERVATION_PERIOD() == DAY
    since = reserve()
    at(since + DAY)
    models.publish(release(artifact=BYTES), SALT, {"from": publisher})
    at(since + DAY + 1)
    with refuses("ReservationExpired", models.reservationOf(publisher, BYTES, SALT)):
        models.publish(release(artifact=BYTES), SALT, {"from": publisher})


def test_reserving_again_after_it_expired_starts_nothing_anew(models, release, reserve, publisher, later):
    since = reserve()
    later(DAY + 1)
    assert reserve() == since
    with refuses("ReservationExpired", models.reservationOf(publisher, BYTES, SALT)):
        models.publish(release(artifact=BYTES), SALT, {"from": publisher})


def test_a_later_reservation_does_not_displace(models, publish, reserve, publisher, stranger, later):
    publish(by=stranger, artifact=BYTES)
    before = tuple(models.firstClaim(BYTES))
    later()
    reserve()
    later()
    publish(artifact=BYTES, salt=SALT)
    assert tuple(models.firstClaim(BYTES)) == before


def test_an_equal_one_does_not_either(models, publish, reserve, publisher, stranger, now, at, later):
    since = reserve()
    other = keccak(text="another")
    at(now() + 1)
    reserve(who=stranger, salt=other)
    theirs = models.reservedAt(models.reservationOf(stranger, BYTES, other))
    assert theirs == since + 1
    later()
    publish(by=stranger, artifact=BYTES, salt=other)
    publish(artifact=BYTES, salt=SALT)  # earlier by a second, so it displaces
    assert tuple(models.firstClaim(BYTES)) == (publisher, 1, since)
    publish(artifact=BYTES, salt=SALT)  # an equal one: the first of the two stays
    assert tuple(models.firstClaim(BYTES)) == (publisher, 1, since)


def test_a_first_claim_is_final_after_a_day(models, publish, release, reserve, publisher, stranger, at, later):
    """The worst case: reserved in the second before the claim, revealed in the last one."""
    since = reserve()
    at(since + 1)
    publish(by=stranger, artifact=BYTES)
    at(since + 1 + DAY)
    with refuses("ReservationExpired", models.reservationOf(publisher, BYTES, SALT)):
        models.publish(release(artifact=BYTES), SALT, {"from": publisher})
    assert models.firstClaim(BYTES)[0] == stranger


def test_one_reservation_serves_several_releases_of_the_same_bytes(models, publish, reserve, later, web3):
    since = reserve()
    later()
    identities = [publish(artifact=BYTES, salt=SALT) for _ in range(2)]
    records = replay(web3, models.address).records
    assert [records[identity][3] for identity in identities] == [since, since]
    assert models.firstClaim(BYTES)[1] == 0


def test_a_delegate_reveals_the_publishers(models, publish, reserve, publisher, delegate, name_delegate, later):
    since = reserve()
    name_delegate(1)
    later()
    publish(by=delegate, publisher=publisher.address, artifact=BYTES, salt=SALT)
    assert tuple(models.firstClaim(BYTES)) == (publisher, 0, since)


def test_a_salt_of_zero_reveals_nothing(models, publish, reserve, publisher, later, chain):
    reserve(salt=ZERO)
    later(100)
    publish(artifact=BYTES, salt=ZERO)
    assert models.firstClaim(BYTES)[2] == chain[-1].timestamp
