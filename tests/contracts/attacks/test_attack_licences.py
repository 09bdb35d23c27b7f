"""Attacks on what a customer was promised: terms, grants, and whose they are."""

import pytest
from eth_utils import keccak

from attacks.world import (
    ACTIVE,
    ALLOWED,
    COMMERCIAL,
    CONDITIONAL,
    DAY,
    DENIED,
    DEPRECATED,
    DISTIL,
    EVERYTHING,
    FOREVER,
    REVOKED,
    RUN,
    STATUS,
    UNKNOWN,
    ZERO,
    ZERO_ADDRESS,
    hashed,
    refuses,
    release,
)

BIT = 1 << COMMERCIAL


def grant(publisher, grantee, uses=BIT, start=0, until=FOREVER, irrevocable=False, name="model", version="1"):
    return (publisher.address, name, version, grantee, uses, start, until, irrevocable)


@pytest.fixture
def quoted(world, alice):
    """A release that allows every use."""
    return world.publish(alice, terms=world.everything_allowed())


@pytest.fixture
def closed(world, alice):
    """A release whose terms nobody registered."""
    return world.publish(alice, terms=keccak(text="terms that nobody stated"))


def test_terms_changed_between_quote_and_use(world, alice, carol, quoted):
    """The publisher cannot: a version keeps its terms, and terms their states."""
    assert world.permits(quoted, carol.address) == ALLOWED
    with refuses("VersionExists", world.id(quoted)):
        world.publish(alice, terms=keccak(text="dearer"))
    with refuses("TermsExist"):
        world.licenses.registerTerms(keccak(text="everything"), EVERYTHING, by=alice)
    # The same document with other states is other terms: nothing about this release changes.
    world.licenses.registerTerms(keccak(text="everything"), 0b111111111111, by=alice)
    assert world.permits(quoted, carol.address) == ALLOWED


def test_terms_changed_between_quote_and_use_by_another_version(world, alice, carol, quoted):
    """A contract that was told which terms to accept does not act under those of the next version."""
    door = world.deploy("LicensedAction", world.licenses.address, alice.address, quoted[4][5])
    other = world.publish(alice, version="2", terms=keccak(text="dearer"), artifact=quoted[4][3])
    door.act(world.id(quoted), hashed(quoted), by=carol)
    with refuses("OtherTerms", other[4][5]):
        door.act(world.id(other), hashed(other), by=carol)
    lying = (*quoted[:4], (*quoted[4][:5], other[4][5], *quoted[4][6:]))
    with refuses("RecordMismatch", world.id(quoted)):
        world.permits(lying, carol.address)


def test_revoked_between_quote_and_use_in_one_block(world, node, alice, carol, quoted):
    door = world.deploy("LicensedAction", world.licenses.address, alice.address, quoted[4][5])
    update = (alice.address, "model", "1", REVOKED, 3, ZERO, "", "")
    act = door.data("act", world.id(quoted), hashed(quoted))
    receipts = node.send_together(
        (carol.address, door.address, act),
        (alice.address, world.models.address, world.models.data("setStatus", update)),
        (carol.address, door.address, act),
    )
    assert [receipt["status"] for receipt in receipts] == ["0x1", "0x1", "0x0"]
    with refuses("NotPermitted", DENIED):
        door.act(world.id(quoted), hashed(quoted), by=carol)


@pytest.mark.parametrize("status", [ACTIVE, DEPRECATED, REVOKED])
def test_a_revoked_release_brought_back(world, node, alice, carol, quoted, status):
    """By its publisher, by a delegate, or by a signature kept from before: it stays revoked, and permits nothing."""
    world.publishers.setDelegate(carol.address, STATUS, FOREVER, by=alice)
    update = (alice.address, "model", "1", status, 0, ZERO, "", "")
    kept = world.sign(world.models, "setStatus", [update], alice, nonce=1)
    world.models.setStatus((*update[:3], REVOKED, *update[4:]), by=alice)
    revoked = world.models.statusOf(world.id(quoted))
    for account in (alice, carol):
        with refuses("ReleaseRevoked", world.id(quoted)):
            world.models.setStatus(update, by=account)
    with refuses("ReleaseRevoked", world.id(quoted)):
        world.models.setStatusWithSignature(*kept)
    assert world.models.statusOf(world.id(quoted)) == revoked
    assert world.permits(quoted, carol.address) == DENIED


