"""`provenance index`: how far the index is, what a check finds in one that was changed, and folding it again."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from whole_registry import record

from registry.chain.artifact import CONTRACTS
from registry.chain.devnode import DevNode
from registry.index.database import open_database
from registry.index.schema import COUNTED, FOLDED, REVISION
from registry.index.training_keeping import DECLARED
from tests.cli.conftest import Offline, Provenance
from tests.index.test_upgrading import later


@pytest.fixture
def read(node: DevNode, provenance: Provenance) -> str:
    """An index that has read something of every kind; the id of a release in it."""
    release = f"release:0x{record(node).releases['base 1'].hex()}"
    assert provenance("show", release).code == 0
    return release


def spoil(home: Path, statement: str) -> None:
    """Change the index behind everyone's back."""
    engine = create_engine(f"sqlite:///{home / 'index.sqlite'}")
    with engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0
    engine.dispose()


def test_where_there_is_no_index_none_is_made(provenance: Provenance, offline: Offline, tmp_path: Path) -> None:
    empty = tmp_path / "home" / "index.sqlite"
    with offline():
        for there in (False, True):
            for command in ("status", "check", "rebuild"):
                done = provenance("index", command, "--json")
                assert (done.code, done.json["error"]["code"]) == (2, "index.unavailable")
                assert "There is no index" in done.json["error"]["message"]
                assert empty.exists() == there
            empty.parent.mkdir(exist_ok=True)
            empty.touch()


def test_status_of_an_index_that_has_read_nothing(provenance: Provenance, offline: Offline, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    open_database(f"sqlite:///{tmp_path / 'home' / 'index.sqlite'}").close()
    with offline():
        found = provenance("index", "status", "--json").json
        assert (found["block"], found["behind"], found["logs"], found["records"]) == (-1, None, [], 0)
        assert "none read yet" in provenance("index", "status").out
        for command in ("check", "rebuild"):
            done = provenance("index", command, "--json")
            assert done.code == 2 and done.json["error"]["code"] in ("index.unavailable", "chain.rpc-unavailable")


def test_status_says_how_far_and_how_large(
    node: DevNode, provenance: Provenance, offline: Offline, read: str, tmp_path: Path
) -> None:
    with offline():
        found = provenance("index", "status", "--json").json
        shown = provenance("index", "status").out
    head = node.chain.latest().number
    assert (found["block"], found["verified"], found["chain_head"], found["behind"]) == (head, head, head, 0)
    assert [log["contract"] for log in found["logs"]] == list(CONTRACTS)
    assert found["records"] == sum(log["size"] for log in found["logs"]) == found["rows"]["events"] == 29
    assert (found["alarm"], found["rows"]["grants"]) == (None, 6)
    assert found["documents"] == {
        "manifests": {"read": 0, "waiting": 0, "unavailable": 5, "invalid": 0},
        "training_data": dict.fromkeys(("read", "waiting", "unavailable", "invalid"), 0),
        "terms": found["documents"]["terms"],
    }
    assert "manifests           0 read, 0 waiting, 5 unavailable, 0 invalid" in shown and "training data  " in shown
    assert found["bytes"]["database"] > 10_000
    assert f"block {head}" in shown and "StatementRegistry" in shown and "alarm      none" in shown


def test_a_check_of_an_index_that_is_right(node: DevNode, provenance: Provenance, read: str) -> None:
    found = provenance("index", "check", "--json")
    assert found.code == 0 and found.json["agrees"] and found.json["damage"] is None
    for log in found.json["logs"]:
        assert log["stored"] == log["computed"] == log["chain"] and log["agrees"] and log["size"] > 0
    checked = [table.name for table in (*FOLDED, *COUNTED, *DECLARED)]
    assert [table["table"] for table in found.json["tables"]] == checked
    assert all(table["rows"] == table["expected"] for table in found.json["tables"])
    assert all(table["rows"] > 0 for table in found.json["tables"][: len(FOLDED) + 1])
    assert f"as of block {node.chain.latest().number}" in provenance("index", "check").out


@pytest.mark.parametrize("table", [table.name for table in FOLDED])
def test_a_row_that_was_changed_is_found_and_folded_again(
    provenance: Provenance, offline: Offline, read: str, tmp_path: Path, table: str
) -> None:
    spoil(
        tmp_path / "home",
        f"UPDATE {table} SET block_number = block_number + 1 WHERE block_number = "
        f"(SELECT max(block_number) FROM {table})",
    )
    found = provenance("index", "check", "--json")
    assert found.code == 1 and [one["table"] for one in found.json["tables"] if not one["agrees"]] == [table]
    assert all(log["agrees"] for log in found.json["logs"])
    assert "provenance index rebuild" in provenance("index", "check").out
    with offline():
        assert provenance("index", "rebuild", "--json").json["events"] == 29
    assert provenance("index", "check").code == 0


@pytest.mark.parametrize("counter", ["manifests", "manifests_read", "training_data", "training_data_read"])
def test_a_counter_that_is_wrong_is_found_and_counted_again(
    provenance: Provenance, read: str, tmp_path: Path, counter: str
) -> None:
    spoil(tmp_path / "home", f"UPDATE cursors SET {counter} = {counter} + 1")
    found = provenance("index", "check", "--json")
    wrong = [one["table"] for one in found.json["tables"] if not one["agrees"]]
    assert found.code == 1 and wrong == [counter.removesuffix("_read")]
    assert provenance("index", "rebuild").code == 0
    assert provenance("index", "check").code == 0


def test_a_row_that_was_taken_out_is_found(provenance: Provenance, read: str, tmp_path: Path) -> None:
    spoil(tmp_path / "home", "DELETE FROM grants WHERE seq = (SELECT max(seq) FROM grants)")
    (wrong,) = (one for one in provenance("index", "check", "--json").json["tables"] if not one["agrees"])
    assert (wrong["table"], wrong["rows"], wrong["expected"]) == ("grants", 5, 6)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET data = zeroblob(32) WHERE contract = 2 AND seq = 0",
        "UPDATE events SET head = zeroblob(32) WHERE contract = 3 AND seq = 1",
        "DELETE FROM events WHERE contract = 1 AND seq = 2",
    ],
)
def test_events_that_were_changed_are_damage(provenance: Provenance, read: str, tmp_path: Path, change: str) -> None:
    spoil(tmp_path / "home", change)
    found = provenance("index", "check", "--json")
    assert found.code == 1 and found.json["damage"] and all(log["computed"] is None for log in found.json["logs"])
    assert "Delete the index" in provenance("index", "check").out


