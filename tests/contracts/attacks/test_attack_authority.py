"""Attacks by delegates, guardians and thieves: acting too late, beyond what was given, or in a hurry."""

from itertools import chain

import pytest
from eth_utils import keccak

from attacks.world import (
    ALLOWED,
    DAY,
    DENIED,
    FOREVER,
    GRANT,
    PUBLISH,
    REVOKED,
    STATEMENT,
    STATUS,
    ZERO,
    ZERO_ADDRESS,
    person,
    refuses,
    release,
)

WEEK = 7 * DAY


def attempts(world, publisher, now):
    """One write of each scope, for a publisher whose release model 1 exists."""
    statement = (publisher.address, 1, 1, keccak(text="artifact"), keccak(text="report"), now + DAY)
    anchor = (publisher.address, keccak(text="root"), 1, keccak(text="list"))
    return {
        PUBLISH: [
            (world.models, "publish", [release(publisher, version="2"), ZERO]),
            (world.models, "publishAnchor", [anchor]),
        ],
        STATUS: [
            (world.models, "setStatus", [(publisher.address, "model", "1", 1, 0, ZERO, "", "")]),
            (world.models, "withdrawAnchor", [(*anchor[:2], 2, anchor[3])]),
        ],
        GRANT: [
            (world.licenses, "setGrant", [(publisher.address, "model", "1", ZERO_ADDRESS, 1, 0, FOREVER, False)]),
        ],
        STATEMENT: [
            (world.statements, "attest", [statement]),
            (
                world.statements,
                "retract",
                [bytes(world.statements.statementIdOf((*statement[:3], ZERO[:31] + b"\1", *statement[4:])))],
            ),
        ],
    }


@pytest.fixture
def house(world, node, alice):
    """A publisher with something to take a scope to: a release, an anchor and a statement."""
    world.publish(alice)
    world.models.publishAnchor((alice.address, keccak(text="root"), 2, keccak(text="list")), by=alice)
    subject = ZERO[:31] + b"\1"
    world.statements.attest((alice.address, 1, 1, subject, keccak(text="report"), node.now + DAY), by=alice)
    return alice


@pytest.mark.parametrize("scope", [PUBLISH, STATUS, GRANT, STATEMENT])
def test_a_delegate_beyond_its_scope(world, node, house, carol, scope):
    """Each scope opens its own writes and no other, by call and by signature."""
    world.publishers.setDelegate(carol.address, scope, node.now + DAY, by=house)
    for needed, writes in attempts(world, house, node.now).items():
        for contract, action, arguments in writes:
            if needed == scope:
                getattr(contract, action)(*arguments, by=carol)
                continue
            with refuses("NotAuthorised", house.address, carol.address, needed):
                getattr(contract, action)(*arguments, by=carol)
            nonce = {} if action in ("publish", "publishAnchor", "attest") else {"nonce": 1}
            with refuses("NotAuthorised", house.address, carol.address, needed):
                world.relay(contract, action, arguments, carol, **nonce)


def test_a_delegate_after_expiry(world, node, house, carol):
    expires = node.now + 100
    world.publishers.setDelegate(carol.address, 15, expires, by=house)
    for needed, writes in attempts(world, house, node.now).items():
        for contract, action, arguments in writes:
            data = contract.data(action, *arguments)
            world.call(contract.address, data, by=carol, at=expires - 1)
            with refuses("NotAuthorised", house.address, carol.address, needed):
                world.call(contract.address, data, by=carol, at=expires)


def test_a_delegates_signature_kept_past_its_expiry_or_dismissal(world, node, house, carol):
    """What counts is when the call runs, not when it was signed."""
    world.publishers.setDelegate(carol.address, PUBLISH, node.now + 100, by=house)
    signed = world.sign(world.models, "publish", [release(house, version="2"), ZERO], carol, deadline=node.now + 10**6)
    world.call(world.models.address, world.models.data("publishWithSignature", *signed))
    with refuses("NotAuthorised"):
        world.call(world.models.address, world.models.data("publishWithSignature", *signed), at=node.now + 100)
    world.publishers.setDelegate(carol.address, 0, 0, by=house)
    with refuses("NotAuthorised"):
        world.models.publishWithSignature(*signed)


