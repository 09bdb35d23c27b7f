"""A chain with many releases, as anvil makes it fastest: blocks of many transactions, one release each."""

import hashlib
from collections.abc import Iterator

import requests

from registry.chain.actions import publish
from registry.chain.deploy import contract_address, deploy
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.records import ZERO, Release

PUBLISHERS = 10
IN_A_BLOCK = 50
_GAS = 300_000
_BLOCK_GAS = 10_000_000_000


def digest(label: str) -> bytes:
    """32 bytes of this label."""
    return hashlib.sha256(label.encode()).digest()


def releases(count: int, first: int = 0) -> Iterator[Release]:
    """Releases with digests of their own, by ten publishers in turn."""
    accounts = [dev_signer(index).address for index in range(PUBLISHERS)]
    for number in range(first, first + count):
        names = (f"{what} {number}" for what in ("artifact", "manifest", "terms", "training data"))
        yield Release(accounts[number % PUBLISHERS], f"model-{number}", "1.0.0", *map(digest, names))


def fill(node: DevNode, count: int) -> None:
    """Publish `count` releases, `IN_A_BLOCK` of them in each block. The contracts are deployed when they are not."""
    deploy(node.chain, dev_signer(9))
    registry = contract_address("ModelRegistry")
    session = requests.Session()

    def send(calls: list[tuple[str, list[object]]]) -> None:
        batch = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": params}
            for index, (method, params) in enumerate(calls)
        ]
        for answer in session.post(node.url, json=batch, timeout=600).json():
            if "error" in answer:
                raise SystemExit(f"The chain cannot be made: {answer['error']}")

    send([("evm_setAutomine", [False]), ("evm_setBlockGasLimit", [hex(_BLOCK_GAS)])])
    transactions = [
        {
            "from": release.publisher,
            "to": registry,
            "gas": hex(_GAS),
            "data": "0x" + publish(release, ZERO).calldata().hex(),
        }
        for release in releases(count)
    ]
    for start in range(0, count, IN_A_BLOCK):
        send([("eth_sendTransaction", [transaction]) for transaction in transactions[start : start + IN_A_BLOCK]])
        send([("evm_mine", [])])
    send([("evm_setAutomine", [True])])
