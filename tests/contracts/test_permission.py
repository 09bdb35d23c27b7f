"""Permission: what a publisher says of a use, as another contract asks for it in one call."""

import itertools
from typing import NamedTuple

import brownie
import pytest
import requests
from eth_abi import decode, encode
from eth_utils import keccak
from oracle import FOREVER, TYPES, ZERO, ZERO_ADDRESS, hashed_record, replay, terms_id
from refusals import refuses

UNKNOWN, ALLOWED, CONDITIONAL, DENIED = range(4)
ACTIVE, DEPRECATED, REVOKED = range(3)
RUN, COMMERCIAL, REDISTRIBUTE, MODIFY, DISTIL, TRAIN = range(6)
STATES = [UNKNOWN, ALLOWED, CONDITIONAL, DENIED, UNKNOWN, DENIED]  # of the six uses, in the terms of these tests
USES = sum(state << 2 * use for use, state in enumerate(STATES))
DOCUMENT = keccak(text="a licence")
TERMS = terms_id(DOCUMENT, USES)
HASHED_RECORD = "(uint48,uint48,address,uint48,(address,bytes32,bytes32,bytes32,bytes32,bytes32,bytes32,bytes32))"


@pytest.fixture
def registered(licenses, stranger):
    licenses.registerTerms(DOCUMENT, USES, {"from": stranger})


@pytest.fixture
def record(models, publish, web3, registered):
    """Id and hashed record of a release under the terms."""
    identity = publish(name="model", version="1", terms=TERMS, parents=[(publish(), 1)])
    return identity, hashed_record(replay(web3, models.address).records[identity])


@pytest.fixture
def grant(licenses, publisher):
    def send(grantee, uses, start=0, until=FOREVER, name="model", version="1"):
        values = (publisher.address, name, version, str(grantee), uses, start, until, False)
        return licenses.setGrant(values, {"from": publisher})

    return send


class Granted(NamedTuple):
    uses: int
    start: int
    until: int
    since: int


class Case(NamedTuple):
    """A release in the model: all that a permission depends on."""

    registered: bool
    status: int
    timestamp: int
    grants: dict  # grantee -> Granted


def expected(case, account, use, trusted, moment):
    """The rule, as the interface's comment says it."""
    if case.status == REVOKED or case.timestamp > trusted:
        return DENIED
    for grantee in {account, ZERO_ADDRESS}:
        grant = case.grants.get(grantee, Granted(0, 0, 0, 0))
        if grant.uses >> use & 1 and grant.start <= moment < grant.until and grant.since <= trusted:
            return ALLOWED
    return STATES[use] if case.registered else UNKNOWN


def ask_all(web3, licenses, questions):
    """Many calls of `permission` in one request."""
    selector = keccak(text=f"permission(bytes32,{HASHED_RECORD},address,uint8)")[:4]
    kinds = ["bytes32", HASHED_RECORD, "address", "uint8"]
    calls = [
        {
            "jsonrpc": "2.0",
            "id": number,
            "method": "eth_call",
            "params": [{"to": licenses.address, "data": "0x" + (selector + encode(kinds, values)).hex()}, "latest"],
        }
        for number, values in enumerate(questions)
    ]
    answers = requests.post(web3.provider.endpoint_uri, json=calls, timeout=60).json()
    answers.sort(key=lambda answer: answer["id"])
    return [decode(["uint8"], bytes.fromhex(answer["result"][2:]))[0] for answer in answers]


