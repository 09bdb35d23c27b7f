"""Ranges of logs through a faulty server in front of a real node: refused in the words of providers, and all read."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from faulty_rpc import FaultyRpc, Hang, HttpStatus, Refusal, faulty_rpc

from registry.chain.client import Chain, connect
from registry.chain.deploy import contract_address, deploy
from registry.chain.devnode import DevNode, dev_node, dev_signer
from registry.chain.events import Log
from registry.chain.publisher_registry import PublisherRegistryClient
from registry.chain.ranges import LogRange, LogsAhead
from registry.chain.rpc import HttpRpc
from registry.errors import InvalidLog, RpcRefused, RpcUnavailable

RECORDS = 24


@pytest.fixture(scope="module")
def written() -> Iterator[DevNode]:
    """A chain with a record in each of its last blocks."""
    with dev_node() as node:
        deploy(node.chain, dev_signer(9))
        publishers = PublisherRegistryClient(node.chain, contract_address("PublisherRegistry"), dev_signer(0))
        for index in range(RECORDS):
            publishers.set_delegate("0x" + f"{index + 1:040x}", 1, 2_000_000_000)
        yield node


@pytest.fixture
def faulty(written: DevNode) -> Iterator[FaultyRpc]:
    with faulty_rpc(written.url) as server:
        yield server


@pytest.fixture
def chain(faulty: FaultyRpc) -> Chain:
    return connect(Hasty(faulty.url))


def all_logs(chain: Chain, end: int, *, size: int = 8, at_once: int = 3, settled: int | None = None) -> list[Log]:
    """Everything from block 0 to `end`, and each range in its turn."""
    ahead = LogsAhead(reading(chain), LogRange(size), at_once)
    found, first = [], 0
    try:
        while first <= end:
            logs, last = ahead.next(first, end, end if settled is None else settled)
            assert first <= last <= end and all(first <= log.location.block_number <= last for log in logs)
            found += logs
            first = last + 1
    finally:
        ahead.close()
    return found


def reading(chain: Chain) -> Callable[[int, int], list[Log]]:
    address = contract_address("PublisherRegistry")
    return lambda first, last: chain.logs(address, [], first, last)


TOO_LONG = 6


class Hasty:
    """A client that gives up early on ranges of more blocks than `TOO_LONG`, and waits for everything else."""

    def __init__(self, url: str) -> None:
        self._patient, self._hasty = HttpRpc(url, timeout=60), HttpRpc(url, timeout=0.2)
        self.name = self._patient.name

    def request(self, method, params):
        hasty = method == "eth_getLogs" and span(params) > TOO_LONG
        return (self._hasty if hasty else self._patient).request(method, params)


def span(params: list) -> int:
    return int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1


def refusing(answer: Exception, *, blocks: int = 1_000_000, results: int = 1_000_000):
    """Refuses what spans more blocks or has more results."""

    def fault(ask, params):
        logs = ask()
        if span(params) <= blocks and len(logs) <= results:
            return logs
        raise answer

    return fault


PROVIDERS = {
    "infura": refusing(
        Refusal(-32005, "query returned more than 10000 results. Try with this block range [0x1, 0x4]."), results=4
    ),
    "alchemy": refusing(
        Refusal(
            -32602,
            "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on "
            "the response size, or you can request any block range with a cap of 10K logs in the response.",
        ),
        results=3,
    ),
    "quicknode": refusing(Refusal(-32614, "eth_getLogs is limited to a 10,000 range"), blocks=5),
    "quicknode, as HTTP": refusing(HttpStatus(413), blocks=5),
    "ankr": refusing(Refusal(-32600, "block range is too wide"), blocks=2),
    "a public node": refusing(Refusal(-32005, "limit exceeded"), blocks=1),
    "a public node that times out": refusing(Hang(), blocks=TOO_LONG),
    "a public node behind a gateway": refusing(HttpStatus(504), blocks=3),
    "a public node that counts requests": refusing(HttpStatus(429, Retry_After="0"), blocks=3),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_everything_is_read_whatever_the_provider_refuses(written, chain, faulty, provider):
    faulty.faults["eth_getLogs"] = PROVIDERS[provider]
    end = written.chain.latest().number
    expected = reading(written.chain)(0, end)
    assert len(expected) == RECORDS
    assert all_logs(chain, end) == expected
    assert any(span(params) > 1 for method, params in faulty.asked if method == "eth_getLogs")


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_refusal_of_one_block_alone_is_raised(written, chain, faulty, at_once):
    faulty.faults["eth_getLogs"] = refusing(Refusal(-32603, "internal error"), blocks=0)
    with pytest.raises(RpcRefused, match="internal error"):
        all_logs(chain, written.chain.latest().number, at_once=at_once)
    faulty.faults["eth_getLogs"] = refusing(HttpStatus(500), blocks=0)
    with pytest.raises(RpcUnavailable, match="500"):
        all_logs(chain, written.chain.latest().number, at_once=at_once)


def test_a_node_that_says_when_to_come_back_is_given_that_time(chain, faulty):
    answers = [HttpStatus(429, Retry_After="7"), HttpStatus(503, Retry_After="86400"), HttpStatus(429)]

    def fault(ask, _params):
        if answers:
            raise answers.pop(0)
        return ask()

    faulty.faults["eth_getLogs"] = fault
    waited: list[float] = []
    LogRange(64).fetch(reading(chain), 0, 63, waited.append)
    assert waited == [7.0, 30.0, 0.0]


def test_as_many_ranges_are_in_flight_as_were_asked_for_and_no_more(written, chain, faulty):
    flying, most, lock = 0, 0, threading.Lock()

    def slow(ask, _params):
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        time.sleep(0.1)
        with lock:
            flying -= 1
        return ask()

    faulty.faults["eth_getLogs"] = slow
    end = written.chain.latest().number
    assert all_logs(chain, end, size=2) == reading(written.chain)(0, end)
    assert most == 3


def test_answers_that_come_out_of_order_are_taken_in_order(written, chain, faulty):
    end = written.chain.latest().number
    faulty.faults["eth_getLogs"] = lambda ask, params: (
        time.sleep(0.2 if int(params[0]["fromBlock"], 16) % 4 == 0 else 0),
        ask()[::-1],
    )[1]
    assert all_logs(chain, end, size=2) == reading(written.chain)(0, end)


def test_what_may_still_be_replaced_is_not_read_ahead(written, chain, faulty):
    end, settled = written.chain.latest().number, 9
    ahead = LogsAhead(reading(chain), LogRange(2))
    first = 0
    while first <= end:
        before = faulty.count("eth_getLogs")
        _, last = ahead.next(first, end, settled)
        time.sleep(0.05)
        newest = max(int(params[0]["toBlock"], 16) for method, params in faulty.asked if method == "eth_getLogs")
        assert newest <= max(settled, last)
        assert last <= settled or faulty.count("eth_getLogs") == before + 1
        first = last + 1
    ahead.close()


def test_what_was_read_ahead_of_a_place_that_is_left_is_forgotten(written, chain, faulty):
    end = written.chain.latest().number
    ahead = LogsAhead(reading(chain), LogRange(2))
    _, last = ahead.next(0, end, end)
    faulty.faults["eth_getLogs"] = lambda ask, _: []
    assert ahead.next(0, end, end)[0] == []  # back to the start: not what was in flight
    ahead.forget()
    assert ahead.next(last + 1, end, end)[0] == []
    ahead.close()


def test_a_head_that_goes_back_is_never_passed(written, chain):
    end = written.chain.latest().number
    ahead = LogsAhead(reading(chain), LogRange(4))
    _, last = ahead.next(0, end, end)
    logs, reached = ahead.next(last + 1, last + 2, last + 2)
    assert reached == last + 2 and all(log.location.block_number <= reached for log in logs)
    ahead.close()


def test_a_log_that_is_none_is_raised_in_its_turn(written, chain, faulty):
    end = written.chain.latest().number
    first = reading(written.chain)(0, end)[0].location.block_number
    faulty.faults["eth_getLogs"] = lambda ask, params: [{} for _ in ask()] if span(params) else []
    ahead = LogsAhead(reading(chain), LogRange(first))
    assert ahead.next(0, end, end) == ([], first - 1)
    with pytest.raises(InvalidLog):
        ahead.next(first, end, end)
    ahead.close()


def test_a_range_grows_while_answers_are_short_and_shrinks_when_one_is_long():
    limit = LogRange(100, largest=1_000, enough=50)
    for expected in (200, 400, 800, 1_000, 1_000):
        limit.accepted(0, limit.size - 1, 0)
        assert limit.size == expected
    limit.accepted(0, 10, 0)  # not a full range: nothing is learnt
    assert limit.size == 1_000
    limit.accepted(0, 999, 60)
    assert limit.size == 1_000
    limit.accepted(0, 999, 500)
    assert limit.size == 100
    limit.accepted(0, 0, 10_000)
    assert limit.size == 1
