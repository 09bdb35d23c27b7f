"""Records of every kind, blocks and reorganisations at random, on a real node: what an index has to follow."""

import random
from collections.abc import Sequence
from contextlib import suppress

from chain_moves import mine, reorganise, rewind
from geth_node import Geth
from newcomers import address_of

from registry.chain.anchors import Anchor, anchor_tree
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.license_registry import EVERYONE
from registry.chain.licenses import Grant
from registry.chain.publishers import NEVER, Scope
from registry.chain.records import Parent, Reason, Relation, Release, Status
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.errors import NotAuthorised, PublisherFrozen, ReleaseNotFound, TransactionReverted, VersionTaken
from registry.policy.terms import packed_terms_id

_REFUSALS = (NotAuthorised, PublisherFrozen, ReleaseNotFound, TransactionReverted, VersionTaken)
_DIGESTS = tuple(bytes([number]) * 32 for number in (41, 42, 43))


class Acts:
    """What six people do, all of it by the dice. Nothing before `node`'s block at the beginning is ever taken back.

    `digests` are what they take for artifacts, manifests, terms, documents and subjects; `known` are releases of others
    that they speak of and derive from.
    """

    def __init__(
        self,
        node: DevNode | Geth,
        dice: random.Random,
        digests: Sequence[bytes] = _DIGESTS,
        known: Sequence[tuple[bytes, Release]] = (),
    ) -> None:
        self._node, self._dice, self._digests = node, dice, digests
        self._floor = node.chain.latest().number
        self._people = [Registries(node.chain, dev_signer(account), timeout=60) for account in range(3, 9)]
        self._made = 0
        self._releases = list(known)
        self._anchors: list[tuple[Anchor, list[Release]]] = []
        self._statements: list[bytes] = []
        self._kinds = [
            *[self._publish] * 3,
            *[self._set_status] * 2,
            *[self._grant] * 2,
            *[self._state] * 2,
            self._anchor,
            self._withdraw,
            self._promote,
            self._register_terms,
            self._retract,
            self._delegate,
            self._guard,
            self._freeze,
        ]

    def record(self) -> None:
        """One record of any kind by anyone; what the contracts refuse is none."""
        self._made += 1
        with suppress(*_REFUSALS):
            self._dice.choice(self._kinds)(self._dice.choice(self._people))

    def move(self) -> None:
        """A block without records, other blocks in the place of some, or a chain that has become shorter.

        It keeps what is final: nobody believes that to be gone who is not shown other blocks.
        """
        depth = min(self._dice.randint(1, 5), self._node.chain.latest().number - self._floor)
        move = self._dice.choice([mine, reorganise, rewind])
        final = self._node.chain.block("finalized")
        if move is rewind and final is not None:
            depth = min(depth, self._node.chain.latest().number - final.number)
        if move is mine or depth == 0:
            mine(self._node)
        else:
            move(self._node, depth)

    def _digest(self) -> bytes:
        return self._dice.choice(self._digests)

    def _release(self, publisher: str, version: int = 1) -> Release:
        known = [identifier for identifier, _ in self._releases]
        parents = self._dice.sample(known, min(self._dice.randrange(3), len(known)))
        return Release(
            publisher,
            f"model-{self._made}",
            str(version),
            self._digest(),
            self._digest(),
            self._digest(),
            parents=tuple(Parent(one, Relation.MERGE) for one in sorted(parents)),
        )

    def _publish(self, by: Registries) -> None:
        release = self._release(address_of(self._dice.choice([by, by, by, *self._people])))
        self._releases.append((by.models.publish(release).release_id, release))

    def _set_status(self, by: Registries) -> None:
        own = [release for _, release in self._releases if release.publisher == address_of(by)]
        if own:
            release, status = self._dice.choice(own), self._dice.choice([*Status, Status.ACTIVE])
            by.models.set_status(release.name, release.version, status, Reason.UNSPECIFIED, self._digest())

    def _anchor(self, by: Registries) -> None:
        releases = [self._release(address_of(by), version) for version in range(self._dice.randint(1, 4))]
        tree = anchor_tree(releases)
        anchor = Anchor(address_of(by), tree.root, tree.count, self._digest())
        self._anchors.append((anchor, releases))
        by.models.publish_anchor(anchor)

    def _withdraw(self, by: Registries) -> None:
        own = [anchor for anchor, _ in self._anchors if anchor.publisher == address_of(by)]
        if own:
            by.models.withdraw_anchor(self._dice.choice(own))

    def _promote(self, by: Registries) -> None:
        if self._anchors:
            anchor, releases = self._dice.choice(self._anchors)
            index = self._dice.randrange(len(releases))
            by.models.promote(anchor, index, anchor_tree(releases).proof(index), releases[index])

    def _register_terms(self, by: Registries) -> None:
        document, uses = self._digest(), self._dice.randrange(1 << 12)
        by.licenses.register_terms(packed_terms_id(document, uses), document, uses)

    def _grant(self, by: Registries) -> None:
        own = [(one, release) for one, release in self._releases if release.publisher == address_of(by)]
        if own:
            identifier, release = self._dice.choice(own)
            to = self._dice.choice([EVERYONE, address_of(self._dice.choice(self._people))])
            uses = self._dice.choice([0, 1, 2, 3, 63])
            grant = Grant(address_of(by), release.name, release.version, to, uses, 0, NEVER if uses else 0, False)
            by.licenses.set_grant(identifier, grant)

    def _state(self, by: Registries) -> None:
        about = [(kind, self._digest()) for kind in SubjectKind]
        about += [(SubjectKind.RELEASE, identifier) for identifier, _ in self._releases]
        about += [(SubjectKind.STATEMENT, identifier) for identifier in self._statements]
        kind, subject = self._dice.choice(about)
        said = Statement(address_of(by), self._dice.choice(list(Kind)), kind, subject, self._digest(), NEVER)
        self._statements.append(by.statements.attest(said)[0])

    def _retract(self, by: Registries) -> None:
        if self._statements:
            by.statements.retract(self._dice.choice(self._statements))

    def _delegate(self, by: Registries) -> None:
        scopes = Scope(self._dice.randrange(16))
        by.publishers.set_delegate(address_of(self._dice.choice(self._people)), scopes, NEVER if scopes else 0)

    def _guard(self, by: Registries) -> None:
        by.publishers.set_guardian(self._dice.choice([None, *map(address_of, self._people)]))

    def _freeze(self, by: Registries) -> None:
        if by in self._people[-2:]:  # which is for good: others go on
            heir = self._dice.choice([None, address_of(self._people[0])])
            by.publishers.freeze(address_of(by), heir, self._node.chain.latest().timestamp - 1)
