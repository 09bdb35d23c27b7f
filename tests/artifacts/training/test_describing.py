"""A data set is described from all of its records: what is counted was read, and what cannot be read is named."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from registry.artifacts.commitments.sources import PART
from registry.artifacts.digest import digest_artifact
from registry.artifacts.scan import scan
from registry.artifacts.training.describing import Described, describe_files, keys_of, shown_at
from registry.artifacts.training.document import (
    DISCLOSURES,
    MAX_FIELDS,
    TRAINING_DATA_TYPE,
    Disclosure,
    import_training_manifest,
)
from registry.errors import EmptyArtifact, EmptySet, InvalidRecord, UnsupportedFormat


def described(path: Path) -> Described:
    return describe_files(scan(path), folder=path.is_dir())


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def fields(found: Described) -> dict[str, str]:
    return {column.name: column.type for column in found.fields}


def table(path: Path, rows: int) -> Path:
    columns = {"id": pa.array(range(rows), pa.int64()), "tags": pa.array([["a"]] * rows, pa.list_(pa.string()))}
    parquet.write_table(pa.table(columns), path, row_group_size=10)
    return path


def test_a_file_of_json_lines(tmp_path: Path) -> None:
    data = b'{"text": "one", "n": 1}\n{"text": null, "n": 1.5, "more": {"a": [true]}}\r\n{"text": "three"}'
    found = described(write(tmp_path / "records.jsonl", data))
    assert (found.files, found.size, found.records) == (1, len(data), 3)
    assert found.digest == hashlib.sha256(data).digest()
    assert fields(found) == {"text": "null | string", "n": "integer | number", "more": "object"}


def test_a_folder_has_the_digest_of_an_artifact(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", b'{"text": "one"}\n')
    write(tmp_path / "deep" / "b.txt", b"one\n\ntwo\n")
    write(tmp_path / "README.md", b"# About")
    found = described(tmp_path)
    assert found.digest == digest_artifact(tmp_path).digest
    assert (found.files, found.records, found.fields, found.unread) == (3, 4, (), ())


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel does not say what a process read")
@pytest.mark.parametrize("line", [b'{"text": "one"}\n', b"one\n"])
def test_a_file_is_read_once_for_its_records_and_its_digest(tmp_path: Path, line: bytes) -> None:
    size = 2 * PART + 5 * (1 << 20) + 1
    data = (line * (size // len(line) + 1))[:size].rsplit(b"\n", 1)[0]
    name = "a.jsonl" if line.startswith(b"{") else "a.txt"
    path = write(tmp_path / "set" / name, data)
    write(tmp_path / "set" / "README.md", b"# About")
    told: list[int] = []
    before = bytes_read()
    found = describe_files(scan(path), folder=False, progress=told.append)
    assert bytes_read() - before < 1.2 * len(data)
    assert (found.digest, sum(told)) == (hashlib.sha256(data).digest(), len(data))
    told.clear()
    whole = describe_files(scan(path.parent), folder=True, progress=told.append)
    assert (whole.digest, sum(told)) == (digest_artifact(path.parent).digest, len(data) + 7)


def test_what_fails_while_the_last_part_is_hashed_is_no_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.txt", b"one\n")
    monkeypatch.setattr("registry.artifacts.training.describing.LEAF_SIZE", 0)  # no part can be hashed
    with pytest.raises(ValueError, match="range"):
        described(path)


def bytes_read() -> int:
    """By this process, since it began (proc(5))."""
    (line,) = (line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("rchar:"))
    return int(line.partition(":")[2])


def test_rows_of_parquet(tmp_path: Path) -> None:
    found = described(table(tmp_path / "rows.parquet", 25))
    assert (found.records, fields(found)["id"]) == (25, "int64")
    assert fields(found)["tags"].startswith("list<")


@pytest.mark.parametrize(
    ("name", "data", "records"),
    [
        ("a.csv", b"id,text\r\n1,one\r\n2,two\r\n", 2),
        ("a.csv", b'\xef\xbb\xbfid,text\n1,"one, with\na ""line"" feed"\n\n', 1),
        ("a.tsv", b"id\ttext\n1\tone, two\n", 1),
        ("a.csv", b"id,text\n1," + b"x" * 200_000 + b"\n", 1),
    ],
)
def test_rows_of_csv(tmp_path: Path, name: str, data: bytes, records: int) -> None:
    found = described(write(tmp_path / name, data))
    assert (found.records, fields(found)) == (records, {"id": "string", "text": "string"})


def test_files_that_are_not_read_are_named_and_nothing_is_counted(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", b'{"text": "one"}\n')
    write(tmp_path / "b.jsonl.gz", b"\x1f\x8b")
    found = described(tmp_path)
    assert (found.records, found.fields, found.unread, found.size) == (None, (), ("b.jsonl.gz",), 18)
    with pytest.raises(UnsupportedFormat, match="no Parquet, JSONL, CSV"):
        described(write(tmp_path / "x" / "image.png", b"\x89PNG"))


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', r"line 2 .*not JSON"),
        ("a.jsonl", b'{"a": 1}\n\n{"a": 2}\n', r"line 2 .*not JSON"),
        ("a.jsonl", b'{"a": "\xff"}\n', r"line 1 .*not JSON"),
        ("a.jsonl", b'{"a": NaN}\n', "not JSON"),
        ("a.txt", b"one\ntwo \xff\n", r"line 2 .*not UTF-8 \(byte 4\)"),
        ("a.csv", b"a,b\n1,\xff\n", r"line 2 .*not UTF-8"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", "a row of 3 values that ends in line 3, and its first row 2"),
        ("a.csv", b'a,b\n1,"2\n', "no CSV"),
        ("a.parquet", b"PAR1 and nothing", "no Parquet file that can be read whole"),
    ],
)
def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    with pytest.raises(InvalidRecord, match=reason) as raised:
        described(write(tmp_path / name, data))
    assert raised.value.details["path"] == str(tmp_path / name)


def test_truncated_parquet_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "rows.parquet", 100)
    for kept in (path.stat().st_size - 1, path.stat().st_size // 2, 3):
        os.truncate(path, kept)
        with pytest.raises(InvalidRecord, match="no Parquet file that can be read whole"):
            described(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.csv"])
def test_a_line_of_two_gibibytes_is_refused_and_not_held(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, b"")
    os.truncate(path, 2 << 30)  # takes no room on disk
    with pytest.raises(InvalidRecord, match="a line of more than"):
        described(path)


def test_an_empty_set_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(EmptyArtifact):
        described(tmp_path)
    for name, data in (("a.jsonl", b""), ("a.csv", b"id,text\n"), ("a.txt", b"")):
        with pytest.raises(EmptySet):
            described(write(tmp_path / name, data))
        (tmp_path / name).unlink()
    with pytest.raises(EmptySet):
        described(table(tmp_path / "rows.parquet", 0))


@pytest.mark.parametrize(
    "data",
    [
        b'{"": 1}\n',
        b'{"' + b"x" * 501 + b'": 1}\n',
        b"[1, 2]\n",
        b"{" + b",".join(b'"%d":1' % n for n in range(MAX_FIELDS + 1)) + b"}\n",
    ],
)
def test_columns_that_cannot_be_listed_are_left_out(tmp_path: Path, data: bytes) -> None:
    found = described(write(tmp_path / "a.jsonl", data))
    assert (found.records, found.fields) == (1, ())


@pytest.mark.parametrize("disclosure", DISCLOSURES)
def test_a_description_shows_what_its_level_allows(tmp_path: Path, disclosure: Disclosure) -> None:
    keys = {"name": "a"} | keys_of(described(write(tmp_path / "a.jsonl", b'{"text": "one"}\n')))
    shown = shown_at(disclosure, keys)
    assert (
        shown.keys()
        == {
            "full": {"name", "bytes", "records", "digest", "fields"},
            "committed": {"name", "bytes", "records"},
            "summarised": {"name", "bytes", "records"},
            "undisclosed": {"name"},
        }[disclosure]
    )
    needed: dict[str, Any] = {
        "committed": {"commitment": "sha256:" + "ab" * 32},
        "summarised": {"summary": "One line."},
    }.get(disclosure, {})
    dataset = shown | needed | {"role": "finetuning", "disclosure": disclosure}
    assert import_training_manifest({"type": TRAINING_DATA_TYPE, "datasets": [dataset]}).table is None
