"""`provenance watch`: what is told of one's own, that nothing is lost however it ends, and what a node cannot hide."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from faulty_rpc import HttpStatus, faulty_rpc
from whole_registry import record

from registry.chain.artifact import CONTRACTS
from registry.chain.deploy import deploy
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_key, dev_node, dev_signer
from registry.chain.followed import followed_contracts
from registry.chain.identifiers import ReleaseId
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.publishers import NEVER
from registry.chain.records import Reason, Release, Status
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.content.cid import DAG_PB, RAW, Cid
from tests.cli.conftest import FRIEND, PUBLISHER, STRANGER, Provenance

ROOT = Path(__file__).resolve().parents[2]
MINE, OTHER, MANIFEST = b"\1" * 32, b"\2" * 32, b"\3" * 32
ARTIFACT = str(Cid(DAG_PB, MINE))
Lines = list[dict[str, Any]]


def publish(client: ModelRegistryClient, name: str, version: str = "1", artifact: bytes = MINE) -> str:
    assert client.account is not None
    return str(ReleaseId(client.publish(Release(client.account, name, version, artifact, MANIFEST)).release_id))


def lines(text: str) -> Lines:
    """The lines that are whole; a process that was killed leaves half of one at most."""
    whole = text[: text.rindex("\n") + 1] if "\n" in text else ""
    return [json.loads(line) for line in whole.splitlines()]


def told(provenance: Provenance, *arguments: str) -> Lines:
    """What a watcher tells up to the head."""
    done = provenance("watch", "--once", *arguments)
    assert (done.code, done.err) == (0, ""), done
    return lines(done.out)


def kinds(found: Lines) -> list[str]:
    return [line["kind"] for line in found]


def versions(found: Lines) -> list[str]:
    return [line["record"]["version"] for line in found if line["kind"] == "release"]


def places(found: Lines) -> set[tuple[str, int]]:
    return {(line["block"]["hash"], line["log_index"]) for line in found}


@pytest.fixture
def environment(node: DevNode, tmp_path: Path) -> dict[str, str]:
    """For `provenance` as a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROVENANCE_")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "PROVENANCE_HOME": str(tmp_path / "home"),
        "PROVENANCE_RPC_URL": node.url,
        "PROVENANCE_PRIVATE_KEY": dev_key(0),
    }


@contextmanager
def watching(environment: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "registry.cli.main", "watch", "--poll", "0.05", *arguments]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def test_it_tells_every_record_of_those_who_are_watched_in_the_order_of_the_chain(
    node: DevNode, provenance: Provenance
) -> None:
    world = record(node)
    everybody = [part for address in (PUBLISHER, STRANGER, FRIEND) for part in ("--publisher", address)]
    found = told(provenance, *everybody)
    followed = followed_contracts(world.alice.models)
    logs = [entry.log for entry in followed.entries(followed.unread_logs(0, world.head))]
    assert len(found) == len(logs) == 29
    for line, log in zip(found, logs, strict=True):
        place = log.location
        assert line["block"] == {"number": place.block_number, "hash": "0x" + place.block_hash.hex()}
        assert line["log_index"] == place.log_index and line["address"] == log.address
        assert line["transaction"] == "0x" + place.transaction_hash.hex()
        assert line["contract"] in CONTRACTS and "publisher" in line["concerns"]
        assert line["status"] == {0: "pending", 1: "safe"}.get(world.head - place.block_number, "finalized")
    assert set(kinds(found)) == {
        *("release", "status", "anchor", "anchor-withdrawn", "delegate", "guardian", "freeze", "terms", "grant"),
        *("statement", "retraction"),
    }
    by_kind = {line["kind"]: line["record"] for line in found}
    publisher, friend = f"eip155:31337:{PUBLISHER}", f"eip155:31337:{FRIEND}"
    assert by_kind["freeze"]["publisher"] == friend and by_kind["freeze"]["successor"].endswith(STRANGER)
    assert by_kind["status"]["status"] == "deprecated" and by_kind["status"]["publisher"] == publisher
    assert by_kind["status"]["successor"] == str(ReleaseId(world.releases["base 2"]))
    assert by_kind["retraction"]["statement"] == f"statement:0x{world.statements['audit'].hex()}"
    assert by_kind["anchor-withdrawn"]["anchor"] == f"anchor:0x{world.anchors['first'].hex()}"
    grandchild = by_kind["release"]
    assert {parent["release"] for parent in grandchild["parents"]} == {
        str(ReleaseId(world.releases[name])) for name in ("base 1", "child 1")
    }


