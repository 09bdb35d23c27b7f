"""Names, hashes and what a release must be, without a chain; tests/chain/test_model_registry.py compares with one."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.chain.records import (
    Deployment,
    Parent,
    Reason,
    Relation,
    Release,
    Status,
    check_name,
    check_release,
    check_version,
    genesis_head,
    release_id,
)
from registry.errors import InvalidRelease, UnknownLabel

PUBLISHER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
RELEASE = Release(PUBLISHER, "minilm", "1.0.0", b"\1" * 32, b"\2" * 32)
PARENTS = [Parent(bytes([index]) * 32, Relation.FINETUNE) for index in range(1, 66)]


def well_formed(text: str, longest: int, separators: str) -> bool:
    """The rule of the contract, said another way: `_wellFormed` of ModelRegistry.sol."""
    if not 0 < len(text) <= longest:
        return False
    separated = True
    for character in text:
        if character in "abcdefghijklmnopqrstuvwxyz0123456789":
            separated = False
        elif character not in separators or separated:
            return False
        else:
            separated = True
    return not separated


@pytest.mark.parametrize(("check", "longest", "separators"), [(check_name, 64, "._-"), (check_version, 32, "._-+")])
def test_names_and_versions_are_those_of_the_contract(check, longest, separators):
    texts = st.one_of(st.text("az09._-+AZ/ \n٣ä", max_size=70), st.text(max_size=70))

    @given(texts)
    def holds(text):
        if well_formed(text, longest, separators):
            check(text)
        else:
            with pytest.raises(InvalidRelease, match=r"\.$"):
                check(text)

    holds()
    check("a" * longest)
    with pytest.raises(InvalidRelease):
        check("a" * (longest + 1))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"publisher": PUBLISHER.lower()}, "EIP-55"),
        ({"name": "MiniLM"}, "a-z, 0-9"),
        ({"name": ""}, "1 to 64"),
        ({"version": "1..0"}, "single"),
        ({"artifact": bytes(32)}, "no artifact"),
        ({"manifest": bytes(32)}, "no manifest"),
        ({"terms": b"short"}, "32 bytes"),
        ({"parents": tuple(PARENTS)}, "at most 64"),
        ({"parents": (PARENTS[1], PARENTS[0])}, "ascending"),
        ({"parents": (PARENTS[0], PARENTS[0])}, "twice"),
    ],
)
def test_a_release_that_the_contract_would_refuse_is_refused_with_a_sentence(change, sentence):
    with pytest.raises(InvalidRelease, match=re.escape(sentence)):
        check_release(dataclasses.replace(RELEASE, **change))


def test_a_release_with_as_many_parents_as_there_may_be_is_taken():
    check_release(dataclasses.replace(RELEASE, parents=tuple(PARENTS[:64])))
    both = (Parent(b"\1" * 32, Relation.ADAPTER), Parent(b"\1" * 32, Relation.MERGE))
    check_release(dataclasses.replace(RELEASE, parents=both))


@pytest.mark.parametrize("kind", [Relation, Status, Reason])
def test_labels_and_members_are_inverse(kind):
    for member in kind:
        assert kind.from_label(member.label) is member
    with pytest.raises(UnknownLabel, match=kind(1).label):
        kind.from_label("no-such-thing")


@given(st.tuples(st.integers(1, 3), st.sampled_from("ab"), st.sampled_from(["1", "2"])))
def test_ids_and_genesis_heads_bind_the_deployment(choice):
    chain_id, name, version = choice
    here = Deployment(chain_id, PUBLISHER)
    elsewhere = Deployment(chain_id + 1, PUBLISHER)
    assert release_id(here, PUBLISHER, name, version) != release_id(elsewhere, PUBLISHER, name, version)
    assert release_id(here, PUBLISHER, name, version) != release_id(here, PUBLISHER, name + version, "")
    assert genesis_head(here) != genesis_head(elsewhere)
