"""`provenance dev` and `serve` as processes of their own: a stack that starts again where it stopped."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry.chain.artifact import CONTRACTS
from registry.chain.deploy import contract_address
from registry.chain.devnode import DevNode

COMMAND = [sys.executable, "-m", "registry.cli.main"]
ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    def __init__(self, home: Path) -> None:
        self.home, self.rpc, self.api = home, free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.api}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROVENANCE_")}
        self.environment = kept | {
            "PYTHONPATH": str(ROOT),
            "PROVENANCE_HOME": str(home),
            "PROVENANCE_RPC_URL": f"http://127.0.0.1:{self.rpc}",
            "PROVENANCE_KEYSTORE": str(home / "dev" / "publisher-1.json"),
            "PROVENANCE_PASSWORD_FILE": str(home / "dev" / "password"),
        }

    def start(self) -> "subprocess.Popen[bytes]":
        arguments = ["dev", "--port", str(self.rpc), "--api-port", str(self.api)]
        process = subprocess.Popen(
            [*COMMAND, *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        wait_until_ready(process, self.url)
        return process

    def run(self, *arguments: str) -> Any:
        done = subprocess.run([*COMMAND, *arguments, "--json"], env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        process = self.start()
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("not ready")


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path / "home")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    return tmp_path / "model"


def verdict_once_read(stack: Stack, body: dict[str, Any]) -> str:
    """The verdict of the service, once it has read the documents: it is ready a little before."""
    deadline = time.monotonic() + 60
    while True:
        answer = httpx.post(f"{stack.url}/v1/verify", json=body, trust_env=False).json()
        if answer["verdict"] != "unknown" or time.monotonic() > deadline:
            return str(answer["verdict"])
        assert {reason["code"] for reason in answer["reasons"] if reason["effect"] == "undecided"} <= {
            "manifest-unavailable",
            "terms-unavailable",
        }, answer
        time.sleep(0.1)


def test_it_starts_again_where_it_stopped(stack: Stack, model: Path) -> None:
    with stack.running():
        made = stack.run("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes")
    assert not listening(stack.rpc) and not listening(stack.api)
    with stack.running():
        policy = {"version": 1, "publishers": [made["publisher"]]}
        body = {"what": made["cid"], "policy": policy}
        assert verdict_once_read(stack, body) == "allow"
        assert httpx.get(f"{stack.url}/ipfs/{made['cid']}", trust_env=False).status_code == 200
        again = stack.run("publish", str(model), "--name", "m", "--version", "1", "--license", "mit", "--yes")
        assert again["unchanged"] and again["release"] == made["release"]


def test_it_says_where_every_contract_is(stack: Stack) -> None:
    arguments = ["dev", "--port", str(stack.rpc), "--api-port", str(stack.api)]
    with subprocess.Popen([*COMMAND, *arguments], env=stack.environment, stdout=subprocess.PIPE, text=True) as process:
        wait_until_ready(process, stack.url)
        process.terminate()
        said = process.communicate(timeout=60)[0]
    for name in CONTRACTS:
        assert re.search(rf"^contract  {name} +{contract_address(name)}$", said, re.MULTILINE), said


def test_killed_it_leaves_no_node_behind_and_comes_up_again(stack: Stack) -> None:
    process = stack.start()
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while listening(stack.rpc):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with stack.running():
        assert httpx.get(f"{stack.url}/healthz", trust_env=False).status_code == 200


def test_keys_of_the_local_accounts_are_encrypted_and_private(stack: Stack) -> None:
    with stack.running():
        for name in ("publisher-1", "publisher-2", "stranger"):
            keystore = stack.home / "dev" / f"{name}.json"
            assert json.loads(keystore.read_text())["crypto"]["kdf"] == "pbkdf2"
            assert keystore.stat().st_mode & 0o077 == 0
        assert (stack.home / "dev" / "password").stat().st_mode & 0o077 == 0


def test_a_port_in_use_is_a_sentence(stack: Stack, node: DevNode, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments in (("dev", "--port", port), ("serve", "--port", port, "--rpc-url", node.url)):
            done = subprocess.run([*COMMAND, *arguments], env=stack.environment, capture_output=True, text=True)
            assert done.returncode == 2, done
            assert "error setup" in done.stderr and f"Port {port}" in done.stderr and "--port" in done.stderr
            assert not done.stdout and "Traceback" not in done.stderr
        done = subprocess.run(
            [*COMMAND, "dev", "--port", str(stack.rpc), "--api-port", port],
            env=stack.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2 and "--api-port" in done.stderr and not done.stdout


def test_a_second_stack_on_one_home_is_refused(stack: Stack) -> None:
    with stack.running() as first:
        done = subprocess.run([*COMMAND, "dev"], env=stack.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and "setup.folder-in-use" in done.stderr and str(first.pid) in done.stderr, done
        assert httpx.get(f"{stack.url}/healthz", trust_env=False).status_code == 200


def ignoring_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_on_sigterm_and_where_ctrl_c_was_inherited_as_ignored(
    stack: Stack, number: signal.Signals
) -> None:
    arguments = ["dev", "--port", str(stack.rpc), "--api-port", str(stack.api)]
    with subprocess.Popen([*COMMAND, *arguments], env=stack.environment, preexec_fn=ignoring_ctrl_c) as process:
        wait_until_ready(process, stack.url)
        process.send_signal(number)
        assert process.wait(60) == 0
    assert not listening(stack.rpc) and not listening(stack.api)


def test_a_signal_while_it_starts_ends_it_too(stack: Stack) -> None:
    arguments = ["dev", "--port", str(stack.rpc), "--api-port", str(stack.api)]
    with subprocess.Popen([*COMMAND, *arguments], env=stack.environment) as process:
        while not listening(stack.rpc):
            assert process.poll() is None
            time.sleep(0.02)
        process.terminate()
        assert process.wait(60) == 0
    assert not listening(stack.rpc)


def test_the_service_follows_a_node_of_someone_else(stack: Stack, node: DevNode) -> None:
    arguments = ["serve", "--port", str(stack.api), "--rpc-url", node.url]
    process = subprocess.Popen(
        [*COMMAND, *arguments], env=stack.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        wait_until_ready(process, stack.url)
    finally:
        process.terminate()
        assert process.wait(60) == 0