def test_the_whole_truth_table(
    models, licenses, publish, publisher, stranger, guardian, set_guardian, set_status, registered, grant, freeze, now,
    later, web3,
):  # fmt: skip
    """Terms × status × a grant to the account × one to everyone × when the publisher's key was lost × every use."""
    set_guardian()
    later(7 * 24 * 3600)  # from now on it can say that the key was lost even earlier
    grantee = stranger.address
    kinds = ["none", "in force", "to come", "expired", "retracted"]
    soon, late = now() + 10_000, now() + 1_000_000
    spans = {"in force": (0, late), "to come": (late - 1, late), "expired": (0, soon), "retracted": (0, late)}
    cases = {}
    combinations = itertools.product([True, False], [ACTIVE, DEPRECATED, REVOKED], kinds, kinds)
    for number, (known, status, to_account, to_everyone) in enumerate(combinations):
        version = str(number)
        identity = publish(name="model", version=version, terms=TERMS if known else ZERO)
        cases[identity] = (version, status, to_account, to_everyone, known)
    recorded = later(100)
    later(100)
    model = {}
    for identity, (version, status, to_account, to_everyone, known) in cases.items():
        grants = {}
        for to, kind, uses in ((grantee, to_account, 0b001111), (ZERO_ADDRESS, to_everyone, 0b011100)):
            if kind == "none":
                continue
            tx = grant(to, uses, *spans[kind], version=version)
            if kind == "retracted":
                tx = grant(to, 0, 0, 0, version=version)
                uses, span = 0, (0, 0)
            else:
                span = spans[kind]
            grants[to] = Granted(uses, *span, tx.timestamp)
        if status != ACTIVE:
            set_status("model", version, status)
        model[identity] = Case(known, status, 0, grants)
    records = replay(web3, models.address).records
    model = {identity: case._replace(timestamp=records[identity][1]) for identity, case in model.items()}
    hashed = {identity: hashed_record(records[identity]) for identity in model}
    middle = sorted(case.grants[grantee].since for case in model.values() if grantee in case.grants)[20]
    moment = later(20_000)

    seen = set()
    for trusted in (FOREVER, middle, recorded, records[next(iter(model))][1], 0):
        if trusted != FOREVER:
            freeze(trusted, by=guardian)
            moment = now()
        places = list(itertools.product(model, [grantee, ZERO_ADDRESS], range(6)))
        answers = ask_all(
            web3, licenses, [(identity, hashed[identity], account, use) for identity, account, use in places]
        )
        for (identity, account, use), answer in zip(places, answers, strict=True):
            assert answer == expected(model[identity], account, use, trusted, moment), (cases[identity], account, use)
        seen |= {(trusted, answer) for answer in answers}
    assert seen >= {(FOREVER, state) for state in range(4)}
    assert {answer for trusted, answer in seen if trusted == 0} == {DENIED}


@pytest.mark.parametrize("use", range(6))
def test_without_a_grant_it_is_what_the_terms_say(licenses, record, stranger, use):
    assert licenses.permission(*record, stranger, use) == STATES[use]


def test_terms_that_nobody_registered_are_unknown(licenses, models, publish, stranger, web3):
    identity = publish(terms=TERMS)
    hashed = hashed_record(replay(web3, models.address).records[identity])
    assert {int(licenses.permission(identity, hashed, stranger, use)) for use in range(6)} == {UNKNOWN}
    licenses.registerTerms(DOCUMENT, USES, {"from": stranger})  # which anyone may make up for
    assert [int(licenses.permission(identity, hashed, stranger, use)) for use in range(6)] == STATES


@pytest.mark.parametrize("use", [RUN, REDISTRIBUTE, MODIFY, DISTIL])
def test_a_grant_permits_what_the_terms_do_not(licenses, record, stranger, grant, use):
    grant(stranger, 1 << use)
    assert licenses.permission(*record, stranger, use) == ALLOWED
    assert licenses.permission(*record, ZERO_ADDRESS, use) == STATES[use]


def test_a_grant_of_one_use_is_not_of_another(licenses, record, stranger, grant):
    grant(stranger, 1 << MODIFY)
    answers = [int(licenses.permission(*record, stranger, use)) for use in range(6)]
    assert answers == [ALLOWED if use == MODIFY else state for use, state in enumerate(STATES)]


def test_a_grant_to_everyone_is_one_to_each(licenses, record, stranger, accounts, grant):
    grant(ZERO_ADDRESS, 1 << MODIFY)
    for account in (stranger, accounts[5], ZERO_ADDRESS):
        assert licenses.permission(*record, account, MODIFY) == ALLOWED


def test_a_grant_takes_nothing_away(licenses, record, stranger, grant):
    grant(stranger, 1 << MODIFY)
    assert licenses.permission(*record, stranger, COMMERCIAL) == ALLOWED


def test_a_grant_counts_from_its_first_second_to_before_its_last(licenses, record, stranger, grant, now, warp):
    start, until = now() + 100, now() + 200
    grant(stranger, 1 << MODIFY, start, until)
    for moment, state in ((start - 1, DENIED), (start, ALLOWED), (until - 1, ALLOWED), (until, DENIED)):
        warp(moment)
        assert licenses.permission(*record, stranger, MODIFY) == state