def test_one_parent_under_two_licences(world, alice, bob, carol):
    """The same bytes under two records: each answers with its own terms, and a child names which one it is from."""
    open_one = world.publish(alice, terms=world.everything_allowed(), artifact=keccak(text="bytes"))
    closed_one = world.publish(alice, version="2", terms=ZERO, artifact=keccak(text="bytes"))
    assert world.permits(open_one, carol.address, DISTIL) == ALLOWED
    assert world.permits(closed_one, carol.address, DISTIL) == UNKNOWN
    parents = sorted((world.id(parent), 8) for parent in (open_one, closed_one))
    child = world.publish(bob, name="child", parents=tuple(parents))
    assert [parent for parent, _ in child[4][7]] == [parent for parent, _ in parents]
    # The record of one cannot be passed under the id of the other.
    with refuses("RecordMismatch", world.id(closed_one)):
        world.licenses.permission(world.id(closed_one), hashed(open_one), carol.address, DISTIL)
    # A child may not name one parent in two entries of one relation to look like more evidence.
    with refuses("ParentsNotSorted"):
        world.publish(bob, name="twice", parents=(parents[0], parents[0]))


def test_a_child_outlives_a_grant_of_its_parent(world, node, alice, bob, carol, closed):
    """Permission speaks of one publisher's own declarations. What made the child is judged by its own time."""
    world.licenses.setGrant(grant(alice, bob.address, 1 << DISTIL, until=node.now + DAY), by=alice)
    node.sleep(10)
    made_at = node.now
    child = world.publish(bob, name="child", terms=world.everything_allowed(), parents=((world.id(closed), 8),))
    assert world.permits(closed, bob.address, DISTIL, at=made_at) == ALLOWED
    node.sleep(DAY)
    assert world.permits(closed, bob.address, DISTIL) == UNKNOWN
    assert world.permits(child, carol.address) == ALLOWED  # as documented: not of what parents permit
    record = world.models.verifyRecord(child)
    assert record[4] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"uses": 0, "until": 0},  # taken back
        {"uses": 1 << RUN},  # another use
        {"until": "sooner"},
        {"start": "later"},
        {"irrevocable": False},  # the promise alone
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_paid_grant_revoked_though_irrevocable(world, node, alice, carol, closed, change):
    until = node.now + 30 * DAY
    paid = {"until": until, "irrevocable": True}
    world.licenses.setGrant(grant(alice, carol.address, **paid), by=alice)
    times = {"sooner": until - 1, "later": node.now + 100}
    change = {key: times.get(value, value) if isinstance(value, str) else value for key, value in change.items()}
    narrower = {**paid, **change}
    if narrower["uses" if "uses" in narrower else "until"] == 0:
        narrower["irrevocable"] = False
    with refuses("IrrevocableGrant", world.id(closed), carol.address):
        world.licenses.setGrant(grant(alice, carol.address, **narrower), by=alice)
    assert world.permits(closed, carol.address, at=until - 1) == ALLOWED
    assert world.licenses.grantOf(world.id(closed), carol.address)[4] == 1


def test_an_irrevocable_grant_ends_when_it_says_and_not_before(world, node, alice, carol, closed):
    until = node.now + DAY
    world.licenses.setGrant(grant(alice, carol.address, until=until, irrevocable=True), by=alice)
    node.now = until - 1
    with refuses("IrrevocableGrant"):
        world.licenses.setGrant(grant(alice, carol.address, uses=0, until=0), by=alice)
    node.now = until
    assert world.permits(closed, carol.address) == UNKNOWN
    world.licenses.setGrant(grant(alice, carol.address, uses=0, until=0), by=alice)


def test_an_irrevocable_grant_is_not_narrowed_in_two_steps(world, node, alice, carol, closed):
    """Widening what is there does not drop the promise for the next step."""
    until = node.now + DAY
    world.licenses.setGrant(grant(alice, carol.address, until=until, irrevocable=True), by=alice)
    world.licenses.setGrant(grant(alice, carol.address, until=until + DAY, irrevocable=True), by=alice)
    with refuses("IrrevocableGrant"):
        world.licenses.setGrant(grant(alice, carol.address, until=until, irrevocable=True), by=alice)


def test_a_paid_grant_revoked_and_given_again_shows_in_its_revision(world, alice, carol, closed):
    """Who paid for a revision compares it: the entry is otherwise as it was."""
    world.licenses.setGrant(grant(alice, carol.address), by=alice)
    paid = world.licenses.grantOf(world.id(closed), carol.address)
    world.licenses.setGrant(grant(alice, carol.address, uses=0, until=0), by=alice)
    assert world.permits(closed, carol.address) == UNKNOWN
    world.licenses.setGrant(grant(alice, carol.address), by=alice)
    now = world.licenses.grantOf(world.id(closed), carol.address)
    assert (now[:4], paid[4], now[4]) == (paid[:4], 1, 3)


