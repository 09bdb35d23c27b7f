"""A real geth for tests: a development chain of its own on loopback, whose one account funds those of the tests."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from registry.chain.client import Chain, connect
from registry.chain.transactions import wait_for_receipt
from registry.errors import ChainError

DEV_CHAIN = 1337


@dataclass(frozen=True)
class Geth:
    """A running node, and the account that it holds the key of and that all Ether belongs to."""

    url: str
    chain: Chain
    account: str

    def pay(self, address: str, ether: int) -> None:
        """Send Ether, in a block of its own."""
        asked = {"from": self.account, "to": address, "value": hex(ether * 10**18)}
        sent = self.chain.rpc.request("eth_sendTransaction", [asked])
        wait_for_receipt(self.chain, bytes.fromhex(sent[2:]), 30)

    def rewind(self, number: int) -> None:
        """Take every block after this one off the chain."""
        if number < self.chain.latest().number:
            self.chain.rpc.request("debug_setHead", [hex(number)])

    def next_block(self) -> None:
        """Make a block: geth makes none without a transaction."""
        self.pay(self.account, 0)


@contextmanager
def running_geth(program: Path, folder: Path) -> Iterator[Geth]:
    """A node of its own with its data in `folder`, until the block ends."""
    port = free_port()
    command = [program, "--dev", "--datadir", folder / "data", "--ipcdisable", "--nodiscover", "--maxpeers", "0"]
    command += [
        "--port",
        "0",
        "--authrpc.port",
        "0",
        "--verbosity",
        "2",
        "--gcmode",
        "archive",
        "--state.scheme",
        "hash",
    ]
    command += ["--http", "--http.addr", "127.0.0.1", "--http.port", str(port), "--http.api", "eth,web3,net,debug,dev"]
    command += ["--txpool.nolocals"]  # else what was taken off the chain is sent again, once a minute
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "geth.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        chain = wait_until_ready(process, url, folder / "geth.log")
        (account,) = chain.rpc.request("eth_accounts", [])
        yield Geth(url, chain, account)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> Chain:
    deadline = time.monotonic() + 60
    while True:
        try:
            return connect(url, DEV_CHAIN)
        except ChainError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"geth did not start: {log.read_text()}")
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