def test_without_filters_it_is_the_configured_key(
    publisher: ModelRegistryClient, stranger: ModelRegistryClient, provenance: Provenance
) -> None:
    publish(publisher, "m")
    publish(stranger, "m", artifact=OTHER)
    (mine,) = told(provenance)
    assert mine["record"]["publisher"] == f"eip155:31337:{PUBLISHER}" and mine["concerns"] == ["publisher"]
    (theirs,) = lines(provenance("watch", "--once", account=1).out)
    assert theirs["record"]["publisher"] == f"eip155:31337:{STRANGER}"
    assert told(provenance, "--publisher", f"eip155:31337:{PUBLISHER}") == [mine]


def test_a_strangers_claim_on_a_watched_artifact_and_what_becomes_of_it(
    node: DevNode, publisher: ModelRegistryClient, stranger: ModelRegistryClient, provenance: Provenance
) -> None:
    publish(stranger, "unrelated", artifact=OTHER)
    claim = publish(stranger, "stolen")
    stranger.set_status("stolen", "1", Status.REVOKED, Reason.LEGAL)
    stranger.set_status("unrelated", "1", Status.REVOKED, Reason.LEGAL)
    friend = Registries(node.chain, dev_signer(2), timeout=60).statements
    about = bytes.fromhex(claim.removeprefix("release:0x"))
    dispute, *_ = friend.attest(Statement(FRIEND, Kind.DISPUTE, SubjectKind.RELEASE, about, MANIFEST, NEVER))
    friend.attest(Statement(FRIEND, Kind.DISPUTE, SubjectKind.RELEASE, MANIFEST, MANIFEST, NEVER))
    stranger_says = Registries(node.chain, dev_signer(1), timeout=60).statements
    stranger_says.attest(Statement(STRANGER, Kind.ANSWER, SubjectKind.STATEMENT, dispute, MANIFEST, NEVER))
    found = told(provenance, "--artifact", ARTIFACT)
    assert [(line["kind"], line["concerns"]) for line in found] == [
        ("release", ["artifact"]),
        ("status", ["release"]),
        ("statement", ["release"]),
        ("statement", ["statement"]),
    ]
    assert found[0]["record"]["release"] == claim == found[1]["record"]["release"]
    assert told(provenance) == []
    publish(publisher, "m")
    publish(stranger, "stolen", "2")
    assert [(line["record"]["publisher"][-42:], line["concerns"]) for line in told(provenance)] == [
        (PUBLISHER, ["publisher"]),
        (STRANGER, ["artifact"]),
    ]


def test_a_name_whoever_uses_it(
    publisher: ModelRegistryClient, stranger: ModelRegistryClient, provenance: Provenance
) -> None:
    publish(publisher, "m", artifact=OTHER)
    publish(stranger, "m")
    publish(stranger, "mm")
    found = told(provenance, "--name", "m")
    assert [line["record"]["publisher"][-42:] for line in found] == [PUBLISHER, STRANGER]
    assert all(line["concerns"] == ["name"] for line in found)


def test_what_is_before_the_first_block_is_known_and_not_told(
    node: DevNode, publisher: ModelRegistryClient, stranger: ModelRegistryClient, provenance: Provenance
) -> None:
    publish(publisher, "m")
    start = node.chain.latest().number + 1
    publish(stranger, "stolen")
    (claim,) = told(provenance, "--from", str(start))
    assert (claim["record"]["name"], claim["concerns"]) == ("stolen", ["artifact"])


