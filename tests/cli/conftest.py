"""The command line against a real node: run in this process, with the environment that a user would set."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from registry.chain.devnode import DevNode, dev_key, dev_signer
from registry.cli.main import run


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Provenance = Callable[..., Ran]
Offline = Callable[[], AbstractContextManager[None]]
CLOSED = "http://127.0.0.1:9"
PUBLISHER, STRANGER, FRIEND, GUARDIAN = (dev_signer(account).address for account in range(4))
"""The addresses of the accounts 0 to 3, as the tests use them."""


def later(node: DevNode, seconds: int) -> None:
    """Moves the time of the chain."""
    node.chain.rpc.request("evm_increaseTime", [seconds])
    node.chain.rpc.request("evm_mine", [])


def kept(ran: Ran, path: Path) -> str:
    """Writes what a command printed into a file, as a shell's > does; its name."""
    assert ran.code == 0, ran
    path.write_text(ran.out, encoding="utf-8")
    return str(path)


@pytest.fixture
def provenance(
    node: DevNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Provenance:
    """Runs `provenance` as the dev account `account`, in a home of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVENANCE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PROVENANCE_RPC_URL", node.url)

    def command(*arguments: str, account: int = 0) -> Ran:
        monkeypatch.setenv("PROVENANCE_PRIVATE_KEY", dev_key(account))
        code = run(list(arguments))
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return command


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that can be published."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "weights.bin").write_bytes(bytes(range(256)) * 6000)
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Offline:
    """Commands in this `with` block have no node, and a chain that the settings name."""

    @contextmanager
    def without_node() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setenv("PROVENANCE_RPC_URL", CLOSED)
            patch.setenv("PROVENANCE_CHAIN_ID", "31337")
            yield

    return without_node


@pytest.fixture
def release(provenance: Provenance, model: Path) -> str:
    """`release:0x…` of the publisher's m@1 under MIT."""
    done = provenance("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes", "--json")
    assert done.code == 0, done
    return str(done.json["release"])
