"""What a publisher permits: equal to what the contract answers at the same block, with what decides it."""

import pytest
from newcomers import address_of, newcomer, pass_time

from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode
from registry.chain.license_registry import EVERYONE
from registry.chain.licenses import Grant
from registry.chain.model_registry import Published
from registry.chain.publishers import NEVER
from registry.chain.records import Reason, Release, Status
from registry.index.follower import Follower
from registry.index.permissions import permission_view, terms_permission_view
from registry.index.queries import Reader
from registry.policy.terms import Use, UseState, packed_terms_id

DIGEST, DOCUMENT = b"\5" * 32, b"\6" * 32
STATES = 0b11_10_01_00_10_00  # train on outputs denied, distil and commercial conditional, modify allowed
TERMS = packed_terms_id(DOCUMENT, STATES)


class Told:
    """Asks the index and the contract the same, of every use and of some accounts, at the newest block or an older."""

    def __init__(self, publisher: Registries, follower: Follower, reader: Reader) -> None:
        self.publisher, self.follower, self.reader = publisher, follower, reader
        self.friend = address_of(newcomer(publisher.models.chain))

    def codes(self, release: Published, account: str | None, at: int | None = None) -> dict[str, str]:
        """The codes by use, after they were compared."""
        block = self.publisher.models.chain.latest().number if at is None else at
        with self.reader.snapshot(as_of=at) as snapshot:
            view = permission_view(snapshot, release.release_id, account, list(Use), {})
            assert snapshot.as_of().block.number == block
        licenses = self.publisher.licenses
        for place, use in enumerate(Use):
            there = UseState(licenses.permission(release.release_id, release.record, account, place, block))
            assert view["uses"][use.value]["state"] == there.name.lower(), (use, account, block)
        return {use: one["code"] for use, one in view["uses"].items()}

    def everywhere(self, release: Published) -> None:
        self.follower.catch_up()
        for account in (None, self.friend, release.record.release.publisher):
            self.codes(release, account)

    def grant(self, release: Published, grantee: str, uses: int, until: int = NEVER) -> None:
        made = release.record.release
        times = (0, until) if uses else (0, 0)
        wanted = Grant(made.publisher, made.name, made.version, grantee, uses, *times, False)
        self.publisher.licenses.set_grant(release.release_id, wanted)


@pytest.fixture
def told(node: DevNode, follower: Follower, reader: Reader) -> Told:
    return Told(newcomer(node.chain), follower, reader)


def publish(told: Told, name: str, terms: bytes = TERMS) -> Published:
    return told.publisher.models.publish(Release(address_of(told.publisher), name, "1", DIGEST, DIGEST, terms))


def test_it_is_what_the_contract_answers_after_every_step_of_a_history(told: Told, node: DevNode) -> None:
    release = publish(told, "m")
    told.everywhere(release)
    assert set(told.codes(release, told.friend).values()) == {"terms-not-registered"}
    told.publisher.licenses.register_terms(TERMS, DOCUMENT, STATES)
    told.everywhere(release)
    assert set(told.codes(release, None).values()) == {"terms"}
    until = node.chain.latest().timestamp + 1000
    told.grant(release, told.friend, 0b10_0011, until)
    told.everywhere(release)
    assert told.codes(release, told.friend)["run"] == "grant" and told.codes(release, None)["run"] == "terms"
    told.grant(release, EVERYONE, 0b1)
    told.everywhere(release)
    assert told.codes(release, None)["run"] == "grant-to-everyone"
    at_most = node.chain.latest().number
    pass_time(node.chain, 2000)
    told.everywhere(release)
    assert told.codes(release, told.friend)["run"] == "grant-to-everyone", "the friend's is over"
    assert told.codes(release, told.friend)["train_on_outputs"] == "terms"
    told.grant(release, EVERYONE, 0)
    told.everywhere(release)
    assert told.codes(release, told.friend)["run"] == "terms"
    assert told.codes(release, told.friend, at_most)["run"] == "grant", "as it was"
    told.grant(release, told.friend, 0b1)
    told.publisher.models.set_status("m", "1", Status.REVOKED, Reason.SECURITY)
    told.everywhere(release)
    assert set(told.codes(release, told.friend).values()) == {"revoked"}


def test_a_freeze_ends_what_was_recorded_after_it_was_compromised_and_nothing_before(told: Told) -> None:
    told.publisher.licenses.register_terms(TERMS, DOCUMENT, STATES)
    before, without = publish(told, "before"), publish(told, "without", b"\0" * 32)
    told.grant(before, told.friend, 0b1)
    pass_time(told.publisher.models.chain, 100)
    since = told.publisher.models.chain.latest().timestamp
    pass_time(told.publisher.models.chain, 100)
    after = publish(told, "after")
    told.grant(before, told.friend, 0b11)
    told.everywhere(before)
    told.publisher.publishers.freeze(address_of(told.publisher), None, since)
    for release in (before, without, after):
        told.everywhere(release)
    assert set(told.codes(after, told.friend).values()) == {"frozen"}
    assert set(told.codes(before, told.friend).values()) == {"terms"}, "the newer grant is not believed"
    assert set(told.codes(without, None).values()) == {"no-terms"}


def test_terms_alone_say_what_is_registered(told: Told) -> None:
    told.follower.catch_up()
    for registered in (False, True):
        with told.reader.snapshot() as snapshot:
            view = terms_permission_view(snapshot, TERMS, [Use.MODIFY, Use.RUN], {TERMS: "ours"})
        assert view["registered"] == registered and list(view["uses"]) == ["modify", "run"]
        assert view["uses"]["modify"]["state"] == ("allowed" if registered else "unknown")
        assert ("(ours)" if registered else "register ours`") in view["uses"]["modify"]["message"]
        told.publisher.licenses.register_terms(TERMS, DOCUMENT, STATES)
        told.follower.catch_up()