def test_a_delegate_makes_no_delegates_and_no_guardians_and_does_not_freeze(world, node, house, carol, mallory):
    world.publishers.setDelegate(carol.address, 15, node.now + DAY, by=house)
    world.publishers.setDelegate(mallory.address, 15, node.now + DAY, by=carol)  # of carol's own
    with refuses("NotAuthorised", house.address, mallory.address, PUBLISH):
        world.publish(house, version="2", actor=mallory)
    world.publishers.setGuardian(mallory.address, by=carol)
    assert world.publishers.guardianOf(house.address)[0] == ZERO_ADDRESS
    with refuses("NotAuthorised", house.address, carol.address, 0):
        world.publishers.freeze(house.address, carol.address, node.now, by=carol)
    with refuses("NotAuthorised", house.address, mallory.address, 0):
        world.publishers.freeze(house.address, mallory.address, node.now, by=mallory)


def test_a_publisher_is_nobodys_delegate_for_being_a_publisher(world, house, mallory):
    world.publish(mallory)
    with refuses("NotAuthorised", house.address, mallory.address, STATUS):
        world.models.setStatus((house.address, "model", "1", REVOKED, 0, ZERO, "", ""), by=mallory)


@pytest.mark.parametrize("scopes", [16, 128, 255])
def test_scopes_that_do_not_exist(world, node, house, carol, scopes):
    with refuses("InvalidDelegate"):
        world.publishers.setDelegate(carol.address, scopes, node.now + DAY, by=house)


def test_a_delegate_of_a_frozen_publisher(world, node, house, carol):
    world.publishers.setDelegate(carol.address, 15, FOREVER, by=house)
    kept = world.sign(world.models, "publish", [release(house, version="3"), ZERO], carol)
    writes = attempts(world, house, node.now)
    world.publishers.freeze(house.address, ZERO_ADDRESS, node.now, by=house)
    sizes = [contract.size() for contract in world.registries.values()]
    for account in (carol, house):
        for contract, action, arguments in chain(*writes.values()):
            with refuses("FrozenPublisher", house.address):
                getattr(contract, action)(*arguments, by=account)
    with refuses("FrozenPublisher", house.address):
        world.models.publishWithSignature(*kept)
    for account in (carol, person("stranger")):
        with refuses("NotAuthorised", house.address, account.address, 0):
            world.publishers.freeze(house.address, ZERO_ADDRESS, 0, by=account)
    for action, arguments in [
        ("setDelegate", [person("new").address, 1, FOREVER]),
        ("setDelegate", [carol.address, 0, 0]),
        ("setGuardian", [person("new").address]),
        ("freeze", [house.address, ZERO_ADDRESS, 0]),
    ]:
        with refuses("FrozenPublisher", house.address):
            getattr(world.publishers, action)(*arguments, by=house)
        with refuses("FrozenPublisher", house.address):
            world.relay(world.publishers, action, arguments, house, nonce=1)
    assert [contract.size() for contract in world.registries.values()] == sizes


def test_a_delegate_that_is_itself_frozen(world, node, house, carol):
    """Its key is known to be lost: it acts for nobody, and the publisher itself goes on."""
    world.publishers.setDelegate(carol.address, 15, FOREVER, by=house)
    world.publishers.freeze(carol.address, ZERO_ADDRESS, node.now, by=carol)
    for contract, action, arguments in chain(*attempts(world, house, node.now).values()):
        with refuses("FrozenPublisher", carol.address):
            getattr(contract, action)(*arguments, by=carol)
    world.publish(house, version="2")


