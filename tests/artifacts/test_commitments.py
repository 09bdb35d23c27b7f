"""Commitments to records: the tree, its proofs, and what is none."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.artifacts.canonical import canonical
from registry.artifacts.commitments.commitment import Commitment, leaf_hash, new_key, parse_commitment
from registry.artifacts.commitments.kept import KeptSet, kept_roots
from registry.artifacts.commitments.normalising import normalised
from registry.artifacts.commitments.proofs import (
    Exclusion,
    Inclusion,
    check_proof,
    check_record,
    meaning,
    parse_proof,
    write_proof,
)
from registry.errors import (
    InvalidCommitment,
    InvalidDocument,
    InvalidRecord,
    ProofRefused,
)
from tests.artifacts.committing import committed, lines, proven, reference

line = st.binary(max_size=12).filter(lambda record: b"\n" not in record)
records = st.lists(line, min_size=1, max_size=40)


def checked(proof: bytes, root: bytes, record: bytes) -> None:
    read = parse_proof(proof)
    check_proof(read, root)
    check_record(read, record, None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(records, line, st.booleans())
def test_every_member_is_proven_to_be_one_and_nothing_else_is(
    tmp_path_factory: pytest.TempPathFactory, found: list[bytes], other: bytes, keyed: bool
) -> None:
    tmp_path = tmp_path_factory.mktemp("set")
    key = bytes(range(32)) if keyed else None
    done = committed(tmp_path, lines(tmp_path, found), key=key)
    assert (done.records, done.commitment.count) == (len(found), len(set(found)))
    assert done.commitment.tree == reference(found, key)
    assert parse_commitment(done.commitment.document) == done.commitment
    for record in {*found, other}:
        proof = parse_proof(write_proof(proven(tmp_path, done.commitment, record, key)))
        check_proof(proof, done.commitment.root)
        check_record(proof, record, key)
        assert isinstance(proof, Inclusion if record in found else Exclusion)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(records, line, st.data())
def test_no_proof_that_was_changed_holds(
    tmp_path_factory: pytest.TempPathFactory, found: list[bytes], record: bytes, data: st.DataObject
) -> None:
    tmp_path = tmp_path_factory.mktemp("set")
    root = committed(tmp_path, lines(tmp_path, found)).commitment.root
    with KeptSet(tmp_path / "kept", root) as kept:
        proof = kept.prove(leaf_hash(record))
    whole = write_proof(proof)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = (
        whole[:at] + bytes([data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))]) + whole[at + 1 :]
    )
    with pytest.raises((ProofRefused, InvalidCommitment, InvalidDocument)):
        checked(changed, root, record)


def test_neighbours_that_are_swapped_far_apart_or_missing_prove_nothing(tmp_path: Path) -> None:
    done = committed(tmp_path, lines(tmp_path, [b"%d" % number for number in range(100)]))
    root = done.commitment.root
    with KeptSet(tmp_path / "kept", root) as kept:
        leaf = next(leaf_hash(b"x%d" % n) for n in range(1000) if b"\x40" < leaf_hash(b"x%d" % n) < b"\x60")
        proof = kept.prove(leaf)
        assert isinstance(proof, Exclusion)
        assert proof.before is not None
        assert proof.after is not None
        further = kept.prove(bytes(32))
        assert isinstance(further, Exclusion)
        assert further.before is None
        last = kept.prove(b"\xff" * 32)
        assert isinstance(last, Exclusion)
        assert last.after is None
        member = kept.prove(proof.before.hash)
    assert isinstance(member, Inclusion)
    wrong = [
        replace(proof, before=proof.after, after=proof.before),
        replace(proof, before=None),
        replace(proof, after=None),
        replace(proof, before=None, after=None),
        replace(proof, after=last.before),
        replace(proof, before=None, after=further.after),
        replace(proof, hash=proof.before.hash),
        replace(proof, commitment=replace(done.commitment, count=99)),
        replace(member, leaf=replace(member.leaf, index=member.leaf.index + 1)),
        replace(member, commitment=replace(done.commitment, mode="keyed")),
    ]
    for one in wrong:
        with pytest.raises(ProofRefused):
            check_proof(one, root)
    for one in (proof, member, further, last):
        check_proof(one, root)
    with pytest.raises(ProofRefused, match="another commitment"):
        check_proof(proof, bytes(32))


def test_a_wrong_count_is_another_commitment_and_its_proofs_lead_elsewhere(tmp_path: Path) -> None:
    done = committed(tmp_path, lines(tmp_path, [b"%d" % number for number in range(5)]))
    proof = proven(tmp_path, done.commitment, b"3")
    for count in (4, 6, 8):
        other = replace(done.commitment, count=count)
        assert other.root != done.commitment.root
        if isinstance(proof, Inclusion) and proof.leaf.index >= count:
            continue
        moved = replace(proof, commitment=other)
        try:
            check_proof(moved, other.root)
        except ProofRefused:
            continue
        # A path may fit another count; the root binds the right one, so that this is a proof of another commitment.
        with pytest.raises(ProofRefused):
            check_proof(moved, done.commitment.root)


def test_a_keyed_set_is_tested_with_its_key_alone(tmp_path: Path) -> None:
    key, found = new_key(), [b"one", b"two"]
    path = lines(tmp_path, found)
    keyed, opened = committed(tmp_path, path, key=key), committed(tmp_path, path)
    assert keyed.commitment.tree != opened.commitment.tree
    proof = proven(tmp_path, keyed.commitment, b"one", key)
    check_proof(proof, keyed.commitment.root)
    check_record(proof, b"one", key)
    for wrong, why in ((None, "keyed"), (new_key(), "another key")):
        with pytest.raises(ProofRefused, match=why):
            check_record(proof, b"one", wrong)
    with pytest.raises(ProofRefused, match="open"):
        check_record(proven(tmp_path, opened.commitment, b"one"), b"one", key)
    assert isinstance(proven(tmp_path, keyed.commitment, b"one", new_key()), Exclusion)


def test_what_a_proof_means_is_said_in_one_sentence(tmp_path: Path) -> None:
    done = committed(tmp_path, lines(tmp_path, [b"one", b"two"]))
    inside, outside = (proven(tmp_path, done.commitment, record) for record in (b"one", b"three"))
    assert meaning(inside, of_record=True).startswith("This record is one of the 2 records that were committed to;")
    assert "none of the 2 records" in meaning(outside, of_record=True)
    assert "stand in order" in meaning(outside, of_record=True)
    assert inside.hash.hex() in meaning(inside, of_record=False)
    for proof in (inside, outside):
        assert meaning(proof, of_record=True).endswith("what a training run read is not shown.")


def test_normalisations_are_what_they_are_called() -> None:
    assert normalised(b" e\xcc\x81 \r", "bytes") == b" e\xcc\x81 \r"
    assert normalised(b"e\xcc\x81", "text-nfc") == "é".encode()
    assert normalised(b'{"b": 1.0, "a": "e"}', "json-rfc8785") == b'{"a":"e","b":1}'
    for record, how in (
        (b"\xff", "text-nfc"),
        (b"{", "json-rfc8785"),
        (b'{"a":1,"a":2}', "json-rfc8785"),
        (b'{"id":9007199254740993}', "json-rfc8785"),
        (b'{"id":-1234567890123456789}', "json-rfc8785"),
        (b"9" * 400, "json-rfc8785"),
        (b"", "json-rfc8785"),
    ):
        with pytest.raises(InvalidRecord):
            normalised(record, how)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_normal_form_is_its_own(number: float) -> None:
    once = normalised(json.dumps([number]).encode(), "json-rfc8785")
    assert normalised(once, "json-rfc8785") == once


@given(st.integers(-(2**70), 2**70), st.integers(-(2**10), 2**10))
def test_no_two_integers_have_one_normal_form(number: int, apart: int) -> None:
    found = set()
    for one in {number, number + apart}:
        with contextlib.suppress(InvalidRecord):
            found.add((one, normalised(str(one).encode(), "json-rfc8785")))
    assert len({form for _, form in found}) == len(found)


def test_a_line_that_has_no_such_form_is_named(tmp_path: Path) -> None:
    path = lines(tmp_path, [b'{"a": 1}', b"\xff\xfe", b"{}"])
    with pytest.raises(InvalidRecord, match=r"line 2 .*not UTF-8"):
        committed(tmp_path, path, normalisation="text-nfc")
    with pytest.raises(InvalidRecord, match=r"line 2 .*not JSON"):
        committed(tmp_path, path, normalisation="json-rfc8785")
    assert kept_roots(tmp_path / "kept") == []
    assert committed(tmp_path, path).commitment.count == 3


@pytest.mark.parametrize(
    "change",
    [
        {"type": "x"},
        {"mode": "half"},
        {"unit": "word"},
        {"normalisation": "lower"},
        {"count": 0},
        {"count": True},
        {"count": 1.5},
        {"count": 1 << 41},
        {"tree": "00"},
        {"tree": "G" * 64},
        {"tree": "00" * 31 + "  "},
        {"tree": "A" * 64},
        {"more": 1},
    ],
    ids=lambda change: next(iter(change)) + "=" + str(next(iter(change.values())))[:8],
)
def test_what_is_no_commitment(change: dict[str, object]) -> None:
    good = Commitment("open", "line", "bytes", 3, bytes(32))
    assert parse_commitment(good.document) == good
    with pytest.raises(InvalidCommitment):
        parse_commitment(canonical(good.to_json() | change))
    with pytest.raises(InvalidDocument):
        parse_commitment(json.dumps(good.to_json(), indent=1).encode())


@pytest.mark.parametrize(
    "value", [{}, [], 1, {"kind": "inclusion"}, {"leaf": {"index": -1, "hash": "00" * 32, "path": []}}, {"leaf": None}]
)
def test_what_is_no_proof(value: object) -> None:
    good = {
        "type": "https://model-provenance-registry.org/commitment-proof/v1",
        "kind": "inclusion",
        "commitment": Commitment("open", "line", "bytes", 1, bytes(32)).to_json(),
        "leaf": {"index": 0, "hash": "00" * 32, "path": []},
    }
    assert isinstance(parse_proof(canonical(good)), Inclusion)
    changed = good | value if isinstance(value, dict) and "leaf" in value else value
    with pytest.raises(InvalidCommitment):
        parse_proof(canonical(changed))
    with pytest.raises(InvalidCommitment):
        parse_proof(canonical(good | {"leaf": {"index": 0, "hash": "00" * 32, "path": ["00" * 32] * 65}}))
