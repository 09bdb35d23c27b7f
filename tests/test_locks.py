"""Lock files pin everything by hash and name no registry, so that any mirror serves them."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EAS = "@ethereum-attestation-service/eas-contracts"
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_python_packages_are_pinned_by_hash(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^--?(i|index|extra-index|find-links)", text, re.MULTILINE)
    blocks = re.split(r"\n(?=\S)", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE).strip())
    for block in blocks:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,-]+\])?==\S+", block), block
        assert "--hash=sha256:" in block, block


def test_node_packages_are_pinned_by_hash() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert_pinned(name, entry)
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    versions = {**wanted["devDependencies"], **wanted["optionalDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    assert {name: packages[f"node_modules/{name}"]["version"] for name in versions} == versions


def test_the_node_package_of_a_benchmark_is_pinned_by_hash() -> None:
    """It comes alone: an empty package of ours stands in for the one that it depends on."""
    folder = ROOT / "benchmarks" / "npm"
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = lock["packages"]
    assert packages.keys() == {"", "no-hardhat", "node_modules/hardhat", f"node_modules/{EAS}"}
    assert packages["node_modules/hardhat"] == {"resolved": "no-hardhat", "link": True}
    assert_pinned(EAS, packages[f"node_modules/{EAS}"])
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    assert wanted["devDependencies"][EAS] == packages[f"node_modules/{EAS}"]["version"]
    assert [path.name for path in (folder / "no-hardhat").iterdir()] == ["package.json"]


def test_ponder_is_pinned_by_hash_with_all_that_it_brings() -> None:
    folder = ROOT / "benchmarks" / "ponder"
    packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert wanted["ponder"] == "0.16.10"
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    for name, entry in packages.items():
        if name:
            assert_pinned(name, entry)
    assert (folder / ".npmrc").read_bytes() == (ROOT / ".npmrc").read_bytes()


def assert_pinned(name: str, entry: dict[str, str]) -> None:
    assert "resolved" not in entry, name
    assert entry["integrity"].startswith("sha512-"), name


def test_the_product_runs_on_what_it_is_developed_with() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))

    runtime, dev, bench = pins("runtime.txt"), pins("dev.txt"), pins("bench.txt")
    assert {name: dev.get(name) for name in runtime} == runtime
    assert all(dev.get(name, version) == version for name, version in bench.items())