def test_a_grant_of_another_release_is_not_of_this_one(licenses, record, publish, stranger, grant):
    publish(name="other", version="1")
    grant(stranger, 1 << MODIFY, name="other")
    assert licenses.permission(*record, stranger, MODIFY) == DENIED


def test_a_deprecated_release_keeps_its_permissions(licenses, record, stranger, set_status):
    set_status("model", "1", DEPRECATED)
    assert [int(licenses.permission(*record, stranger, use)) for use in range(6)] == STATES


def test_a_revoked_one_allows_nothing(licenses, record, stranger, grant, set_status):
    grant(stranger, 63)
    set_status("model", "1", REVOKED)
    assert {int(licenses.permission(*record, stranger, use)) for use in range(6)} == {DENIED}


def test_a_record_of_the_second_in_which_the_key_was_lost_still_counts(licenses, record, stranger, freeze):
    freeze(record[1][1])
    assert licenses.permission(*record, stranger, COMMERCIAL) == ALLOWED


def test_one_of_the_next_second_does_not(licenses, record, stranger, freeze):
    freeze(record[1][1] - 1)
    assert licenses.permission(*record, stranger, COMMERCIAL) == DENIED


def test_a_reservation_does_not_make_a_record_older_than_the_loss(
    licenses, models, publish, publisher, stranger, registered, freeze, later, web3
):
    salt, artifact = keccak(text="salt"), keccak(text="bytes")
    models.reserve(models.reservationOf(publisher, artifact, salt), {"from": stranger})
    lost = later(100)
    later(100)
    identity = publish(artifact=artifact, salt=salt, terms=TERMS)
    values = replay(web3, models.address).records[identity]
    assert values[3] < lost < values[1]
    freeze(lost)
    assert licenses.permission(identity, hashed_record(values), stranger, COMMERCIAL) == DENIED


def test_a_grant_of_the_second_in_which_the_key_was_lost_still_counts(licenses, record, stranger, grant, freeze):
    since = grant(stranger, 1 << MODIFY).timestamp
    freeze(since)
    assert licenses.permission(*record, stranger, MODIFY) == ALLOWED


def test_one_of_the_next_second_does_not_and_the_terms_speak(licenses, record, stranger, grant, freeze, later):
    later(10)
    since = grant(stranger, (1 << MODIFY) | (1 << COMMERCIAL)).timestamp
    freeze(since - 1)
    assert licenses.permission(*record, stranger, MODIFY) == DENIED
    assert licenses.permission(*record, stranger, COMMERCIAL) == ALLOWED


def test_a_grant_that_was_set_again_after_the_loss_counts_no_more(licenses, record, stranger, grant, freeze, later):
    """It fails closed: what it was before is not held."""
    lost = grant(stranger, 1 << MODIFY).timestamp
    later(10)
    grant(stranger, 63)
    freeze(lost)
    assert licenses.permission(*record, stranger, MODIFY) == DENIED


FIELDS = [
    *(("record", place, name) for place, (name, _) in enumerate(TYPES["Record"][:4])),
    *(("release", place, name) for place, (name, _) in enumerate(TYPES["Release"])),
]


@pytest.mark.parametrize(("part", "place", "name"), FIELDS, ids=[name for _, _, name in FIELDS])
def test_any_changed_field_is_refused(licenses, record, stranger, part, place, name):
    identity, values = record

    def change(fields):
        value = fields[place]
        others = {bytes: keccak, int: lambda number: number + 1, str: lambda _: "0x" + "11" * 20}
        other = others[type(value)](value)
        return (*fields[:place], other, *fields[place + 1 :])

    changed = change(values) if part == "record" else (*values[:4], change(values[4]))
    with refuses("RecordMismatch", identity):
        licenses.permission(identity, changed, stranger, RUN)


def test_a_record_is_held_under_its_own_id_only(licenses, record, publish, stranger):
    for identity in (publish(), keccak(text="nothing"), ZERO):
        with refuses("RecordMismatch", identity):
            licenses.permission(identity, record[1], stranger, RUN)


def test_there_are_six_uses(licenses, record, stranger):
    with brownie.reverts():
        licenses.permission(*record, stranger, 6)
