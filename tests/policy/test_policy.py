"""Policy: read strictly, because a key that is misread would trust more than was meant."""

import json
import re
from typing import Any

import pytest
from world import ALICE, BOB, account

from registry.chain.records import Deployment
from registry.errors import InvalidPolicy
from registry.policy.catalogue import catalogue, catalogue_ids
from registry.policy.document import MAX_ACCOUNTS
from registry.policy.policy import MAX_POLICY_BYTES, Policy, parse_policy, parse_policy_json, parse_policy_toml
from registry.policy.terms import Use

NAMES = {"open": b"\x01" * 32, "closed": b"\x02" * 32}


def read(**keys: Any) -> Policy:
    return parse_policy({"version": 1} | keys, NAMES)


def test_the_defaults_trust_nobody_and_ask_to_run_the_exact_bytes() -> None:
    policy = read()
    assert policy == Policy()
    assert policy.to_json() == {
        "version": 1,
        "publishers": [],
        "uses": ["run"],
        "accept_conditional": [],
        "accept": ["exact"],
        "extra_files": [],
        "lineage": "trusted",
        "trust_successors": False,
        "disputes": [],
        "rulings": [],
        "require": [],
        "code": "trusted",
        "otherwise": "unknown",
    }


def test_json_and_toml_of_the_same_policy_have_one_digest_in_any_order() -> None:
    as_json = {
        "version": 1,
        "publishers": [account(BOB), {"id": account(ALICE).lower(), "until_block": 7}],
        "licenses": ["open", "terms:0x" + "02" * 32],
        "uses": ["commercial", "run", "run"],
        "accept": ["subset"],
        "extra_files": ["b", "a"],
        "otherwise": "refuse",
    }
    as_toml = f"""
        version = 1
        licenses = ["closed", "open"]
        uses = ["run", "commercial"]
        accept = ["subset", "exact"]
        extra_files = ["a", "b"]
        otherwise = "refuse"
        [[publishers]]
        id = "{account(ALICE)}"
        until_block = 7
        [[publishers]]
        id = "{account(BOB)}"
    """
    first = parse_policy_json(json.dumps(as_json, indent=1).encode(), NAMES)
    second = parse_policy_toml(as_toml.encode(), NAMES)
    assert first == second
    assert first.digest == second.digest
    assert first.uses == (Use.RUN, Use.COMMERCIAL)
    assert parse_policy(first.to_json(), {}) == first, "the normalised document is a policy, and needs no catalogue"


def test_every_key_is_part_of_the_digest() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"publishers": [account(ALICE)]},
        {"publishers": [{"id": account(ALICE), "until_block": 0}]},
        {"publishers": [account(ALICE, chain_id=1)]},
        {"licenses": ["open"]},
        {"uses": ["commercial"]},
        {"accept_conditional": ["run"]},
        {"accept": ["subset"]},
        {"extra_files": ["*"]},
        {"lineage": "declared"},
        {"otherwise": "refuse"},
    ]
    assert len({read(**change).digest for change in changes}) == len(changes)


def test_the_digest_is_a_fixed_vector() -> None:
    policy = parse_policy({"version": 1, "publishers": [account(ALICE)], "licenses": ["mit"]}, catalogue_names())
    assert policy.digest.hex() == "0b4abec8f3b27daca0ab0a7d27c4fb58ef6413e34e111dc48ae498a9d9f779ea"


def catalogue_names() -> dict[str, bytes]:
    return catalogue_ids(catalogue())


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (None, "A policy is an object"),
        ([], "A policy is an object"),
        ({}, "lacks the key “version”"),
        ({"version": 2}, "version"),
        ({"version": "1"}, "version"),
        ({"version": 1, "publisher": []}, "“publisher”, which is not known. Known are version, publishers"),
        ({"version": 1, "publishers": ALICE}, "publishers"),
        ({"version": 1, "publishers": [ALICE]}, f"Write eip155:CHAIN:{ALICE}"),
        ({"version": 1, "publishers": [account(ALICE)[:-1] + "7"]}, "publishers.0"),
        ({"version": 1, "publishers": ["release:0x" + "00" * 32]}, "is no account"),
        ({"version": 1, "publishers": [{"id": ALICE}]}, "publishers.0.id"),
        ({"version": 1, "publishers": [{"id": account(ALICE), "until": 1}]}, "“publishers.0.until”.* Known are id, un"),
        ({"version": 1, "publishers": [{"id": account(ALICE), "until_block": -1}]}, "until_block"),
        ({"version": 1, "publishers": [{"until_block": 1}]}, "lacks the key “publishers.0.id”"),
        (
            {"version": 1, "publishers": [account(ALICE), {"id": account(ALICE), "until_block": 1}]},
            "twice with different until_block",
        ),
        ({"version": 1, "licenses": ["gpl"]}, "“gpl”, which the catalogue does not have. Write one of closed, open"),
        ({"version": 1, "licenses": ["release:0x" + "00" * 32]}, "no terms id"),
        ({"version": 1, "licenses": []}, "licenses"),
        ({"version": 1, "uses": []}, "uses"),
        ({"version": 1, "uses": ["fly"]}, "uses.0"),
        ({"version": 1, "accept": ["changed"]}, "accept.0"),
        ({"version": 1, "extra_files": ["../*"]}, "extra_files.0"),
        ({"version": 1, "lineage": "any"}, "lineage"),
        ({"version": 1, "otherwise": "allow"}, "otherwise"),
    ],
)
def test_another_form_is_refused_with_a_sentence_that_names_the_key(policy: Any, says: str) -> None:
    with pytest.raises(InvalidPolicy, match=says if "*" in says else re.escape(says)):
        parse_policy(policy, NAMES)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"{",
        b'{"version":1,"version":1}',
        b"[" * 100_000,
        b" " * (MAX_POLICY_BYTES + 1),
        b'{"version":NaN}',
    ],
)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidPolicy):
        parse_policy_json(data, NAMES)


