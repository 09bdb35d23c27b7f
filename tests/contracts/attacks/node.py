"""An anvil of the attack tests' own, spoken to in plain JSON-RPC: they choose every block's transactions and time."""

import json
import re
import socket
import subprocess
import time

START = 1_800_000_000  # seconds since the epoch: the first block's time, so that a run is the same at any hour
GAS = 15_000_000
BUSY_SECONDS = 30


class RpcError(Exception):
    """The node refused a request. `data` is what a call reverted with, if it was one that did."""

    def __init__(self, error):
        super().__init__(error.get("message"))
        self.data = bytes.fromhex(str(error.get("data") or "0x")[2:])


class Node:
    """Accounts need no keys here (every sender is impersonated), gas costs nothing, a transaction is a block."""

    def __init__(self, chain_id=31337):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        options = {
            "--port": self._port,
            "--chain-id": chain_id,
            "--timestamp": START,
            "--base-fee": 0,
            "--gas-price": 0,
            "--order": "fifo",
            "--accounts": 1,
            "--prune-history": 100,
        }
        words = [str(word) for option in options.items() for word in option]
        self._process = subprocess.Popen(["anvil", *words, "--auto-impersonate", "--disable-min-priority-fee", "-q"])
        self.chain_id = chain_id
        self.now = START
        self._socket = None
        self._await_start()

    def __call__(self, method, *parameters):
        """The result of a request."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        # One write and one read of a socket: a library's share of this would be half of a long run's time.
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self._socket.sendall(f"{head}\r\n\r\n{body}".encode())
        answer = json.loads(self._body())
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def _body(self):
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, body = received.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)[1])
        parts, missing = [body], length - len(body)
        while missing:
            parts.append(self._receive())
            missing -= len(parts[-1])
        return b"".join(parts)

    def _receive(self):
        received = self._socket.recv(1 << 20)
        if not received:
            raise ConnectionError("the node is gone")
        return received

    def close(self):
        self._socket.close()
        self._process.terminate()
        self._process.wait()

    def send(self, sender, to, data, gas=GAS, **more):
        """Mines a transaction at the time `now`, whose blocks may be many, and gives its receipt."""
        self("evm_setNextBlockTimestamp", self.now)
        return self("eth_sendTransactionSync", self._transaction(sender, to, data, gas, more))

    def send_together(self, *transactions):
        """Mines (sender, to, data) in one block, in this order, at the time `now`; gives the receipts."""
        self("evm_setAutomine", False)
        hashes = [
            self("eth_sendTransaction", self._transaction(sender, to, data, 3_000_000, {}))
            for sender, to, data in transactions
        ]
        self("evm_setNextBlockTimestamp", self.now)
        self("evm_mine")
        self("evm_setAutomine", True)
        receipts = [self("eth_getTransactionReceipt", sent) for sent in hashes]
        assert len({receipt["blockHash"] for receipt in receipts}) == 1
        assert [int(receipt["transactionIndex"], 16) for receipt in receipts] == list(range(len(hashes)))
        return receipts

    def snapshot(self):
        """The chain and the time as they are, to `revert` to."""
        return self("evm_snapshot"), self.now

    def revert(self, snapshot):
        # A block is answered for before its transactions leave the pool, where they would shut out the next ones.
        until = time.monotonic() + BUSY_SECONDS
        while int(self("txpool_status")["pending"], 16):
            assert time.monotonic() < until
        identity, self.now = snapshot
        assert self("evm_revert", identity)

    def call(self, sender, to, data, at=None):
        """What a call gives, made at the time `now` or at another one."""
        transaction = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(GAS)}
        answer = self("eth_call", transaction, "latest", {}, {"time": hex(self.now if at is None else at)})
        return bytes.fromhex(answer[2:])

    def reverted_with(self, transaction_hash):
        """What a mined transaction reverted with."""
        trace = self("debug_traceTransaction", transaction_hash, {"tracer": "callTracer"})
        return bytes.fromhex(trace.get("output", "0x")[2:])

    def sleep(self, seconds):
        """The next block is `seconds` later than it would have been."""
        self.now += seconds

    @staticmethod
    def _transaction(sender, to, data, gas, more):
        transaction = {"from": sender, "data": "0x" + data.hex(), "gas": hex(gas), "gasPrice": "0x0", **more}
        return transaction if to is None else {**transaction, "to": to}

    def _await_start(self):
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=600)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self("eth_chainId")
                return
            except OSError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
