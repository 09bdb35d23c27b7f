"""Rows of Parquet files as records: each in one JSON form, whatever the file's layout."""

import datetime
import decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.artifacts.commitments.building import Asked, commit
from registry.artifacts.commitments.commitment import leaf_hash
from registry.artifacts.commitments.kept import KeptSet
from registry.artifacts.commitments.parquet import row_groups, rows
from registry.artifacts.commitments.proofs import Inclusion, check_proof, check_record
from registry.artifacts.commitments.sources import source_file
from registry.errors import InvalidRecord, InvalidSettings


def written(path: Path, table: Any, **how: Any) -> Path:
    pq.write_table(table, path, **how)
    return path


def test_a_value_of_each_type_has_its_form(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": ["é"],
            "none": pa.array([None], pa.string()),
            "truth": [True],
            "small": [2**53 - 1],
            "large": [2**53],
            "float": [0.5],
            "bytes": [b"\x00\xff"],
            "decimal": [decimal.Decimal("1.50")],
            "time": pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)], pa.timestamp("us", "UTC")),
            "date": [datetime.date(2026, 1, 2)],
            "list": [[1, 2]],
            "struct": [{"a": 1, "b": None}],
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        }
    )
    (row,) = rows(written(tmp_path / "a.parquet", table), 0, 1)
    assert row.decode() == (
        '{"bytes":"AP8=","date":"2026-01-02","decimal":"1.50","float":0.5,"large":"9007199254740992","list":[1,2],'
        '"map":[{"key":"k","value":1}],"none":null,"small":9007199254740991,"struct":{"a":1,"b":null},"text":"é",'
        '"time":"2026-01-02T03:04:05+00:00","truth":true}'
    )


def test_a_duration_is_the_same_text_in_every_unit_and_with_pandas_or_without(tmp_path: Path) -> None:
    """In nanoseconds pyarrow gives pandas' own durations where pandas is installed."""
    for unit, factor in (("ms", 1), ("us", 10**3), ("ns", 10**6)):
        table = pa.table({"x": pa.array([90_061_000 * factor, -factor], pa.duration(unit))})
        found = list(rows(written(tmp_path / f"{unit}.parquet", table), 0, 1))
        assert found == [b'{"x":"1 day, 1:01:01"}', b'{"x":"-1 day, 23:59:59.999000"}'], unit
    odd = pa.table({"x": pa.array([3_000_000_001, 1_000_002], pa.duration("ns"))})
    found = list(rows(written(tmp_path / "odd.parquet", odd), 0, 1))
    assert found == [b'{"x":"0:00:03.000000001"}', b'{"x":"0:00:00.001000002"}']


def test_the_set_is_the_rows_and_not_the_files_layout(tmp_path: Path) -> None:
    table = pa.table({"id": list(range(3_000)), "text": [f"number {number % 1_000}" for number in range(3_000)]})
    one = written(tmp_path / "one.parquet", table)
    other = written(tmp_path / "other.parquet", table, row_group_size=700, compression="none")
    assert (row_groups(one), len(row_groups(other))) == ([(0, 1)], 5)
    made = [
        commit(Asked((source_file(path),), "row", "json-rfc8785"), tmp_path / f"kept-{path.stem}")
        for path in (one, other)
    ]
    assert made[0] == made[1]
    commitment, record = made[0].commitment, b'{"id":7,"text":"number 7"}'
    assert (made[0].records, commitment.unit) == (3_000, "row")
    with KeptSet(tmp_path / "kept-one", commitment.root) as kept:
        proof = kept.prove(leaf_hash(record))
    assert isinstance(proof, Inclusion)
    check_proof(proof, commitment.root)
    check_record(proof, b'{"text": "number 7", "id": 7}', None)


def test_what_is_no_parquet_file_or_was_cut_short_is_named(tmp_path: Path) -> None:
    good = written(
        tmp_path / "good.parquet", pa.table({"text": [f"{n}" * 50 for n in range(5_000)]}), compression="none"
    )
    whole = good.read_bytes()
    for name, data in (
        ("truncated.parquet", whole[: len(whole) // 2]),
        ("none.parquet", b"text"),
        ("empty.parquet", b""),
        ("damaged.parquet", whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :]),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(InvalidRecord, match=name.replace(".", r"\.")):
            commit(Asked((source_file(path),), "row", "json-rfc8785"), tmp_path / "kept")


def test_a_number_that_json_lacks_is_named_with_its_file(tmp_path: Path) -> None:
    path = written(tmp_path / "nan.parquet", pa.table({"x": [float("nan")]}))
    with pytest.raises(InvalidRecord, match=r"nan\.parquet.*not finite"):
        list(rows(path, 0, 1))


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(InvalidSettings, match="extra “data”"):
        row_groups(tmp_path / "a.parquet")
