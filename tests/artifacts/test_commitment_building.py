"""Building a commitment from files: in bounded memory, whatever a line is, whatever ends it meanwhile."""

import hashlib
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from registry.artifacts.commitments.building import Asked, commit
from registry.artifacts.commitments.commitment import leaf_hash
from registry.artifacts.commitments.kept import BLOCK, KeptSet, kept_roots
from registry.artifacts.commitments.normalising import LONGEST_RECORD
from registry.artifacts.commitments.proofs import (
    Exclusion,
    Inclusion,
    check_proof,
)
from registry.artifacts.commitments.runs import Range, merged, ranges, write_run
from registry.artifacts.commitments.sources import PART, source_file
from registry.errors import (
    EmptySet,
    FileChanged,
    InvalidRecord,
    PathMissing,
    SetNotKept,
    StoreBusy,
    StoreFull,
)
from tests.artifacts.committing import committed, lines, proven, reference

COMMIT = """
import sys
from pathlib import Path
from registry.artifacts.commitments.building import Asked, commit
from registry.artifacts.commitments.sources import source_file
if __name__ == "__main__":
    done = commit(Asked((source_file(Path(sys.argv[1])),), "line", "bytes"), Path(sys.argv[2]))
    print(done.commitment.root.hex(), done.records)
"""


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
