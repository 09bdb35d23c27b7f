"""A real EVM node for development: anvil, on loopback, with its chain kept in a file.

Its accounts are those of the well-known test mnemonic: their keys are public, so they are worth nothing anywhere else.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from registry.chain.client import Chain, connect
from registry.chain.foreign import key_from_seed, seed_from_mnemonic
from registry.chain.signer import Signer, signer_from_key
from registry.errors import ChainError, SetupError

MNEMONIC: Final = "test test test test test test test test test test test junk"
DEV_CHAIN_ID: Final = 31337

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0
_PORT_SECONDS: Final = 3.0
# Runs anvil, and ends it with a SIGTERM (on which it writes its state) when the pipe to whoever asked for it closes:
# that happens however that process ends, kill -9 included, and needs nothing of the operating system.
# On Linux anvil also gets one when this keeper itself is killed.
_KEEPER: Final = """
import ctypes, os, shutil, signal, subprocess, sys, threading
def die_with_keeper():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
linux = sys.platform == "linux"
cache, *command = sys.argv[1:]
child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_keeper if linux else None)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
def wait_for_parent():
    sys.stdin.buffer.read()
    child.terminate()
threading.Thread(target=wait_for_parent, daemon=True).start()
code = child.wait()
shutil.rmtree(cache, ignore_errors=True)
os._exit(code if code >= 0 else 128 - code)
"""


class DevNode:
    """A running anvil."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, chain: Chain, cache: str) -> None:
        self.url = url
        self.chain = chain
        self._process = process
        self._cache = cache

    @property
    def pid(self) -> int:
        """The process to watch; it ends when anvil does."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it and wait until its state is written. Does nothing when it has ended."""
        _end(self._process, self._cache)


@contextlib.contextmanager
def dev_node(
    *, state: Path | None = None, port: int = 0, chain_id: int = DEV_CHAIN_ID, log: Path | None = None
) -> Iterator[DevNode]:
    """A dev chain for the time of a `with` block; see `start_dev_node`."""
    node = start_dev_node(state=state, port=port, chain_id=chain_id, log=log)
    try:
        yield node
    finally:
        node.stop()


def start_dev_node(
    *, state: Path | None = None, port: int = 0, chain_id: int = DEV_CHAIN_ID, log: Path | None = None
) -> DevNode:
    """Start anvil and wait until it answers. Blocks and logs in `state` are there again; port 0 takes a free one.

    It ends with this process, however that ends. Raises `SetupError`.
    """
    binary = find_anvil()
    port = port or free_port()
    command = [str(binary), "--quiet", "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)]
    command += ["--slots-in-an-epoch", "1"]  # safe is one block behind and finalized two
    if not _becomes_free(port):
        raise SetupError(f"Port {port} on 127.0.0.1 is in use. Stop what runs there, or choose another port.")
    if state is not None:
        state.parent.mkdir(parents=True, exist_ok=True)
        _keep_readable(state)
        command += ["--state", str(state), "--state-interval", "5"]
    # Old states go to disk, by default into the home folder and for good. The keeper removes them here.
    cache = tempfile.mkdtemp(prefix="provenance-anvil-")
    command += ["--cache-path", cache, "--max-persisted-states", "500"]
    url = f"http://127.0.0.1:{port}"
    with open(log, "ab") if log else contextlib.nullcontext(subprocess.DEVNULL) as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _KEEPER, cache, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C reaches this process, which decides when its parts end
        )
    try:
        return DevNode(process, url, _wait_until_ready(process, url, chain_id), cache)
    except BaseException:
        _end(process, cache)
        raise


def dev_signer(index: int) -> Signer:
    """The dev chain's account of this index (0 to 9), funded at genesis."""
    return signer_from_key(dev_key(index))


def dev_key(index: int) -> str:
    """The public private key of a dev account, as hex with 0x. NEVER send anything of value to its address."""
    seed = seed_from_mnemonic(MNEMONIC, "")
    return "0x" + bytes(key_from_seed(seed, f"m/44'/60'/0'/0/{index}")).hex()


def find_anvil() -> Path:
    """The anvil of the project's npm packages, or one on PATH. Raises `SetupError`."""
    packages = Path(__file__).resolve().parents[2] / "node_modules" / "@foundry-rs"
    for found in sorted(packages.glob("anvil-*/bin/anvil*")):
        if found.is_file():
            return found
    on_path = shutil.which("anvil")
    if on_path:
        return Path(on_path)
    raise SetupError("The local chain needs anvil, which is not installed. Run `make setup` first.")


def _end(process: "subprocess.Popen[bytes]", cache: str) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(cache, ignore_errors=True)  # the keeper has done so, unless it was killed


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, chain_id: int) -> Chain:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SetupError(f"anvil ended at once with exit code {process.returncode}; its log says why.")
        try:
            return connect(url, chain_id)
        except ChainError:
            time.sleep(0.03)
    raise SetupError(f"anvil did not answer at {url} within {_START_SECONDS:.0f} seconds.")


def _keep_readable(state: Path) -> None:
    """anvil does not write its state atomically: keep the last whole one, and go back to it from a torn one."""
    kept = state.with_name(state.name + ".kept")
    if not state.exists():
        return
    if _is_json(state):
        temporary = kept.with_name(kept.name + ".new")
        shutil.copyfile(state, temporary)
        temporary.replace(kept)
    elif kept.exists():
        shutil.copyfile(kept, state)
    else:
        raise SetupError(f"The state of the local chain, {state}, is damaged. Delete it to start a new chain.")


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _becomes_free(port: int) -> bool:
    """Whether nothing listens on a port; one that was started by a process just killed takes a moment to end."""
    deadline = time.monotonic() + _PORT_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