def test_it_goes_on_where_it_was(publisher: ModelRegistryClient, provenance: Provenance, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor.json"
    publish(publisher, "m", "1")
    assert versions(told(provenance, "--cursor", str(cursor))) == ["1"]
    assert told(provenance, "--cursor", str(cursor)) == []
    publish(publisher, "m", "2")
    publisher.set_status("m", "1", Status.REVOKED, Reason.LEGAL)
    assert kinds(told(provenance, "--cursor", str(cursor))) == ["release", "status"]
    kept = json.loads(cursor.read_text())
    assert kept["block"]["number"] == publisher.chain.latest().number
    assert kept["block"]["hash"] == "0x" + publisher.chain.latest().hash.hex() and kept["records"] == 3


def test_nothing_is_lost_when_it_is_killed_at_any_instant(
    publisher: ModelRegistryClient, provenance: Provenance, environment: dict[str, str], tmp_path: Path
) -> None:
    cursor, dice = str(tmp_path / "cursor.json"), random.Random(7)
    found: Lines = []
    for round_ in range(6):
        with watching(environment, "--cursor", cursor) as process:
            if round_ == 0:
                publish(publisher, "m", "first")
                found.append(next_line(process))
            for number in range(4):
                publish(publisher, "m", f"{round_}.{number}")
            time.sleep(dice.uniform(0, 1.5))
            process.send_signal(signal.SIGKILL)
            found += lines(process.communicate(timeout=60)[0])
    again = told(provenance, "--cursor", cursor)
    everything = told(provenance)
    assert len(everything) == 25
    assert places(found + again) == places(everything)
    assert len(again) < len(everything), "it began anew"
    assert told(provenance, "--cursor", cursor) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_when_it_is_told_to(
    publisher: ModelRegistryClient, environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    with watching(environment, "--cursor", str(tmp_path / "cursor.json")) as process:
        publish(publisher, "m")
        assert next_line(process)["kind"] == "release"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_reorganisation_goes_back_to_the_common_ancestor_and_tells_anew(
    node: DevNode, publisher: ModelRegistryClient, provenance: Provenance, tmp_path: Path
) -> None:
    cursor = ("--cursor", str(tmp_path / "cursor.json"))
    for version in ("1", "2", "3"):
        publish(publisher, "m", version)
        assert versions(told(provenance, *cursor)) == [version]
    head = node.chain.latest()
    node.chain.rpc.request("anvil_reorg", [2, []])
    (gone,) = told(provenance, *cursor)
    ancestor = node.chain.block(head.number - 2)
    assert ancestor is not None and gone == {
        "kind": "reorganised",
        "block": {"number": ancestor.number, "hash": "0x" + ancestor.hash.hex()},
        "lost": {"number": head.number, "hash": "0x" + head.hash.hex()},
    }
    publish(publisher, "m", "3")
    assert versions(told(provenance, *cursor)) == ["3"]
    assert versions(told(provenance)) == ["1", "3"]


def test_a_reorganisation_while_it_runs(
    node: DevNode, publisher: ModelRegistryClient, environment: dict[str, str]
) -> None:
    publish(publisher, "m", "1")
    with watching(environment) as process:
        assert next_line(process)["record"]["version"] == "1"
        publish(publisher, "m", "2")
        assert next_line(process)["record"]["version"] == "2"
        node.chain.rpc.request("anvil_reorg", [1, []])
        assert next_line(process)["kind"] == "reorganised"
        publish(publisher, "m", "2")
        assert next_line(process)["record"]["version"] == "2"


def test_a_block_is_heard_of_long_before_it_would_be_asked_for(
    publisher: ModelRegistryClient, environment: dict[str, str]
) -> None:
    with watching(environment, "--poll", "3600") as process:
        giving_up = threading.Timer(120, process.kill)
        giving_up.start()
        try:
            for version in ("1", "2", "3"):
                publish(publisher, "m", version)
                assert next_line(process)["record"]["version"] == version
        finally:
            giving_up.cancel()


def test_a_chain_that_was_begun_anew_is_told_from_its_start(
    publisher: ModelRegistryClient, provenance: Provenance, tmp_path: Path
) -> None:
    cursor = ("--cursor", str(tmp_path / "cursor.json"))
    publish(publisher, "m", "1")
    assert versions(told(provenance, *cursor)) == ["1"]
    with dev_node() as other:
        other.chain.rpc.request("evm_mine", [])  # two that are begun within a second are else the same
        deploy(other.chain, dev_signer(9))
        registries = Registries(other.chain, dev_signer(0), timeout=60)
        for version in ("2", "3"):
            publish(registries.models, "m", version)
        found = told(provenance, *cursor, "--rpc-url", other.url)
    assert kinds(found) == ["reorganised", "release", "release"] and found[0]["block"]["hash"] is None
    assert versions(found) == ["2", "3"]


def test_a_log_that_does_not_decode_is_a_line_and_stops_nothing(
    node: DevNode, publisher: ModelRegistryClient, provenance: Provenance, tmp_path: Path
) -> None:
    for version in ("1", "2", "3", "4"):
        publish(publisher, "m", version)
    cursor = ("--cursor", str(tmp_path / "cursor.json"))

    def spoil(ask: Any, _: list[Any]) -> Any:
        first, second, third, *others = ask()
        cut = first | {"data": first["data"][:-64]}
        formless = {name: value for name, value in second.items() if name != "blockHash"}
        foreign = third | {"address": "0x" + "11" * 20}
        return [*others, third, foreign | {"logIndex": "0x63"}, formless, cut]

    with faulty_rpc(node.url) as faulty:
        faulty.faults["eth_getLogs"] = spoil
        found = told(provenance, "--rpc-url", faulty.url, *cursor)
    whole = told(provenance)
    assert kinds(found) == ["undecodable", "release", "undecodable", "release", "undecodable"]
    cut, _, foreign, _, formless = found
    assert versions(found) == ["3", "4"]
    assert {key: cut[key] for key in ("block", "log_index", "transaction")} == {
        key: whole[0][key] for key in ("block", "log_index", "transaction")
    }
    assert cut["contract"] == "ModelRegistry" and len(cut["topics"]) == 4 and "is not one that" in cut["why"]
    assert cut["data"].startswith("0x") and len(cut["data"]) > 500
    assert foreign["contract"] is None and "was not asked for" in foreign["why"]
    assert formless["given"]["blockNumber"] and "not of the published form" in formless["why"]
    assert told(provenance, *cursor) == []


def test_a_log_of_another_chain_is_no_record(
    node: DevNode, publisher: ModelRegistryClient, provenance: Provenance
) -> None:
    for version in ("1", "2", "3"):
        publish(publisher, "m", version)
    with faulty_rpc(node.url) as faulty:
        faulty.faults["eth_getLogs"] = lambda ask, _: [
            log | {"blockHash": "0x" + "77" * 32} if place == 1 else log for place, log in enumerate(ask())
        ]
        found = told(provenance, "--rpc-url", faulty.url)
    assert kinds(found) == ["release", "undecodable", "release", "incomplete"]
    assert versions(found) == ["1", "3"] and "not in the node's chain" in found[1]["why"]
    assert (found[3]["records"], found[3]["logs"]) == (3, 2)


def test_a_log_that_a_node_keeps_back_is_asked_for_again_and_then_told(
    node: DevNode, publisher: ModelRegistryClient, provenance: Provenance
) -> None:
    for version in ("1", "2", "3"):
        publish(publisher, "m", version)
    with faulty_rpc(node.url) as faulty:
        faulty.faults["eth_getLogs"] = lambda ask, _: [log for log in ask() if log["logIndex"] != "0x0"]
        found = told(provenance, "--rpc-url", faulty.url)
        asked = faulty.count("eth_getLogs")
        times = iter([1])
        faulty.faults["eth_getLogs"] = lambda ask, _: ask()[:-1] if next(times, 0) else ask()
        mended = told(provenance, "--rpc-url", faulty.url)
    assert asked > 1 and set(kinds(found)) == {"incomplete"}
    assert sum(line["records"] for line in found) == 3 and not any(line["logs"] for line in found)
    assert versions(mended) == ["1", "2", "3"] and "incomplete" not in kinds(mended)


def test_a_node_that_fails_for_a_while_is_waited_for_and_said_once(
    node: DevNode, publisher: ModelRegistryClient, environment: dict[str, str]
) -> None:
    with faulty_rpc(node.url) as faulty, watching(environment | {"PROVENANCE_RPC_URL": faulty.url}) as process:
        publish(publisher, "m", "1")
        assert next_line(process)["record"]["version"] == "1"

        def refuse(*_: Any) -> Any:
            raise HttpStatus(503)

        before = faulty.count("eth_getBlockByNumber")
        faulty.faults["*"] = refuse
        publish(publisher, "m", "2")
        while faulty.count("eth_getBlockByNumber") < before + 4:
            time.sleep(0.02)
        del faulty.faults["*"]
        assert next_line(process)["record"]["version"] == "2"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert err.count("chain.rpc-unavailable") == 1 and "503" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--publisher", "alice"], "input.identifier", "alice"),
        (["--publisher", f"eip155:1:{PUBLISHER}"], "input.identifier", "chain 1"),
        (["--artifact", str(Cid(RAW, MINE))], "input.identifier", "CID of a file"),
        (["--artifact", "0x" + MINE.hex()], "input.identifier", ""),
        (["--name", "No Such"], "chain.invalid-release", "No Such"),
        (["--from", "999999"], "input", "beyond the head"),
        (["--from", "-1"], "usage", "--from"),
        (["--poll", "0"], "usage", "poll"),
        (["--cursor", "no/such/folder/cursor"], "input", "its folder is not there"),
        (["--cursor", "."], "input", "cannot be read"),
        (["--cursor", "x" * 300], "input", "cannot be kept"),
        (["--rpc-url", "http://127.0.0.1:9"], "chain.rpc-unavailable", "cannot be reached"),
    ],
)
def test_what_is_wrong_is_said(provenance: Provenance, arguments: list[str], code: str, words: str) -> None:
    done = provenance("watch", "--once", *arguments)
    assert done.code == 2 and done.out == "" and code in done.err and words in done.err, done


