"""What nodes do wrong, each as faults of `FaultyRpc`: they fail, refuse, lag, and say what is not so."""

import random
from collections.abc import Callable
from typing import Any

from faulty_rpc import Ask, Fault, HttpStatus, Refusal

from tests.chain.test_ranges import PROVIDERS

Faults = dict[str, Fault]


class Sometimes:
    """Faults that are met by some requests, by the dice, the first of them for certain."""

    def __init__(self, dice: random.Random, faults: Faults) -> None:
        self._dice, self._certain = dice, True
        self.faults: Faults = {method: self._some(fault) for method, fault in faults.items()}

    def _some(self, fault: Fault) -> Fault:
        def some(ask: Ask, params: list) -> Any:
            certain, self._certain = self._certain, False
            return fault(ask, params) if certain or self._dice.random() < 0.5 else ask()

        return some


def raising(error: Exception) -> Fault:
    def fault(_ask: Ask, _params: list) -> Any:
        raise error

    return fault


def logs(change: Callable[[list], list]) -> Callable[[random.Random], Faults]:
    return lambda _dice: {"eth_getLogs": lambda ask, _params: change(ask())}


def blocks(change: Callable[[random.Random, Any, list], Any]) -> Callable[[random.Random], Faults]:
    """`change` is given a block that there is, and the parameters it was asked for with."""

    def made(dice: random.Random) -> Faults:
        def fault(ask: Ask, params: list) -> Any:
            block = ask()
            return block and change(dice, block, params)

        return {"eth_getBlockByNumber": fault}

    return made


def lagging(_dice: random.Random) -> Faults:
    """Its newest block is an old one, until it is not."""
    behind = 0

    def fault(ask: Ask, params: list) -> Any:
        nonlocal behind
        block = ask()
        if params[0] != "latest" or int(block["number"], 16) < 8:
            return block
        behind = (behind + 3) % 9
        params[0] = hex(int(block["number"], 16) - behind)
        return ask()

    return {"eth_getBlockByNumber": fault}


def other_hash(dice: random.Random, block: Any) -> Any:
    return block | {"hash": "0x" + dice.randbytes(32).hex()}


def beyond(_dice: random.Random, block: Any, params: list) -> Any:
    """A head that is in no chain, some blocks on."""
    if params[0] != "latest":
        return block
    return block | {"number": hex(int(block["number"], 16) + 7), "hash": "0x" + "ab" * 32}


FAULTS: dict[str, Callable[[random.Random], Faults]] = {
    **{
        name: lambda _dice, fault=fault: {"eth_getLogs": fault}
        for name, fault in PROVIDERS.items()
        if "time" not in name
    },
    "no answer": lambda _dice: {"*": raising(ConnectionError())},
    "no answer for logs": lambda _dice: {"eth_getLogs": raising(ConnectionError())},
    "too busy": lambda _dice: {"*": raising(HttpStatus(429))},
    "broken": lambda _dice: {"*": raising(HttpStatus(500))},
    "no JSON-RPC": lambda _dice: {"*": lambda _ask, _params: {"not": "what was asked"}},
    "no old state": lambda _dice: {"eth_call": raising(Refusal(-32000, "missing trie node"))},
    "wrong state": lambda dice: {"eth_call": lambda _ask, _params: "0x" + dice.randbytes(32).hex()},
    "the last log missing": logs(lambda found: found[:-1]),
    "the first log missing": logs(lambda found: found[1:]),
    "no logs": logs(lambda _found: []),
    "logs twice": logs(lambda found: found + found),
    "the last log twice": logs(lambda found: found + found[-1:]),
    "logs in another order": logs(lambda found: found[::-1]),
    "logs of other blocks": logs(lambda found: [log | {"blockHash": "0x" + "22" * 32} for log in found]),
    "logs that were removed": logs(lambda found: [log | {"removed": True} for log in found]),
    "logs of another contract": logs(lambda found: [log | {"address": "0x" + "11" * 20} for log in found]),
    "logs that are cut off": logs(lambda found: [log | {"data": log["data"][:-64]} for log in found]),
    "a head that lags": lagging,
    "a head beyond the chain": blocks(beyond),
    "a head that is in no chain": blocks(
        lambda dice, block, params: other_hash(dice, block) if params[0] == "latest" else block
    ),
    "a block that is in no chain": blocks(
        lambda dice, block, params: other_hash(dice, block) if params[0] != "latest" else block
    ),
    "blocks that are in no chain": blocks(lambda dice, block, _params: other_hash(dice, block)),
    "times that no database holds": blocks(lambda _dice, block, _params: block | {"timestamp": "0x" + "f" * 20}),
    "numbers that no chain reaches": blocks(lambda _dice, block, _params: block | {"number": "0x" + "f" * 20}),
    "places that no block has": logs(lambda found: [log | {"logIndex": "0x" + "f" * 20} for log in found]),
    "no blocks": blocks(lambda _dice, _block, _params: None),
}
