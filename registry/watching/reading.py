"""What a node's answer to `eth_getLogs` holds: records, and what is none, which stops nothing and is told too."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from registry.chain.events import Log, parse_log
from registry.chain.followed import Contracts, Entry
from registry.errors import InvalidLog


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A log that no contract emits, as the node gave it. `log` is None where it is not even of a log's form.

    `stray` is one that was not asked for, or not of the chain, and so stands for no record.
    """

    given: Any
    log: Log | None
    why: str
    stray: bool = False


Taken = Entry | Undecodable


def read_logs(contracts: Contracts, given: Iterable[Any], first: int, last: int) -> list[Taken]:
    """The logs of blocks first to last in the order of the chain, each once; those without a place come at the end."""
    found: dict[Any, Taken] = {}
    for one in given:
        taken = _read(contracts, one, first, last)
        log = taken.log
        key = repr(one) if log is None else (log.location.block_hash, log.location.log_index)
        found.setdefault(key, taken)
    return sorted(found.values(), key=_order)


def _read(contracts: Contracts, given: Any, first: int, last: int) -> Taken:
    log = None
    try:
        log = parse_log(given)
        number = log.location.block_number
        if not first <= number <= last:
            return Undecodable(given, log, f"The node gave a log of block {number}, which was not asked for.", True)
        return contracts.decode(log)
    except InvalidLog as error:
        stray = log is not None and log.address not in contracts.addresses.values()
        return Undecodable(given, log, error.message, stray)


def _order(taken: Taken) -> tuple[int, int]:
    log = taken.log
    return (1 << 64, 0) if log is None else (log.location.block_number, log.location.log_index)