def test_without_a_key_and_filters_it_says_what_to_give(environment: dict[str, str]) -> None:
    del environment["PROVENANCE_PRIVATE_KEY"]
    with watching(environment, "--once") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and out == ""
    assert "--publisher" in err and "--artifact" in err and "--name" in err


def test_a_cursor_is_for_one_question_and_one_process(
    publisher: ModelRegistryClient, provenance: Provenance, environment: dict[str, str], tmp_path: Path
) -> None:
    cursor = tmp_path / "cursor.json"
    publish(publisher, "m")
    assert len(told(provenance, "--cursor", str(cursor), "--from", "1")) == 1
    kept = cursor.read_text()
    other = provenance("watch", "--once", "--cursor", str(cursor), "--name", "m")
    assert other.code == 2 and "something else (publishers, names)" in other.err
    begun = provenance("watch", "--once", "--cursor", str(cursor), "--from", "2")
    assert begun.code == 2 and "--from 1" in begun.err
    for damage in ("", "[]", "{}", kept[:-40], kept.replace('"number": ', '"number": -'), kept.replace("0x", "0y")):
        cursor.write_text(damage)
        done = provenance("watch", "--once", "--cursor", str(cursor))
        assert done.code == 2 and "is no cursor" in done.err and cursor.read_text() == damage
    cursor.write_text(kept)
    with watching(environment, "--cursor", str(cursor)) as process:
        publish(publisher, "m", "2")
        assert next_line(process)["record"]["version"] == "2"
        done = provenance("watch", "--once", "--cursor", str(cursor))
        assert done.code == 2 and "setup.folder-in-use" in done.err and str(process.pid) in done.err
