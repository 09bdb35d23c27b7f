"""Paying for what another key signed: shown in words with the most that it may cost, then asked for, then so sent."""

import os
import pty
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from registry.chain.devnode import DevNode, dev_key
from tests.cli.conftest import FRIEND, GUARDIAN, PUBLISHER, STRANGER, Provenance, kept
from tests.cli.test_acting import Scene, command_of, scene

__all__ = ["scene"]

COST = re.compile(r"at most ([0-9.]+) of the chain's coin \(gas limit ([0-9,]+) × ([0-9.]+) gwei\)")
SHOWN = {
    "publish": ("publish a release", f"publisher      {PUBLISHER}", "m@4", "artifact       bafybei", "unknown"),
    "status": ("change the status", PUBLISHER, "m@1", "deprecated", "superseded", "successor      none"),
    "anchor": ("anchor releases", PUBLISHER, "anchor:0x", "releases       1", "list           bafybei"),
    "anchor --withdraw": ("take an anchor back", PUBLISHER, "anchor:0x"),
    "grant": ("beyond the terms", PUBLISHER, "m@1", FRIEND, "may            commercial", "irrevocable    no"),
    "grant --revoke": ("beyond the terms", "grantee        everyone", "nothing beyond the terms any more"),
    "statement make": ("make a statement", PUBLISHER, "audit", "release:0x", "sha256:", "never"),
    "statement retract": ("take a statement back", f"publisher      {PUBLISHER}", "statement:0x"),
    "delegate": ("let another key act", PUBLISHER, FRIEND, "publish, status"),
    "guardian": ("who can freeze", PUBLISHER, GUARDIAN),
    "freeze": ("end a publisher", f"publisher      {PUBLISHER}", f"successor      {FRIEND}", "2020-01-01"),
}


def sent(node: DevNode, block: int) -> dict[str, Any]:
    """The one transaction of a block."""
    answer = node.chain.rpc.request("eth_getBlockByNumber", [hex(block), True])
    (transaction,) = answer["transactions"]
    found: dict[str, Any] = transaction
    return found


def test_every_field_is_shown_and_nothing_is_paid_unasked(
    provenance: Provenance, node: DevNode, scene: Scene, tmp_path: Path
) -> None:
    assert SHOWN.keys() == scene.keys()
    for name, words in scene.items():
        file = kept(provenance(*words, "--sign-only"), tmp_path / "signed.json")
        before = node.chain.latest().number
        unasked = provenance(*command_of(words), "--submit", file, "--json", account=1)
        assert unasked.code == 2 and unasked.json["error"]["code"] == "input.nobody-to-ask", (name, unasked)
        assert node.chain.latest().number == before, name
        done = provenance(*command_of(words), "--submit", file, "--yes", account=1)
        assert done.code == 0 and node.chain.latest().number == before + 1, (name, done)
        for shown in (unasked.err, done.err):
            for text in (*SHOWN[name], f"signed by      {PUBLISHER}", f"{STRANGER} would pay", "31337", "Registry 0x"):
                assert text in shown, (name, text, shown)
        found = COST.search(done.err)
        assert found is not None, done.err
        most, limit, fee = Decimal(found[1]), int(found[2].replace(",", "")), Decimal(found[3])
        transaction = sent(node, before + 1)
        assert int(transaction["gas"], 16) == limit and int(transaction["maxFeePerGas"], 16) == fee * 10**9
        assert most * 10**18 == limit * fee * 10**9, name


def test_what_is_there_already_is_neither_asked_for_nor_paid(
    provenance: Provenance, node: DevNode, tmp_path: Path
) -> None:
    file = kept(provenance("guardian", GUARDIAN, "--sign-only"), tmp_path / "signed.json")
    assert provenance("guardian", "--submit", file, "--yes", account=1).code == 0
    before = node.chain.latest().number
    again = provenance("guardian", "--submit", file, account=1)
    assert again.code == 0 and "unchanged" in again.out and not again.err and node.chain.latest().number == before


def test_of_a_signature_that_was_not_needed_it_says_that_it_still_can_be_used(
    provenance: Provenance, release: str, tmp_path: Path
) -> None:
    words = ("grant", release, "--to", FRIEND, "--use", "commercial", "--from", "0")
    files = [kept(provenance(*words, "--sign-only"), tmp_path / name) for name in ("one.json", "other.json")]
    assert provenance("grant", "--submit", files[0], "--yes", account=1).code == 0
    used = provenance("grant", "--submit", files[0], "--yes", account=1)
    assert "unchanged" in used.out and "not used" not in used.err
    unused = provenance("grant", "--submit", files[1], "--yes", account=1)
    assert unused.code == 0 and "unchanged" in unused.out
    assert "not used" in unused.err and f"{PUBLISHER} can" in unused.err
    assert f"provenance cancel {files[1]}" in unused.err
    assert provenance("cancel", files[1], "--yes").code == 0
    assert "not used" not in provenance("grant", "--submit", files[1], "--yes", account=1).err
    assert provenance("grant", release, "--to", FRIEND, "--revoke", "--yes").code == 0
    assert provenance("grant", "--submit", files[1], "--yes", account=1).code == 2


def test_more_than_one_transaction_may_cost_is_not_even_asked_for(
    provenance: Provenance, node: DevNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = kept(provenance("guardian", GUARDIAN, "--sign-only"), tmp_path / "signed.json")
    before = node.chain.latest().number
    monkeypatch.setenv("PROVENANCE_MAX_FEE", "0.000000001")
    done = provenance("guardian", "--submit", file, "--yes", "--json", account=1)
    assert done.code == 2 and done.json["error"]["code"] == "chain.fee-too-high", done
    assert node.chain.latest().number == before and "would pay" not in done.err


@pytest.mark.parametrize(("answer", "code", "blocks"), [("y", 0, 1), ("n", 2, 0)])
def test_on_a_terminal_it_asks(
    provenance: Provenance, node: DevNode, tmp_path: Path, answer: str, code: int, blocks: int
) -> None:
    file = kept(provenance("guardian", GUARDIAN, "--sign-only"), tmp_path / "signed.json")
    before = node.chain.latest().number
    ours, terminal = pty.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "registry.cli.main", "guardian", "--submit", file],
            stdin=terminal,
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"PROVENANCE_PRIVATE_KEY": dev_key(1)},
            check=False,
        )
    finally:
        os.close(ours)
        os.close(terminal)
    assert done.returncode == code, done
    assert GUARDIAN in done.stderr and "at most" in done.stderr and "pay for it with your key?" in done.stderr
    assert ("Nothing was done." in done.stderr) == (code == 2)
    assert node.chain.latest().number == before + blocks