def test_an_event_that_is_missing_at_the_end_of_a_log_is_found(
    provenance: Provenance, read: str, tmp_path: Path
) -> None:
    spoil(
        tmp_path / "home",
        "DELETE FROM events WHERE contract = 0 AND seq = (SELECT max(seq) FROM events WHERE contract = 0)",
    )
    found = provenance("index", "check", "--json")
    assert found.code == 1 and found.json["damage"] is None
    assert [log["contract"] for log in found.json["logs"] if not log["agrees"]] == ["PublisherRegistry"]


def test_an_index_of_a_chain_that_was_reorganised_is_not_checked(
    node: DevNode, provenance: Provenance, read: str
) -> None:
    node.chain.rpc.request("anvil_reorg", [3, []])
    done = provenance("index", "check", "--json")
    assert done.code == 2 and done.json["error"]["code"] == "index.block-not-in-chain"
    assert provenance("show", read).code == 0  # which follows the chain
    assert provenance("index", "check").code == 0


def test_a_rebuild_of_damaged_events_changes_nothing(provenance: Provenance, read: str, tmp_path: Path) -> None:
    spoil(tmp_path / "home", "UPDATE events SET data = zeroblob(32) WHERE contract = 2 AND seq = 0")
    before = provenance("index", "status", "--json").json["rows"]
    done = provenance("index", "rebuild", "--json")
    assert done.code == 2 and done.json["error"]["code"] == "chain.invalid-log"
    assert provenance("index", "status", "--json").json["rows"] == before


@pytest.mark.parametrize("missing", ["0", "(SELECT max(seq) FROM events WHERE contract = 1)"])
def test_a_rebuild_of_events_that_are_not_whole_changes_nothing(
    provenance: Provenance, read: str, tmp_path: Path, missing: str
) -> None:
    """Without its last record a revoked release would be active."""
    spoil(tmp_path / "home", f"DELETE FROM events WHERE contract = 1 AND seq = {missing}")
    before = provenance("index", "status", "--json").json["rows"]
    done = provenance("index", "rebuild", "--json")
    assert done.code == 2 and done.json["error"]["code"] == "chain.invalid-log"
    assert "Delete the index" in done.json["error"]["message"]
    assert provenance("index", "status", "--json").json["rows"] == before


def dumped(home: Path) -> list[str]:
    """Everything in the index, its tables' form included."""
    with sqlite3.connect(home / "index.sqlite") as connection:
        lines = list(connection.iterdump())
    connection.close()
    return lines


def test_who_only_looks_at_an_older_index_is_told_so_and_changes_nothing(
    provenance: Provenance, read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dumped(tmp_path / "home")
    later(monkeypatch, tmp_path)
    for command in ("status", "check"):
        done = provenance("index", command, "--json")
        assert (done.code, done.json["error"]["code"]) == (2, "index.outdated")
        assert (done.json["error"]["details"]["found"], done.json["error"]["details"]["expected"]) == (
            REVISION,
            "later",
        )
        assert dumped(tmp_path / "home") == before
    assert provenance("index", "rebuild").code == 0  # which does change it
    assert dumped(tmp_path / "home") != before
    assert provenance("index", "status").code == 0
