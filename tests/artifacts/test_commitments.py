"""Commitments to records: the tree, its proofs, and building it from files in bounded memory."""

import contextlib
import hashlib
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.artifacts.canonical import canonical
from registry.artifacts.commitments.building import Asked, Committed, commit
from registry.artifacts.commitments.commitment import Commitment, entry_of, leaf_hash, new_key, parse_commitment
from registry.artifacts.commitments.kept import BLOCK, KeptSet, kept_roots
from registry.artifacts.commitments.normalising import LONGEST_RECORD, normalised
from registry.artifacts.commitments.proofs import (
    Exclusion,
    Inclusion,
    Proof,
    check_proof,
    check_record,
    meaning,
    parse_proof,
    write_proof,
)
from registry.artifacts.commitments.runs import Range, merged, ranges, write_run
from registry.artifacts.commitments.sources import PART, source_file
from registry.errors import (
    EmptySet,
    FileChanged,
    InvalidCommitment,
    InvalidDocument,
    InvalidRecord,
    PathMissing,
    ProofRefused,
    SetNotKept,
    StoreBusy,
    StoreFull,
)

line = st.binary(max_size=12).filter(lambda record: b"\n" not in record)
records = st.lists(line, min_size=1, max_size=40)


def lines(tmp_path: Path, found: list[bytes], name: str = "records.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(b"".join(record + b"\n" for record in found))
    return path


def committed(tmp_path: Path, *files: Path, key: bytes | None = None, **how: object) -> Committed:
    asked = Asked(tuple(source_file(file) for file in files), "line", "bytes", key)
    return commit(replace(asked, **how), tmp_path / "kept")


def proven(tmp_path: Path, commitment: Commitment, record: bytes, key: bytes | None = None) -> Proof:
    with KeptSet(tmp_path / "kept", commitment.root) as kept:
        return kept.prove(leaf_hash(entry_of(record, key)))


def checked(proof: bytes, root: bytes, record: bytes) -> None:
    read = parse_proof(proof)
    check_proof(read, root)
    check_record(read, record, None)


def reference(found: list[bytes], key: bytes | None = None) -> bytes:
    """The root as the definition of RFC 6962, section 2.1, has it, word for word."""

    def mth(hashes: list[bytes]) -> bytes:
        if len(hashes) == 1:
            return hashes[0]
        split = 1 << (len(hashes) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + mth(hashes[:split]) + mth(hashes[split:])).digest()

    return mth(sorted({hashlib.sha256(b"\x00" + entry_of(record, key)).digest() for record in found}))


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


def test_lines_end_where_a_line_feed_stands_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\n\n two \n\nlast")
    done = committed(tmp_path, path)
    assert (done.records, done.duplicates) == (5, 1)
    for record in (b"one\r", b"", b" two ", b"last"):
        assert isinstance(proven(tmp_path, done.commitment, record), Inclusion)
    assert isinstance(proven(tmp_path, done.commitment, b"one"), Exclusion)


def test_nothing_is_no_set(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_bytes(b"")
    for files in ((), (empty,)):
        with pytest.raises(EmptySet):
            committed(tmp_path, *files)


def test_files_are_records_of_any_size(tmp_path: Path) -> None:
    big, small = tmp_path / "big", tmp_path / "small"
    with big.open("wb") as stream:
        stream.truncate(LONGEST_RECORD + 1)
    small.write_bytes(b"small")
    done = committed(tmp_path, big, small, unit="file")
    assert done.commitment.count == 2
    assert isinstance(proven(tmp_path, done.commitment, b"small"), Inclusion)
    with KeptSet(tmp_path / "kept", done.commitment.root) as kept, big.open("rb") as stream:
        digest = hashlib.sha256(b"\x00")
        for piece in iter(lambda: stream.read(1 << 20), b""):
            digest.update(piece)
        assert isinstance(kept.prove(digest.digest()), Inclusion)
    with pytest.raises(InvalidRecord, match="longer than"):
        committed(tmp_path, big, unit="file", normalisation="text-nfc")


def test_a_line_without_end_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "endless.txt"
    with path.open("wb") as stream:
        stream.write(b"first\n")
        stream.truncate(2 << 30)
    with pytest.raises(InvalidRecord, match="a line of more than"):
        committed(tmp_path, path)


def test_lines_across_parts_are_read_once(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    long = b"x" * (PART // 3)
    found = [b"%d" % number + long for number in range(10)]
    found[4] = b"y" * (PART - 3)
    lines(tmp_path, found, "lines.txt")
    done = committed(tmp_path, path)
    assert (done.records, done.commitment.tree) == (10, reference(found))
    exact = lines(tmp_path, [b"z" * (PART - 1), b"a", b"b" * (2 * PART - 3)], "exact.txt")
    assert committed(tmp_path, exact).commitment.tree == reference([b"z" * (PART - 1), b"a", b"b" * (2 * PART - 3)])


def test_many_records_have_the_root_of_the_definition(tmp_path: Path) -> None:
    found = [b"%d" % (number % 30_000) for number in range(40_000)]
    done = committed(tmp_path, lines(tmp_path, found[:25_000]), lines(tmp_path, found[25_000:], "more.txt"))
    assert (done.records, done.duplicates, done.commitment.count) == (40_000, 10_000, 30_000)
    assert done.commitment.tree == reference(found)
    with KeptSet(tmp_path / "kept", done.commitment.root) as kept:
        kept.verify()
        for index in (0, BLOCK - 1, BLOCK, 7 * BLOCK, 29_999):
            check_proof(kept.prove(sorted({leaf_hash(one) for one in found})[index]), done.commitment.root)


def test_runs_are_merged_by_ranges_that_hold_everything_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.artifacts.commitments.runs._MOST", 4096)
    near = [bytes(28) + bytes([n >> 8, n & 255, 0, 1]) for n in range(600)]  # as somebody who chose them would
    hashes = [leaf_hash(b"%d" % number) for number in range(3_000)] + near + [b"\xff" * 32]
    runs = [tmp_path / name for name in ("a", "b")]
    write_run(runs[0], hashes[:2_000] * 2)
    write_run(runs[1], hashes[1_000:])
    found = ranges(runs)
    assert len(found) > 1 and len({piece.name for piece in found}) == len(found)
    assert b"".join(merged(runs, piece) for piece in found) == b"".join(sorted(hashes))
    assert merged(runs, Range(0, 1 << 64)) == b"".join(sorted(hashes))


def _commit_with_little_room(path: Path, kept: Path, result: "multiprocessing.Queue[str]") -> None:
    """In a process of its own: no file may grow beyond 256 KiB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 10, 256 << 10))
    try:
        commit(Asked((source_file(path),), "line", "bytes"), kept)
    except StoreFull as error:
        result.put(error.message)


def test_where_the_disk_is_full_it_is_said_and_the_same_command_goes_on(tmp_path: Path) -> None:
    path = lines(tmp_path, [b"%d" % number for number in range(20_000)])
    context = multiprocessing.get_context("spawn")
    result: multiprocessing.Queue[str] = context.Queue()
    process = context.Process(target=_commit_with_little_room, args=(path, tmp_path / "kept", result))
    process.start()
    assert "Make room, and run the command again" in result.get(timeout=60)
    process.join()
    assert kept_roots(tmp_path / "kept") == []
    done = committed(tmp_path, path)
    assert kept_roots(tmp_path / "kept") == [done.commitment.root]
    assert done.commitment.tree == reference([b"%d" % number for number in range(20_000)])


def test_a_file_that_changed_meanwhile_is_not_committed_to(tmp_path: Path) -> None:
    path = lines(tmp_path, [b"one"])
    asked = Asked((source_file(path),), "line", "bytes")
    path.write_bytes(b"two\nthree\n")
    with pytest.raises(FileChanged):
        commit(asked, tmp_path / "kept")
    path.unlink()
    with pytest.raises(PathMissing):
        commit(asked, tmp_path / "kept")


def test_leaves_that_were_changed_are_not_proven_from(tmp_path: Path) -> None:
    done = committed(tmp_path, lines(tmp_path, [b"%d" % number for number in range(10)]))
    leaves = tmp_path / "kept" / done.commitment.root.hex() / "leaves"
    whole = leaves.read_bytes()
    leaves.write_bytes(whole[:32] + bytes(32) + whole[64:])
    with KeptSet(tmp_path / "kept", done.commitment.root) as kept:
        with pytest.raises(SetNotKept):
            kept.prove(bytes(31) + b"\x01")
        with pytest.raises(SetNotKept):
            kept.verify()
    leaves.write_bytes(whole[:-1])
    with pytest.raises(SetNotKept):
        KeptSet(tmp_path / "kept", done.commitment.root)
    with pytest.raises(SetNotKept, match="not kept here"):
        KeptSet(tmp_path / "kept", bytes(32))


def test_two_do_not_do_the_same_work_at_once(tmp_path: Path) -> None:
    import fcntl

    asked = Asked((source_file(lines(tmp_path, [b"one"])),), "line", "bytes")
    work = tmp_path / "kept" / "work"
    work.mkdir(parents=True)
    with (work / f"{asked.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreBusy):
            commit(asked, tmp_path / "kept")
    assert commit(asked, tmp_path / "kept").commitment.count == 1


COMMIT = """
import sys
from pathlib import Path
from registry.artifacts.commitments.building import Asked, commit
from registry.artifacts.commitments.sources import source_file
if __name__ == "__main__":
    done = commit(Asked((source_file(Path(sys.argv[1])),), "line", "bytes"), Path(sys.argv[2]))
    print(done.commitment.root.hex(), done.records)
"""


def test_killed_at_any_moment_the_same_command_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "many.txt"
    with path.open("wb") as stream:
        stream.writelines(b"%040d\n" % (number // 2) for number in range(2_000_000))
    program = tmp_path / "program.py"
    program.write_text(COMMIT)
    command = [sys.executable, str(program), str(path), str(tmp_path / "kept")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    kills = 0
    for patience in (0.3, 0.9, 1.6, 2.4, 3.5):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            time.sleep(patience)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    root, count = done.stdout.split()
    assert kills
    assert int(count) == 2_000_000
    with KeptSet(tmp_path / "kept", bytes.fromhex(root)) as kept:
        kept.verify()
        assert kept.commitment.count == 1_000_000
    assert list((tmp_path / "kept" / "work").iterdir()) == []


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
