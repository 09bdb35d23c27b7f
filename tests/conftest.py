"""Real parts that tests of several packages share: EVM nodes, the registries on them, and what may be left out."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest
from geth_node import Geth, running_geth
from hypothesis import settings
from kubo_node import OUR_PROFILE, Kubo, running_kubo
from postgres_server import Postgres, running_postgres
from whole_registry import deployed

from registry.chain.deploy import deploy
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.model_registry import ModelRegistryClient, open_model_registry

# How long an example takes says how busy the machine is. What hangs, pytest-timeout ends.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def shared_node() -> Iterator[DevNode]:
    """One anvil for the whole run, with the registry deployed. Tests on it use names of their own."""
    with deployed() as node:
        yield node


@pytest.fixture(scope="session")
def registries(shared_node: DevNode) -> Registries:
    """The four registries on `shared_node`, acting as the first dev account."""
    return Registries(shared_node.chain, dev_signer(0), timeout=60)


@pytest.fixture
def node() -> Iterator[DevNode]:
    """An anvil of the test's own, with the registry deployed, for tests that reorganise or stop it."""
    with deployed() as node:
        yield node


@pytest.fixture
def publisher(node: DevNode) -> ModelRegistryClient:
    """The registry on `node`, acting as the first dev account."""
    return open_model_registry(node.chain, signer=dev_signer(0), timeout=60)


@pytest.fixture
def stranger(node: DevNode) -> ModelRegistryClient:
    """The registry on `node`, acting as the second dev account."""
    return open_model_registry(node.chain, signer=dev_signer(1), timeout=60)


ROOT = Path(__file__).resolve().parent.parent


def _package(name: str) -> Path:
    """Where a package is, or a path that is not there."""
    found = find_spec(name)
    return Path(found.origin) if found and found.origin else ROOT / ".venv" / f"no-{name}"


@dataclass(frozen=True)
class Part:
    """What some tests need and a machine may lack; they are marked with its name."""

    name: str
    what: str
    path: Path
    target: str

    @property
    def variable(self) -> str:
        """Set, it makes the lack an error."""
        return f"REQUIRE_{self.name.upper()}"


PARTS = (
    Part("kubo", "a Kubo", ROOT / ".tools" / "kubo" / "ipfs", "make kubo"),
    Part("geth", "a geth", ROOT / ".tools" / "geth" / "geth", "make geth"),
    Part("postgres", "a PostgreSQL", ROOT / ".tools" / "postgres" / "bin" / "postgres", "make postgres"),
    Part("btrfs", "mkfs.btrfs", ROOT / ".tools" / "btrfs" / "bin" / "mkfs.btrfs", "make btrfs"),
    Part("solc", "the Solidity compiler", ROOT / ".tools" / "solcx", "make setup-contracts"),
    Part("oms", "the package model-signing", _package("model_signing"), "python3 scripts/setup.py bench"),
)
LEFT_OUT = pytest.StashKey[list[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked with a part that is not there are left out, unless its variable is set: then that is an error."""
    lines = config.stash.setdefault(LEFT_OUT, [])
    for part in PARTS:
        needing = [item for item in items if item.get_closest_marker(part.name)]
        if not needing or part.path.exists():
            continue
        if os.environ.get(part.variable):
            raise pytest.UsageError(f"{part.variable} is set and there is no {part.path}: run `{part.target}`.")
        config.hook.pytest_deselected(items=needing)
        files = ", ".join(sorted({item.location[0] for item in needing}))
        lines.append(f"Left out without {part.what} (`{part.target}` brings it): in {files}.")
        items[:] = [item for item in items if item not in needing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line for each part about what was left out, and how to include it."""
    for line in config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def kubo_binary() -> Path:
    """A real Kubo, for tests marked `kubo`."""
    return PARTS[0].path


@pytest.fixture(scope="session")
def btrfs_maker() -> Path:
    """mkfs.btrfs, for tests marked `btrfs`."""
    return PARTS[3].path


@pytest.fixture(scope="session")
def kubo(kubo_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubo]:
    """A running Kubo with the registry's import profile, offline on loopback, for tests marked `kubo`."""
    with running_kubo(kubo_binary, tmp_path_factory.mktemp("kubo") / "repository", OUR_PROFILE) as node:
        yield node


@pytest.fixture(scope="session")
def geth_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Geth]:
    """A running geth with the registries deployed and the dev accounts funded, for tests marked `geth`."""
    with running_geth(PARTS[1].path, tmp_path_factory.mktemp("geth")) as node:
        for index in range(10):
            node.pay(dev_signer(index).address, 100)
        deploy(node.chain, dev_signer(9))
        yield node


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL, for tests marked `postgres`."""
    with running_postgres(PARTS[2].path.parent) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def new_index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Gives the URL of an index that is not there yet, a new one at each call: first in SQLite, then in PostgreSQL."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        with server.databases() as new_database:
            yield new_database
        return
    numbers = count()
    yield lambda: f"sqlite:///{tmp_path / f'index-{next(numbers)}.sqlite'}"