def test_a_guardian_that_is_itself_frozen(world, node, house, guardian):
    world.publishers.setGuardian(guardian.address, by=house)
    world.publishers.freeze(guardian.address, ZERO_ADDRESS, node.now, by=guardian)
    with refuses("FrozenPublisher", guardian.address):
        world.publishers.freeze(house.address, ZERO_ADDRESS, node.now, by=guardian)
    world.publish(house, version="2")


@pytest.mark.parametrize("hurried", ["another guardian", "none"])
def test_a_guardian_changed_or_removed_in_a_hurry(world, node, house, guardian, mallory, hurried):
    """A thief with the key sends the guardian away: for a week it is still there."""
    world.publishers.setGuardian(guardian.address, by=house)
    node.sleep(1)
    changed_at = node.now
    to = mallory.address if hurried == "another guardian" else ZERO_ADDRESS
    world.publishers.setGuardian(to, by=house)
    freeze = world.publishers.data("freeze", house.address, ZERO_ADDRESS, changed_at - 1)
    for at in (changed_at, changed_at + WEEK - 1):
        assert world.publishers.guardianOf(house.address, at=at)[0] == guardian.address.lower()
        world.call(world.publishers.address, freeze, by=guardian, at=at)
        with refuses("NotAuthorised", house.address, mallory.address, 0):
            world.call(world.publishers.address, freeze, by=mallory, at=at)
    with refuses("NotAuthorised", house.address, guardian.address, 0):
        world.call(world.publishers.address, freeze, by=guardian, at=changed_at + WEEK)
    node.sleep(WEEK - 1)
    world.publishers.freeze(house.address, guardian.address, changed_at - 1, by=guardian)
    assert world.publishers.freezeOf(house.address) == (guardian.address.lower(), node.now, changed_at - 1)


def test_a_change_of_guardian_repeated_waits_anew(world, node, house, guardian, mallory):
    """Asking again, or asking for none and then for another, is no way around the delay."""
    world.publishers.setGuardian(guardian.address, by=house)
    named = node.now
    world.publishers.setGuardian(ZERO_ADDRESS, by=house)
    node.sleep(WEEK - 1)
    world.publishers.setGuardian(mallory.address, by=house)
    node.sleep(WEEK - 1)
    assert world.publishers.guardianOf(house.address) == (
        guardian.address.lower(),
        named,
        mallory.address.lower(),
        node.now + 1,
    )
    world.publishers.setGuardian(guardian.address, by=house)  # the owner is back, and ends it
    node.sleep(WEEK)
    assert world.publishers.guardianOf(house.address) == (guardian.address.lower(), named, ZERO_ADDRESS, 0)


def test_a_guardian_does_nothing_but_freeze(world, node, house, guardian):
    world.publishers.setGuardian(guardian.address, by=house)
    for needed, writes in attempts(world, house, node.now).items():
        for contract, action, arguments in writes:
            with refuses("NotAuthorised", house.address, guardian.address, needed):
                getattr(contract, action)(*arguments, by=guardian)


def test_nobody_guards_a_publisher_without_guardian(world, node, house, mallory):
    with refuses("NotAuthorised", house.address, mallory.address, 0):
        world.publishers.freeze(house.address, ZERO_ADDRESS, node.now, by=mallory)
    # A signature that recovers to nobody does not make its bearer the guardian that is not there.
    with refuses("InvalidSignature", ZERO_ADDRESS):
        signed = (ZERO_ADDRESS, node.now, bytes(65))
        world.publishers.freezeWithSignature(house.address, ZERO_ADDRESS, node.now, 1, signed, by=mallory)


def test_freezing_backwards_or_forwards(world, node, house, carol):
    with refuses("InvalidTime", node.now + 1):
        world.publishers.freeze(house.address, ZERO_ADDRESS, node.now + 1, by=house)
    with refuses("InvalidSuccessor", house.address):
        world.publishers.freeze(house.address, house.address, node.now, by=house)
    world.publishers.freeze(house.address, carol.address, 0, by=house)
    # A successor gains nothing by being named.
    with refuses("FrozenPublisher"):
        world.publish(house, version="2", actor=carol)
    assert world.publishers.trustedUntil(house.address) == 0
    assert world.publishers.trustedUntil(carol.address) == FOREVER