def test_acting_with_someone_elses_grant(world, alice, carol, mallory):
    terms = bytes(world.licenses.termsIdOf(keccak(text="ask us"), 0b1010))
    world.licenses.registerTerms(keccak(text="ask us"), 0b1010)
    record = world.publish(alice, terms=terms)
    world.licenses.setGrant(grant(alice, carol.address), by=alice)
    door = world.deploy("LicensedAction", world.licenses.address, alice.address, terms)
    door.act(world.id(record), hashed(record), by=carol)
    with refuses("NotPermitted", CONDITIONAL):
        door.act(world.id(record), hashed(record), by=mallory)
    attacker = world.deploy("Attacker")  # called by the grantee, a contract is still not the grantee
    receipt = attacker.attempt([(door.address, door.data("act", world.id(record), hashed(record)))], by=carol)
    ((_, (done, _)),) = world.events(receipt)
    assert not done
    assert world.permits(record, ZERO_ADDRESS) == CONDITIONAL


def test_a_grant_on_someone_elses_release(world, alice, mallory, closed):
    """By naming the publisher, or by naming oneself: neither touches the release of another."""
    with refuses("NotAuthorised", alice.address, mallory.address, 4):
        world.licenses.setGrant(grant(alice, mallory.address), by=mallory)
    with refuses("UnknownRelease"):
        world.licenses.setGrant(grant(mallory, mallory.address), by=mallory)
    world.publish(mallory)
    world.licenses.setGrant(grant(mallory, mallory.address), by=mallory)
    assert world.permits(closed, mallory.address) == UNKNOWN


def test_the_same_bytes_under_a_strangers_generous_terms(world, alice, mallory, carol, closed):
    """A stranger's record opens no door that was built for one publisher."""
    theirs = world.publish(mallory, terms=world.everything_allowed(), artifact=closed[4][3])
    door = world.deploy("LicensedAction", world.licenses.address, alice.address, theirs[4][5])
    with refuses("UntrustedPublisher", mallory.address):
        door.act(world.id(theirs), hashed(theirs), by=carol)
    forged = (*theirs[:4], (alice.address, *theirs[4][1:]))
    with refuses("RecordMismatch"):
        door.act(world.id(theirs), hashed(forged), by=carol)
    with refuses("RecordMismatch"):
        door.act(world.id(closed), hashed(forged), by=carol)


def test_a_release_that_does_not_exist_permits_nothing(world, alice, carol):
    record = (0, 0, alice.address, 0, release(alice, terms=world.everything_allowed()))
    with refuses("RecordMismatch"):
        world.permits(record, carol.address)
    with refuses("UnknownRelease"):
        world.models.statusOf(world.id(record))


@pytest.mark.parametrize("use", range(6))
def test_unknown_and_denied_are_never_allowed_by_somebody_elses_use(world, alice, carol, use):
    """Only the two bits of the use asked about count."""
    states = EVERYTHING & ~(0b11 << 2 * use)
    document = keccak(text="all but one")
    for state in (UNKNOWN, CONDITIONAL, DENIED):
        packed = states | state << 2 * use
        world.licenses.registerTerms(document, packed)
        terms = bytes(world.licenses.termsIdOf(document, packed))
        record = world.publish(alice, version=str(state), terms=terms)
        assert [world.permits(record, carol.address, other) for other in range(6)] == [
            state if other == use else ALLOWED for other in range(6)
        ]


def test_a_thiefs_records_and_grants_do_not_count_once_the_key_is_frozen(world, node, alice, carol, closed):
    before = grant(alice, carol.address, 1 << RUN)
    world.licenses.setGrant(before, by=alice)
    stolen_at = node.now
    node.sleep(1)
    late = world.publish(alice, version="2", terms=world.everything_allowed())
    world.licenses.setGrant(grant(alice, carol.address, 1 << RUN, version="2"), by=alice)
    world.licenses.setGrant(grant(alice, ZERO_ADDRESS, BIT), by=alice)
    assert world.permits(closed, carol.address) == ALLOWED
    world.publishers.freeze(alice.address, ZERO_ADDRESS, stolen_at, by=alice)
    assert world.permits(late, carol.address, RUN) == DENIED
    assert world.permits(closed, carol.address) == UNKNOWN
    assert world.permits(closed, carol.address, RUN) == ALLOWED
