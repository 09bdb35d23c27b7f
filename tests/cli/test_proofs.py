"""`provenance proof`: what one node proves, anybody checks without one."""

import io
import sys
from pathlib import Path

import pytest

from registry.chain.devnode import DevNode
from tests.cli.conftest import PUBLISHER, Offline, Provenance, kept


def published(provenance: Provenance, model: Path) -> str:
    done = provenance("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes", "--json")
    return str(done.json["release"])


def test_a_release_is_proven_here_and_checked_by_somebody_without_a_node(
    provenance: Provenance, model: Path, node: DevNode, tmp_path: Path, offline: Offline
) -> None:
    release = published(provenance, model)
    block = node.chain.latest()
    provenance("status", release, "deprecated", "--yes")
    made = provenance("proof", "state", f"{PUBLISHER}/m@1", "--block", "0x" + block.hash.hex())
    assert "is record 0 as of block" in made.err and f"0x{block.hash.hex()}" in made.err
    proof = kept(made, tmp_path / "proof.json")
    newer = kept(provenance("proof", "state", release, "--block", "latest"), tmp_path / "newer.json")
    latest = node.chain.latest()
    with offline():
        done = provenance("proof", "check", proof, "--block-hash", "0x" + block.hash.hex(), "--json")
        assert done.code == 0, done
        found = done.json
        assert found["release"] == release and found["block"]["number"] == block.number
        assert found["record"]["publisher"] == f"eip155:31337:{PUBLISHER}" and found["record"]["name"] == "m"
        assert found["status"] == {"status": "active", "reason": "unspecified", "since": None}
        assert found["log"]["size"] == 1
        for named in (release, f"{PUBLISHER}/m@1"):
            again = provenance("proof", "check", newer, "--block-hash", "0x" + latest.hash.hex(), "--release", named)
            assert again.code == 0 and "deprecated since" in again.out, again
        other = provenance("proof", "check", proof, "--block-hash", "0x" + latest.hash.hex())
        assert other.code == 2 and "chain.proof-refused" in other.err
        for named in ("release:0x" + "ab" * 32, f"{PUBLISHER}/m@2"):
            other = provenance("proof", "check", proof, "--block-hash", "0x" + block.hash.hex(), "--release", named)
            assert other.code == 2 and "and not of" in other.err


def test_that_there_is_no_such_release_is_no_success(
    provenance: Provenance, model: Path, node: DevNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = node.chain.latest()
    release = published(provenance, model)
    made = provenance("proof", "state", release, "--block", str(before.number))
    assert "is not in the registry" in made.err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(made.out.encode())))
    done = provenance("proof", "check", "-", "--block-hash", "0x" + before.hash.hex(), "--json")
    assert done.code == 3 and done.json["record"] is None and done.json["status"] is None, done


def test_the_registry_of_a_stranger_proves_nothing(
    provenance: Provenance, model: Path, node: DevNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = published(provenance, model)
    block = node.chain.latest()
    proof = kept(provenance("proof", "state", release, "--block", "latest"), tmp_path / "proof.json")
    check = ("proof", "check", proof, "--block-hash", "0x" + block.hash.hex())
    assert provenance(*check).code == 0
    monkeypatch.setenv("PROVENANCE_CHAIN_ID", "1")
    other = provenance(*check)
    assert other.code == 2 and "chain.proof-refused" in other.err and "on chain 31337" in other.err
    monkeypatch.delenv("PROVENANCE_CHAIN_ID")
    monkeypatch.setenv("PROVENANCE_MODEL_REGISTRY", "0x" + "11" * 20)
    other = provenance(*check)
    assert other.code == 2 and "configured here" in other.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("state", "release:0x" + "ab" * 32, "--block", "soon"), "input"),
        (("state", "release:0x" + "ab" * 32, "--block", "0xab"), "input"),
        (("state", "release:0x" + "ab" * 32, "--block", "99999999"), "input"),
        (("state", "nobody/m@1"), "input.identifier"),
        (("check", "missing.json", "--block-hash", "0x" + "ab" * 32), "artifact.path-missing"),
        (("check", "missing.json", "--block-hash", "ab" * 32), "input"),
        (("check", "other.json", "--block-hash", "0x" + "ab" * 32), "input.document"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(
    provenance: Provenance, tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    (tmp_path / "other.json").write_text("{}")
    done = provenance("proof", *words)
    assert done.code == 2 and f"error {code}:" in done.err and done.out == "", done