def test_a_thief_that_freezes_first(world, node, house, guardian, mallory):
    """With the key it publishes, and freezes at once as of now, so that its release would be trusted for ever."""
    world.publishers.setGuardian(guardian.address, by=house)
    node.sleep(WEEK)
    stolen_at = node.now
    node.sleep(1)
    world.publishers.setGuardian(mallory.address, by=house)
    late = world.publish(house, version="2", terms=world.everything_allowed())
    world.publishers.freeze(house.address, mallory.address, node.now, by=house)
    frozen_at = node.now
    assert world.permits(late, mallory.address) == ALLOWED
    node.sleep(WEEK)  # the change of guardian that the thief began does not come
    for account in (house, mallory):
        with refuses("FrozenPublisher" if account is house else "NotAuthorised"):
            world.publishers.freeze(house.address, ZERO_ADDRESS, stolen_at, by=account)
    world.publishers.freeze(house.address, guardian.address, stolen_at, by=guardian)
    assert world.permits(late, mallory.address) == DENIED
    assert world.publishers.freezeOf(house.address) == (guardian.address.lower(), frozen_at, stolen_at)
    with refuses("FrozenPublisher", house.address):  # trust only shrinks
        world.publishers.freeze(house.address, guardian.address, stolen_at + 1, by=guardian)
    with refuses("FrozenPublisher", house.address):
        world.publish(house, version="3")


def test_a_thief_that_names_itself_guardian(world, node, house, carol, mallory):
    """Where there was none it is one at once; what its victim says when it freezes stands all the same."""
    identity = world.publish(house, version="2", terms=world.everything_allowed())
    stolen_at = node.now
    node.sleep(1)
    world.publishers.setGuardian(mallory.address, by=house)
    node.sleep(WEEK - 2)
    world.publishers.freeze(house.address, carol.address, stolen_at, by=house)
    frozen_at = node.now
    node.sleep(WEEK)
    with refuses("FrozenPublisher", house.address):
        world.publishers.freeze(house.address, mallory.address, 0, by=mallory)
    assert world.publishers.freezeOf(house.address) == (carol.address.lower(), frozen_at, stolen_at)
    assert world.permits(identity, carol.address) == ALLOWED


def test_a_kept_freeze_is_nobody_elses_to_bend(world, node, house, carol, mallory):
    """A signature for the day it is needed, found by a stranger: as signed, once, or not at all."""
    arguments = [house.address, carol.address, node.now]
    *_, nonce, signed = world.sign(world.publishers, "freeze", arguments, house, nonce=1, deadline=2**255)
    for changed in ([house.address, mallory.address, node.now], [house.address, carol.address, 0]):
        with refuses("InvalidSignature", house.address):
            world.publishers.freezeWithSignature(*changed, nonce, signed, by=mallory)
    node.sleep(10**6)
    world.publishers.freezeWithSignature(*arguments, nonce, signed, by=mallory)
    assert world.publishers.freezeOf(house.address)[0] == carol.address.lower()


def test_statements_of_a_stolen_key(world, node, house):
    honest = (house.address, 2, 1, keccak(text="artifact"), keccak(text="audit"), FOREVER)
    world.statements.attest(honest, by=house)
    stolen_at = node.now
    node.sleep(1)
    thiefs = (house.address, 2, 1, keccak(text="malware"), keccak(text="audit"), FOREVER)
    world.statements.attest(thiefs, by=house)
    identities = [world.statements.statementIdOf(statement) for statement in (honest, thiefs)]
    assert [world.statements.isInForce(identity) for identity in identities] == [True, True]
    world.publishers.freeze(house.address, ZERO_ADDRESS, stolen_at, by=house)
    assert [world.statements.isInForce(identity) for identity in identities] == [True, False]
