"""Random histories of the whole system: five accounts that publish, delegate, guard, grant, state, steal and wait.

Every action is foreseen by a model (model.py), down to the name of the error that it is refused with; every history's
events are then judged by themselves (ledger.py). `STEPS` says how many steps to take, `SEED` which.
"""

import os
import random
import time
from collections import Counter
from functools import lru_cache

from eth_utils import keccak
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from attacks import tree
from attacks.ledger import Ledger
from attacks.model import Model
from attacks.node import RpcError
from attacks.world import (
    ALLOWED,
    COMMERCIAL,
    DAY,
    EVERYTHING,
    FOREVER,
    UNKNOWN,
    ZERO,
    ZERO_ADDRESS,
    hash_struct,
    hashed,
    person,
)

STEPS = int(os.environ.get("STEPS", "2000"))
SEED = int(os.environ.get("SEED") or 0) or random.SystemRandom().randrange(1, 2**32)
STEPS_OF_A_HISTORY = 80
HISTORIES_OF_A_ROUND = 500
SHORT_HISTORIES = 10  # with which hypothesis begins a round

PEOPLE = [person(f"account {number}") for number in range(5)]
ADDRESSES = [account.address.lower() for account in PEOPLE]
RELAYER = person("relayer")
STATES = [0, EVERYTHING, 0b111111111111, 0b100111001001, 1 << 12]
GAS = 3_000_000

WHO = st.integers(0, 4)
# The owner itself three times in five, else anyone: histories of refusals alone would say little.
ACTOR = st.sampled_from([None, None, None, 0, 1, 2, 3, 4])
# What a long run must have been refused with: one that never was says that the histories do not go there.
REFUSALS = {
    *("SignatureExpired", "InvalidSignature", "NonceUsed", "NotAuthorised", "FrozenPublisher"),
    *("InvalidDelegate", "InvalidGuardian", "InvalidSuccessor", "InvalidTime"),
    *("UnknownReservation", "ReservationTooNew", "ReservationExpired"),
    *("UnknownRelease", "InvalidRelation", "ParentsNotSorted", "VersionExists", "ReleaseRevoked", "StatusUnchanged"),
    *("AnchorExists", "WithdrawnAnchor", "NotInAnchor", "UnknownAnchor"),
    *("InvalidUses", "TermsExist", "InvalidGrant", "IrrevocableGrant"),
    *("InvalidStatement", "StatementExists", "UnknownStatement", "StatementIsRetracted"),
}
LONG = 50_000

HOW = st.sampled_from(["call", "call", "call", "signed", "signed", "forged", "late"])
NONCE = st.integers(0, 2)
WAIT = st.sampled_from([0, 0, 0, 1, 1, 12, 3600, DAY - 1, DAY, 3 * DAY, 7 * DAY])
PICK = st.integers(0, 255)
NAME = st.sampled_from(["a", "b"])
VERSION = st.sampled_from(["1", "2", "3"])
ARTIFACT = st.integers(0, 2).map(lambda number: keccak(text=f"artifact {number}"))
DOCUMENT = st.integers(0, 1).map(lambda number: keccak(text=f"document {number}"))
SALT = st.integers(1, 2).map(lambda number: number.to_bytes(32, "big"))
TIMES = st.sampled_from([-DAY, -1, 0, 1, 100, DAY, 8 * DAY, FOREVER])
USES = st.sampled_from([0, 1, 2, 3, 2, 3, 63, 64])


@lru_cache(maxsize=10_000)
def leaf_of(release):
    return tree.leaf(hash_struct("Release", release))


