"""On a chain of the OP Stack data is paid for on top of gas, and the bound that is shown holds both."""

import contextlib
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from registry.chain.client import Chain, connect
from registry.chain.data_fee import GAS_PRICE_ORACLE, data_fee
from registry.chain.deploy import deploy
from registry.chain.devnode import dev_key, dev_signer, find_anvil
from registry.chain.model_registry import open_model_registry
from registry.chain.records import Release
from registry.cli.main import run
from registry.errors import FeeTooHigh, InsufficientFunds, RpcUnavailable

L1_BLOCK = "0x4200000000000000000000000000000000000015"
BASE_FEE_SCALAR, BLOB_SCALAR = 5_227, 1_014_213  # as on OP Mainnet in 2025
GWEI = 10**9
COST = re.compile(r"at most ([0-9.]+) of the chain's coin \(gas limit .* gwei, and ([0-9.]+) for its data\)")
DIGEST = b"\1" * 32

UPPER_BOUND, L1_FEE = ("getL1FeeUpperBound(uint256)", 4), ("getL1Fee(bytes)", 36)
"""What the predeploy is asked since Fjord and before, and where the size stands in the calldata."""


def oracle_code(signature: str, size_at: int) -> bytes:
    """A predeploy that answers one function, by Fjord's upper bound; its slot 0 holds the price as the chain scales it.

    size = calldata[size_at] + 68; fastlz = size + size / 255 + 16; fee = (836500 fastlz - 42585600) price / 10^12
    """

    def push(number: int) -> bytes:
        raw = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")
        return bytes((0x5F + len(raw),)) + raw

    mul, add, sub, div, eq, shr, load, sload = (bytes((op,)) for op in (2, 1, 3, 4, 0x14, 0x1C, 0x35, 0x54))
    asked = push(0) + load + push(224) + shr + push(int.from_bytes(keccak(signature.encode())[:4], "big")) + eq
    refuse = push(0) + push(0) + b"\xfd"
    begin = len(asked) + 3 + len(refuse)
    size = push(68) + push(size_at) + load + add
    fastlz = size + push(255) + b"\x81" + div + add + push(16) + add  # DUP2: size / 255 + size + 16
    fee = push(42_585_600) + fastlz + push(836_500) + mul + sub + push(0) + sload + mul
    whole = push(10**12) + b"\x90" + div + push(0) + b"\x52" + push(32) + push(0) + b"\xf3"
    return asked + push(begin) + b"\x57" + refuse + b"\x5b" + fee + whole


@pytest.fixture
def rollup() -> Iterator[Chain]:
    """A chain of the OP Stack that takes for data what OP Mainnet takes at an L1 fee of 30 gwei."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(find_anvil()), "--quiet", "--port", str(port), "--network", "optimism", "--hardfork", "fjord"]
    with subprocess.Popen(command) as process:
        try:
            chain = _connected(f"http://127.0.0.1:{port}")
            deploy(chain, dev_signer(9))
            scalars = BLOB_SCALAR.to_bytes(4, "big").rjust(16, b"\0") + BASE_FEE_SCALAR.to_bytes(4, "big")
            store(chain, L1_BLOCK, 1, 30 * GWEI)
            store(chain, L1_BLOCK, 3, int.from_bytes(scalars.ljust(32, b"\0"), "big"))
            store(chain, L1_BLOCK, 7, GWEI)
            chain.rpc.request("evm_mine", [])
            yield chain
        finally:
            process.terminate()


def _connected(url: str) -> Chain:
    for _ in range(200):
        with contextlib.suppress(RpcUnavailable):
            return connect(url, 31337)
        time.sleep(0.1)
    return connect(url, 31337)


def store(chain: Chain, address: str, slot: int, value: int) -> None:
    words = ["0x" + number.to_bytes(32, "big").hex() for number in (slot, value)]
    chain.rpc.request("anvil_setStorageAt", [address, *words])


def put_oracle(chain: Chain, signature: str, size_at: int, times: int = 1) -> None:
    chain.rpc.request("anvil_setCode", [GAS_PRICE_ORACLE, "0x" + oracle_code(signature, size_at).hex()])
    store(chain, GAS_PRICE_ORACLE, 0, times * (BASE_FEE_SCALAR * 16 * 30 * GWEI + BLOB_SCALAR * GWEI))


@pytest.mark.parametrize("asked", [UPPER_BOUND, L1_FEE])
def test_no_more_is_paid_than_was_shown(
    rollup: Chain, asked: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Callable
) -> None:
    put_oracle(rollup, *asked)
    monkeypatch.setenv("PROVENANCE_HOME", str(tmp_path))
    monkeypatch.setenv("PROVENANCE_RPC_URL", rollup.rpc.name)
    monkeypatch.setenv("PROVENANCE_PRIVATE_KEY", dev_key(0))
    assert run(["guardian", dev_signer(3).address, "--sign-only"]) == 0
    (tmp_path / "signed.json").write_text(capfd.readouterr().out)
    monkeypatch.setenv("PROVENANCE_PRIVATE_KEY", dev_key(1))
    before = rollup.balance(dev_signer(1).address)
    assert run(["guardian", "--submit", str(tmp_path / "signed.json"), "--yes"]) == 0
    paid = before - rollup.balance(dev_signer(1).address)
    found = COST.search(capfd.readouterr().err)
    assert found is not None
    most, for_data = (int(Decimal(amount) * 10**18) for amount in found.groups())
    (transaction,) = rollup.rpc.request("eth_getBlockByNumber", ["latest", False])["transactions"]
    receipt = rollup.rpc.request("eth_getTransactionReceipt", [transaction])
    by_gas = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert 0 < paid - by_gas <= for_data
    assert paid <= most


def test_the_fee_for_data_counts_where_costs_are_bounded(rollup: Chain) -> None:
    put_oracle(rollup, *UPPER_BOUND, times=10**10)
    signer = dev_signer(0)
    release = Release(signer.address, "dear", "1", DIGEST, DIGEST)
    with pytest.raises(FeeTooHigh, match="PROVENANCE_MAX_FEE"):
        open_model_registry(rollup, signer=signer).publish(release)
    without_bound = Chain(rollup.rpc, rollup.chain_id, 1 << 256)
    with pytest.raises(InsufficientFunds):
        open_model_registry(without_bound, signer=signer).publish(release)


def test_a_predeploy_that_says_nothing(rollup: Chain) -> None:
    assert data_fee(rollup, b"\1" * 500) == 0
    for code in (oracle_code("somethingElse()", 4), b"\x00"):
        rollup.rpc.request("anvil_setCode", [GAS_PRICE_ORACLE, "0x" + code.hex()])
        with pytest.raises(RpcUnavailable, match="GasPriceOracle"):
            data_fee(rollup, b"\1" * 500)