@pytest.mark.parametrize("data", [b"version", b"version = 1\nversion = 1", b"\xff", b"#" * (MAX_POLICY_BYTES + 1), b""])
def test_what_is_no_toml_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidPolicy):
        parse_policy_toml(data, NAMES)


def test_what_is_asked_of_statements_code_and_time_is_in_the_document_and_its_digest() -> None:
    audit = {"kind": "audit", "issuers": [account(BOB).lower(), account(ALICE), account(BOB)]}
    more = {
        "trust_successors": True,
        "account": account(BOB).lower(),
        "disputes": [account(BOB), account(ALICE), account(BOB)],
        "rulings": [account(ALICE)],
        "require": [audit, audit, {"kind": "endorsement", "issuers": [account(ALICE)], "about": ["account"]}],
        "code": "none",
        "finality": "finalized",
        "max_age": 60,
    }
    policy = read(**more)
    document = policy.to_json()
    assert document["account"] == account(BOB)
    assert document["disputes"] == [account(BOB), account(ALICE)]
    assert document["require"] == [
        {"kind": "audit", "issuers": document["disputes"], "about": ["artifact", "release"]},
        {"kind": "endorsement", "issuers": [account(ALICE)], "about": ["account"]},
    ]
    assert parse_policy(document, NAMES) == policy
    digests = {read(**{key: value}).digest for key, value in more.items()} | {read().digest, policy.digest}
    assert len(digests) == len(more) + 2


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"require": [{"kind": "dispute", "issuers": [account(ALICE)]}]}, "require.0.kind"),
        ({"require": [{"kind": "audit", "issuers": []}]}, "require.0.issuers"),
        ({"require": [{"kind": "audit"}]}, "require.0.issuers"),
        ({"require": [{"kind": "audit", "issuers": [account(ALICE)], "by": 1}]}, "Known are kind, issuers, about"),
        ({"require": [{"kind": "audit", "issuers": [ALICE]}]}, "does not say on which chain"),
        ({"disputes": [ALICE]}, "does not say on which chain"),
        ({"disputes": account(ALICE)}, "disputes"),
        ({"account": 1}, "account"),
        ({"code": "some"}, "code"),
        ({"finality": "probable"}, "finality"),
        ({"max_age": 0}, "max_age"),
        ({"max_age": True}, "max_age"),
        ({"max_age": "60"}, "max_age"),
        ({"trust_successors": 1}, "trust_successors"),
    ],
)
def test_what_is_misread_would_trust_more_and_is_refused(keys: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidPolicy, match=re.escape(named)):
        read(**keys)


def test_the_finality_that_is_not_given_is_that_of_the_chain() -> None:
    here = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    assert [read().finality_on(Deployment(chain, here)) for chain in (1, 1337, 31337)] == ["safe", "latest", "latest"]
    assert read(finality="finalized").finality_on(Deployment(31337, here)) == "finalized"


def test_the_accounts_of_all_lists_together_are_bounded_before_any_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def accounts(count: int) -> list[str]:
        return [f"eip155:1:0x{number:040x}" for number in range(count)]

    requirement = {"kind": "audit", "issuers": accounts(999)}
    lists = {"publishers": accounts(1000), "disputes": accounts(1000), "require": [requirement]}
    most = read(rulings=accounts(1), **lists)
    assert (len(most.publishers), len(most.disputes), len(most.require[0].issuers)) == (1000, 1000, 999)

    def unread(_text: str) -> Any:
        raise AssertionError("read")

    monkeypatch.setattr("registry.policy.document.parse_account", unread)
    teachers = {"outputs": "permitted", "teachers": accounts(2)}
    for more in ({"rulings": accounts(2)}, {"training_data": teachers}):
        with pytest.raises(InvalidPolicy, match=f"3,001 accounts together, and at most {MAX_ACCOUNTS:,} are taken"):
            read(**lists, **more)