def make_machine(world, abis, counts):
    node = world.node
    contracts = {
        "publishers": world.publishers,
        "models": world.models,
        "licenses": world.licenses,
        "statements": world.statements,
    }

    class Histories(RuleBasedStateMachine):
        @initialize()
        def start(self):
            self.before = node.snapshot()
            self.model = Model()
            self.anchors = []  # (anchor, releases)
            self.reserved = []  # (publisher, artifact, salt)
            node.sleep(10)

        # Doing, and what is foreseen.

        def act(self, registry, action, arguments, actor, foresee, how="call", nonce=None):
            """Sends an action. `foresee` is the model's: given actor and time it says what refuses it, if anything."""
            contract, now, account = contracts[registry], node.now, PEOPLE[actor]
            address, sender = ADDRESSES[actor], account.address
            if how == "call":
                refused = foresee(address, now)
                data = contract.data(action, *arguments)
            else:
                deadline = now - 1 if how == "late" else now + (0 if how == "forged" else 100)
                key = RELAYER.key if how == "forged" else account.key
                signed = world.sign(contract, action, arguments, account, nonce=nonce, deadline=deadline, key=key)
                data = contract.data(action + "WithSignature", *signed)
                refused = self.model.signed(registry, address, nonce, deadline, how != "forged", now)
                refused = refused or foresee(address, now)
                if not refused and nonce is not None:
                    self.model.used.add((registry, address, nonce))
                sender = RELAYER.address
            self.send(contract, data, sender, refused)

        def send(self, contract, data, sender, refused):
            counts["steps"] += 1
            if refused:
                counts["refused"] += 1
                counts[refused] += 1
                assert self.refusal(node.call, sender, contract.address, data) == refused
                return
            counts["done"] += 1
            receipt = node.send(sender, contract.address, data, GAS)
            if receipt["status"] != "0x1":
                raise world.refusal(node.reverted_with(receipt["transactionHash"]))
            assert int(receipt["blockNumber"], 16) > 0

        def refusal(self, call, *arguments):
            """The name of the error that a call reverts with, or None."""
            try:
                call(*arguments)
            except RpcError as error:
                return world.refusal(error.data).name
            return None

        def owner(self, actor, publisher):
            return publisher if actor is None else actor

        def release_id(self, publisher, name, version):
            typehash = keccak(
                text="ReleaseId(uint256 chainId,address registry,address publisher,string name,string version)"
            )
            words = [
                typehash,
                node.chain_id.to_bytes(32, "big"),
                bytes.fromhex(world.models.address[2:]).rjust(32, b"\0"),
                bytes.fromhex(publisher[2:]).rjust(32, b"\0"),
                keccak(text=name),
                keccak(text=version),
            ]
            return keccak(b"".join(words))

        def pick(self, number, among, otherwise):
            """One of what there is, or now and then something that there is not."""
            among = list(among)
            return among[number % len(among)] if among and number < 240 else otherwise

        def parents(self, numbers, relations, mess):
            known = list(self.model.releases)
            chosen = {(self.pick(number, known, keccak(text="nothing")), relations) for number in numbers}
            return tuple(sorted(chosen, reverse=mess)) * (1 + mess)

        def terms(self, number):
            return self.pick(number, self.model.terms, ZERO)

        # Publishers.

        @rule(wait=WAIT)
        def time_passes(self, wait):
            node.sleep(wait)

        @rule(
            who=WHO,
            delegate=WHO,
            scopes=st.sampled_from([15, 15, 1, 2, 4, 8, 3, 0, 16]),
            times=TIMES,
            how=HOW,
            nonce=NONCE,
        )
        def set_delegate(self, who, delegate, scopes, times, how, nonce):
            expires = 0 if scopes == 0 and times > 0 else max(0, min(FOREVER, node.now + times))
            arguments = [ADDRESSES[delegate], scopes, expires]
            self.act(
                "publishers",
                "setDelegate",
                arguments,
                who,
                lambda actor, now: self.model.set_delegate(actor, now, *arguments),
                how,
                nonce,
            )

        @rule(who=WHO, guardian=st.none() | WHO, how=HOW, nonce=NONCE)
        def set_guardian(self, who, guardian, how, nonce):
            address = ZERO_ADDRESS if guardian is None else ADDRESSES[guardian]
            self.act(
                "publishers",
                "setGuardian",
                [address],
                who,
                lambda actor, now: self.model.set_guardian(actor, now, address),
                how,
                nonce,
            )

        @rule(
            who=WHO,
            publisher=WHO,
            successor=st.none() | WHO,
            ago=st.sampled_from([0, 1, DAY, -1]),
            how=HOW,
            nonce=NONCE,
            sure=PICK,
        )
        def freeze(self, who, publisher, successor, ago, how, nonce, sure):
            if sure % 2:  # an end that comes too often ends every history
                return
            arguments = [
                ADDRESSES[publisher],
                ZERO_ADDRESS if successor is None else ADDRESSES[successor],
                node.now - ago,
            ]
            self.act(
                "publishers",
                "freeze",
                arguments,
                who,
                lambda actor, now: self.model.freeze(actor, now, *arguments),
                how,
                nonce,
            )

        @rule(registry=st.sampled_from(sorted(contracts)), who=WHO, nonce=NONCE)
        def cancel(self, registry, who, nonce):
            def foresee(actor, _):
                self.model.used.add((registry, actor, nonce))

            self.act(registry, "cancel", [nonce], who, foresee)

        # Releases.

        @rule(publisher=WHO, artifact=ARTIFACT, salt=SALT, who=WHO)
        def reserve(self, publisher, artifact, salt, who):
            commitment = self.commitment(ADDRESSES[publisher], artifact, salt)
            self.reserved.append((publisher, artifact, salt))
            self.act("models", "reserve", [commitment], who, lambda _, now: self.model.reserve(_, now, commitment))

        def commitment(self, publisher, artifact, salt):
            typehash = keccak(
                text="Reservation(uint256 chainId,address registry,address publisher,bytes32 artifact,bytes32 salt)"
            )
            addresses = [bytes.fromhex(word[2:]).rjust(32, b"\0") for word in (world.models.address, publisher)]
            return keccak(b"".join([typehash, node.chain_id.to_bytes(32, "big"), *addresses, artifact, salt]))

        @rule(
            publisher=WHO,
            actor=ACTOR,
            name=NAME,
            version=VERSION,
            artifact=ARTIFACT,
            salt=st.just(ZERO) | SALT,
            terms=PICK,
            parents=st.lists(PICK, max_size=2),
            relation=st.sampled_from([1, 5, 8, 10, 1, 5, 8, 0]),
            mess=st.sampled_from([False, False, False, True]),
            how=HOW,
        )
        def publish(self, publisher, actor, name, version, artifact, salt, terms, parents, relation, mess, how):
            release = (
                ADDRESSES[publisher],
                name,
                version,
                artifact,
                keccak(text="manifest"),
                self.terms(terms),
                ZERO,
                self.parents(parents, relation, mess),
            )
            identity = self.release_id(*release[:3])
            commitment = None if salt == ZERO else self.commitment(release[0], artifact, salt)
            self.act(
                "models",
                "publish",
                [release, salt],
                self.owner(actor, publisher),
                lambda actor, now: self.model.publish(actor, now, identity, release, commitment),
                how,
            )

        @rule(number=PICK, actor=ACTOR, name=NAME, version=VERSION, how=HOW)
        def reveal(self, number, actor, name, version, how):
            """Publishes what somebody reserved for: by chance alone it would seldom be met in time."""
            if self.reserved:
                publisher, artifact, salt = self.reserved[number % len(self.reserved)]
                self.publish(publisher, actor, name, version, artifact, salt, 255, [], 1, False, how)

        def existing(self, number, publisher, name, version):
            """(publisher, name, version) of a release that there is, most times."""
            return self.pick(
                number,
                [record[4][:3] for record in self.model.releases.values()],
                (ADDRESSES[publisher], name, version),
            )

        @rule(
            number=PICK,
            publisher=WHO,
            actor=ACTOR,
            name=NAME,
            version=VERSION,
            status=st.sampled_from([0, 1, 1, 1, 2]),
            reason=st.integers(0, 8),
            successor=st.none() | st.none() | st.tuples(NAME, VERSION),
            how=HOW,
            nonce=NONCE,
        )
        def set_status(self, number, publisher, actor, name, version, status, reason, successor, how, nonce):
            whose, name, version = self.existing(number, publisher, name, version)
            identity = self.release_id(whose, name, version)
            successor_id = successor and self.release_id(whose, *successor)
            self.act(
                "models",
                "setStatus",
                [(whose, name, version, status, reason, ZERO, *(successor or ("", "")))],
                self.owner(actor, ADDRESSES.index(whose)),
                lambda actor, now: self.model.set_status(actor, now, identity, whose, status, reason, successor_id),
                how,
                nonce,
            )

        # Anchors.

        @rule(
            publisher=WHO,
            actor=ACTOR,
            leaves=st.lists(st.tuples(NAME, VERSION, ARTIFACT), min_size=1, max_size=5),
            stranger=st.sampled_from([None, None, None, 0, 1]),
            terms=PICK,
            how=HOW,
        )
        def publish_anchor(self, publisher, actor, leaves, stranger, terms, how):
            releases = []
            for place, (name, version, artifact) in enumerate(leaves):
                owner = stranger if stranger is not None and place == 0 else publisher
                values = (ADDRESSES[owner], name, version, artifact, keccak(text="anchored"))
                releases.append((*values, self.terms(terms), ZERO, ()))
            root = tree.root([leaf_of(release) for release in releases])
            anchor = (ADDRESSES[publisher], root, len(releases), keccak(text="list"))
            identity = self.anchor_id(anchor)
            self.act(
                "models",
                "publishAnchor",
                [anchor],
                self.owner(actor, publisher),
                lambda actor, now: self.model.publish_anchor(actor, now, identity, anchor[0]),
                how,
            )
            self.anchors.append((anchor, releases))

        def anchor_id(self, anchor):
            text = "AnchorId(uint256 chainId,address registry,address publisher,bytes32 root,uint64 count,bytes32 list)"
            addresses = [bytes.fromhex(word[2:]).rjust(32, b"\0") for word in (world.models.address, anchor[0])]
            numbers = [number.to_bytes(32, "big") for number in (node.chain_id, anchor[2])]
            words = [keccak(text=text), numbers[0], *addresses, anchor[1], numbers[1], anchor[3]]
            return keccak(b"".join(words))

        @rule(number=PICK, actor=ACTOR, how=HOW)
        def publish_anchor_again(self, number, actor, how):
            if not self.anchors:
                return
            anchor, _ = self.anchors[number % len(self.anchors)]
            self.act(
                "models",
                "publishAnchor",
                [anchor],
                self.owner(actor, ADDRESSES.index(anchor[0])),
                lambda actor, now: self.model.publish_anchor(actor, now, self.anchor_id(anchor), anchor[0]),
                how,
            )

        @rule(number=PICK, actor=ACTOR, sure=PICK, how=HOW, nonce=NONCE)
        def withdraw_anchor(self, number, actor, sure, how, nonce):
            if not self.anchors or sure % 3:
                return
            anchor, _ = self.anchors[number % len(self.anchors)]
            self.act(
                "models",
                "withdrawAnchor",
                [anchor],
                self.owner(actor, ADDRESSES.index(anchor[0])),
                lambda actor, now: self.model.withdraw_anchor(actor, now, self.anchor_id(anchor), anchor[0]),
                how,
                nonce,
            )

        @rule(number=PICK, place=PICK, other=st.sampled_from([0, 0, 0, 1]), who=WHO)
        def promote(self, number, place, other, who):
            """Now and then with the proof of another leaf."""
            if self.anchors:
                arguments, expected = self.anchored(number, place, other)
                self.act("models", "promote", arguments, who, lambda *at: self.model.promote(*at, *expected))

        def anchored(self, number, place, other):
            """What an anchored release is shown by, and what the model is told of it."""
            anchor, releases = self.anchors[number % len(self.anchors)]
            place %= len(releases)
            index = (place + other) % len(releases)
            proof = tree.proof([leaf_of(release) for release in releases], index)
            release = releases[place]
            included = releases[index] == release
            expected = (self.anchor_id(anchor), anchor[0], included, self.release_id(*release[:3]), release)
            return [anchor, index, proof, release], expected

        # Licences.

        @rule(who=WHO, document=DOCUMENT, uses=st.sampled_from(STATES))
        def register_terms(self, who, document, uses):
            terms = keccak(keccak(text="Terms(bytes32 document,uint256 uses)") + document + uses.to_bytes(32, "big"))
            self.act(
                "licenses",
                "registerTerms",
                [document, uses],
                who,
                lambda actor, now: self.model.register_terms(actor, now, terms, uses),
            )

        @rule(
            number=PICK,
            publisher=WHO,
            actor=ACTOR,
            name=NAME,
            version=VERSION,
            grantee=st.none() | WHO,
            again=st.booleans(),
            uses=USES,
            start=TIMES,
            until=st.sampled_from([-1, 0, 1, 100, DAY, 8 * DAY, 8 * DAY, FOREVER]),
            irrevocable=st.booleans(),
            how=HOW,
            nonce=NONCE,
        )
        def set_grant(
            self, number, publisher, actor, name, version, grantee, again, uses, start, until, irrevocable, how, nonce
        ):
            whose, name, version = self.existing(number, publisher, name, version)
            grantee = ZERO_ADDRESS if grantee is None else ADDRESSES[grantee]
            if again and self.model.grants:
                identity, grantee = list(self.model.grants)[number % len(self.model.grants)]
                whose, name, version = self.model.releases[identity][4][:3]
            begins, ends = (max(0, min(FOREVER, node.now + offset)) for offset in (start, until))
            times = (0, 0, False) if uses == 0 and until > 0 else (begins, ends, irrevocable)
            grant = (whose, name, version, grantee, uses, *times)
            identity = self.release_id(whose, name, version)
            self.act(
                "licenses",
                "setGrant",
                [grant],
                self.owner(actor, ADDRESSES.index(whose)),
                lambda actor, now: self.model.set_grant(actor, now, identity, grant),
                how,
                nonce,
            )

        # Statements.

        @rule(
            issuer=WHO, actor=ACTOR, kind=st.integers(0, 7), subject=DOCUMENT, document=DOCUMENT, times=TIMES, how=HOW
        )
        def attest(self, issuer, actor, kind, subject, document, times, how):
            expires = max(0, min(FOREVER, node.now + times))
            statement = (ADDRESSES[issuer], kind, 1 + kind, subject, document, expires)
            identity = self.statement_id(statement)
            self.act(
                "statements",
                "attest",
                [statement],
                self.owner(actor, issuer),
                lambda actor, now: self.model.attest(actor, now, identity, statement),
                how,
            )

        def statement_id(self, statement):
            issuer, kind, subject_kind, subject, document, expires = statement
            text = (
                "StatementId(uint256 chainId,address registry,address issuer,uint8 kind,uint8 subjectKind,"
                "bytes32 subject,bytes32 document,uint48 expires)"
            )
            addresses = [bytes.fromhex(word[2:]).rjust(32, b"\0") for word in (world.statements.address, issuer)]
            kinds = [number.to_bytes(32, "big") for number in (kind, subject_kind)]
            head = [keccak(text=text), node.chain_id.to_bytes(32, "big"), *addresses]
            return keccak(b"".join([*head, *kinds, subject, document, expires.to_bytes(32, "big")]))

        @rule(number=PICK, actor=ACTOR, who=WHO, how=HOW, nonce=NONCE)
        def retract(self, number, actor, who, how, nonce):
            identity = self.pick(number, self.model.statements, keccak(text="nothing"))
            issuer = self.model.statements.get(identity, [ADDRESSES[who]])[0]
            self.act(
                "statements",
                "retract",
                [identity],
                self.owner(actor, ADDRESSES.index(issuer)),
                lambda actor, now: self.model.retract(actor, now, identity),
                how,
                nonce,
            )

        # Asking.

        @rule(number=PICK, account=st.none() | WHO, use=st.sampled_from([0, COMMERCIAL, COMMERCIAL, 5]), wait=WAIT)
        def ask_permission(self, number, account, use, wait):
            if not self.model.releases:
                return
            counts["steps"] += 1
            counts["asked"] += 1
            records = list(self.model.releases.items())
            identity, record = records[number % len(records)]
            address = ZERO_ADDRESS if account is None else ADDRESSES[account]
            at = node.now + wait
            state = world.licenses.permission(identity, hashed(record), address, use, at=at)
            assert state == self.model.permission(identity, address, use, at)

        @rule(number=PICK, place=PICK, other=st.sampled_from([0, 0, 0, 1]))
        def ask_anchored(self, number, place, other):
            if not self.anchors:
                return
            counts["steps"] += 1
            counts["asked"] += 1
            arguments, expected = self.anchored(number, place, other)
            data = world.models.data("verifyAnchored", *arguments)
            refused = self.refusal(node.call, RELAYER.address, world.models.address, data, node.now)
            assert refused == self.model.verify_anchored(*expected)

        @rule(publisher=WHO, actor=WHO, scope=st.sampled_from([1, 2, 4, 8]), wait=WAIT)
        def ask_authority(self, publisher, actor, scope, wait):
            counts["steps"] += 1
            counts["asked"] += 1
            at = node.now + wait
            refused = self.model.authority(ADDRESSES[publisher], ADDRESSES[actor], scope, at)
            data = world.publishers.data("checkAuthority", ADDRESSES[publisher], ADDRESSES[actor], scope)
            assert self.refusal(node.call, RELAYER.address, world.publishers.address, data, at) == refused
            assert world.publishers.guardianOf(ADDRESSES[publisher], at=at) == self.model.guardian(
                ADDRESSES[publisher], at
            )

        @rule(number=PICK, wait=WAIT)
        def ask_statement(self, number, wait):
            counts["steps"] += 1
            counts["asked"] += 1
            at = node.now + wait
            identity = self.pick(number, self.model.statements, keccak(text="nothing"))
            assert world.statements.isInForce(identity, at=at) == self.model.is_in_force(identity, at)

        # At the end, everything.

        def teardown(self):
            if not hasattr(self, "model"):
                return
            try:
                self.judge()
            finally:
                node.revert(self.before)

        def judge(self):
            model, ledger = self.model, Ledger(world, abis)
            for name, contract in contracts.items():
                assert contract.size() == ledger.sizes[contract._name] == model.sizes[name]
                assert contract.head() == ledger.heads[contract._name]
            assert ledger.versions.keys() == model.releases.keys()
            for identity, record_hash in ledger.versions.items():
                assert world.models.recordHashOf(identity) == record_hash
                assert world.models.statusOf(identity) == model.statuses.get(identity, (0, 0, 0, 0))
                assert ledger.statuses.get(identity, 0) == model.statuses.get(identity, (0,))[0]
                self.judge_permission(ledger, identity)
            assert ledger.claims == model.claims
            for artifact, claim in model.claims.items():
                assert world.models.firstClaim(artifact) == claim
            for commitment, since in model.reservations.items():
                assert world.models.reservedAt(commitment) == since
            for identity, entry in model.anchors.items():
                assert world.models.anchorOf(identity) == tuple(entry)
            for identity, entry in model.terms.items():
                assert world.licenses.termsOf(identity) == entry
            for key, entry in model.grants.items():
                assert world.licenses.grantOf(*key) == entry
            for identity, entry in model.statements.items():
                assert world.statements.statementOf(identity) == tuple(entry)
                assert (identity in ledger.retracted) == (entry[2] == 0)
            for publisher in ADDRESSES:
                assert world.publishers.freezeOf(publisher) == model.freezes.get(publisher, (ZERO_ADDRESS, 0, 0))
                assert world.publishers.trustedUntil(publisher) == model.trusted_until(publisher)
            for key, entry in model.delegations.items():
                assert world.publishers.delegationOf(*key) == entry
            for registry, actor, nonce in model.used:
                if nonce is not None:
                    assert contracts[registry].isNonceUsed(actor, nonce)

        def judge_permission(self, ledger, identity):
            """Whatever allows a use can be named: unknown, retracted and expired are never it."""
            record = self.model.releases[identity]
            for account in (ADDRESSES[0], ZERO_ADDRESS):
                at = node.now + DAY
                state = world.licenses.permission(identity, hashed(record), account, COMMERCIAL, at=at)
                stated = world.licenses.termsOf(record[4][5])[0] >> 2 * COMMERCIAL & 3
                granted = ledger.grants_for(identity, account, COMMERCIAL, at)
                assert state != ALLOWED or stated == ALLOWED or granted
                assert state != ALLOWED or ledger.statuses.get(identity, 0) != 2
                assert stated != UNKNOWN or granted or state != ALLOWED

    return Histories


def test_any_history_of_the_whole_system(world, builds, capsys):
    abis = [builds[name][0] for name in world.registries]
    counts, rounds, began = Counter(), 0, time.monotonic()
    try:
        while counts["steps"] < STEPS:
            left = STEPS - counts["steps"]
            machine = seed(SEED + rounds)(make_machine(world, abis, counts))
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=SHORT_HISTORIES + min(HISTORIES_OF_A_ROUND, left // STEPS_OF_A_HISTORY + 2),
                    stateful_step_count=STEPS_OF_A_HISTORY,
                    deadline=None,
                    database=None,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
            )
            rounds += 1
    finally:
        seconds = time.monotonic() - began
        with capsys.disabled():
            print(
                f"\n{counts['steps']} steps in {seconds:.0f} s ({counts['steps'] / seconds:.0f} a second): "
                f"{counts['done']} done, {counts['refused']} refused, {counts['asked']} asked. "
                f"SEED={SEED} STEPS={STEPS}"
            )
    assert counts["steps"] >= STEPS
    if STEPS >= LONG:
        assert {name for name in REFUSALS if not counts[name]} == set()
