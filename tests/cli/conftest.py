"""The command line against a real node: run in this process, with the environment that a user would set."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from registry.chain.devnode import DevNode, dev_key
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
