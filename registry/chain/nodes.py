"""Several nodes of one chain as one: failover, heads that are held against each other, a quorum for block hashes.

Reads go to the first node that is well and has the newest block; what is sent goes to the first node only, and so does
the count of an account's transactions, of which the others may not have heard. A node that fails, lags behind, or says
what the others do not is named in the log and not asked for a while. With a quorum of N, a block (and with it the block
hash in every log) counts only when N nodes give the same one.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final

from registry.chain.answers import block_hash, is_the_answer, logs_key, may_be_too_much
from registry.chain.rpc import HttpRpc, Rpc
from registry.errors import InvalidSettings, NoQuorum, RpcRefused, RpcUnavailable, WrongChain

_log = logging.getLogger(__name__)

_READS: Final = frozenset(
    {
        "eth_blockNumber",
        "eth_call",
        "eth_estimateGas",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getProof",
        "eth_getStorageAt",
        "eth_getTransactionByHash",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
    }
)
_MAY_LAG: Final = 3
_STEPS_BACK: Final = (0, 1, 2, 4, 8, 16, 32, 64)
_SLOWER_SECONDS: Final = 2.0
_FIRST_PAUSE: Final = 10.0
_LONGEST_PAUSE: Final = 600.0
_UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError)


class _Node:
    """One of the nodes: when it is to be asked again, and how long it was left out the last time."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self.is_of_this_chain = False
        self.until = 0.0
        self.pause = 0.0


Answers = dict[_Node, Any]
Errors = dict[_Node, RpcRefused | RpcUnavailable]


class SeveralRpc:
    """Nodes of one chain, the preferred one first. Any thread may use it.

    `now` is a clock in seconds. One that answers so many seconds later than enough others did is not waited for.
    """

    def __init__(
        self,
        nodes: Sequence[Rpc],
        quorum: int = 1,
        *,
        now: Callable[[], float] = time.monotonic,
        slower_seconds: float = _SLOWER_SECONDS,
    ) -> None:
        if not 1 <= quorum <= len(nodes):
            raise InvalidSettings(
                f"PROVENANCE_RPC_QUORUM is {quorum}, and PROVENANCE_RPC_URL names {len(nodes)} node(s): so many can "
                "never agree.",
                setting="PROVENANCE_RPC_QUORUM",
            )
        self._nodes = [_Node(node) for node in nodes]
        self._quorum = quorum
        self._now = now
        self._slower_seconds = slower_seconds
        self._chain: Any = None
        self._newest: list[_Node] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(4 * len(nodes), thread_name_prefix="rpc")

    @property
    def name(self) -> str:
        """The names of all nodes."""
        return ", ".join(node.rpc.name for node in self._nodes)

    @property
    def left_out(self) -> list[str]:
        """The names of those that are not asked for now."""
        return [node.rpc.name for node in self._nodes if node.until > self._now()]

    def request(self, method: str, params: Sequence[Any]) -> Any:
        """See `Rpc`. Raises also `NoQuorum`, and `WrongChain` when the nodes are not all of one chain."""
        if method == "eth_chainId":
            return self._chain_id(params)
        if method not in _READS:
            return self._ask(self._nodes[0], method, params)
        if method == "eth_getBlockByNumber":
            if params[0] == "latest" or (params[0] in ("safe", "finalized") and self._quorum > 1):
                return self._newest_block(params)
            if self._quorum > 1 and params[0] != "pending":
                return self._agreed(method, params, block_hash)
        if method == "eth_getLogs" and self._quorum > 1:
            return self._agreed(method, params, logs_key)
        return self._first_answer(method, params)

    # one node after another

    def _first_answer(self, method: str, params: Sequence[Any]) -> Any:
        errors: Errors = {}
        for node in self._in_order():
            if node.until > self._now() and any(isinstance(error, RpcRefused) for error in errors.values()):
                break
            try:
                answer = self._ask(node, method, params)
            except RpcRefused as error:
                if is_the_answer(method, params, error):
                    raise
                errors[node] = error
            except RpcUnavailable as error:
                if may_be_too_much(method, params, error) and self._answers(node):
                    raise
                errors[node] = error
                self._leave_out(node, error.message, error.details.get("retry_after"))
            else:
                return answer
        raise _one_of(errors, method)

    def _ask(self, node: _Node, method: str, params: Sequence[Any]) -> Any:
        """One node's answer. Raises `RpcUnavailable` also for one of another chain."""
        if not node.is_of_this_chain and self._chain is not None:
            found = node.rpc.request("eth_chainId", [])
            if found != self._chain:
                raise RpcUnavailable(f"The node at {node.rpc.name} is of another chain than the others.")
            node.is_of_this_chain = True
        return node.rpc.request(method, params)

    def _answers(self, node: _Node) -> bool:
        """Whether it answers something else: then it was too much, and not the node."""
        try:
            return isinstance(self._ask(node, "eth_blockNumber", []), str)
        except (RpcUnavailable, RpcRefused):
            return False

    def _in_order(self) -> list[_Node]:
        """All nodes: those with the newest block, others that are well, and last those that are left out."""
        now = self._now()
        return sorted(
            self._nodes, key=lambda node: (max(0.0, node.until - now), node not in self._newest)
        )  # the sort keeps the order that was configured

    def _leave_out(self, node: _Node, why: str, seconds: float | None = None) -> None:
        with self._lock:
            if node.until > self._now():
                return
            node.pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, 2 * node.pause))
            length = node.pause if seconds is None else min(_LONGEST_PAUSE, max(0.0, float(seconds)))
            node.until = self._now() + length
        _log.warning("The node at %s is left out for %.0f s: %s", node.rpc.name, length, why)

    # several at once

    def _ask_all(
        self, nodes: Iterable[_Node], method: str, params: Sequence[Any], enough: int
    ) -> tuple[Answers, Errors]:
        """What these nodes answer; one that is much slower than `enough` others is not waited for."""
        asked: dict[Future[Any], _Node] = {self._pool.submit(self._ask, node, method, params): node for node in nodes}
        answers: Answers = {}
        errors: Errors = {}
        pending = set(asked)
        while pending:
            done, pending = wait(
                pending, self._slower_seconds if len(answers) >= enough else None, return_when="FIRST_COMPLETED"
            )
            for future in done:
                node = asked[future]
                try:
                    answers[node] = future.result()
                except (RpcRefused, RpcUnavailable) as error:
                    errors[node] = error
            if not done:
                for future in pending:
                    errors[asked[future]] = RpcUnavailable(
                        f"The node at {asked[future].rpc.name} answers {method} much later than others."
                    )
                break
        return answers, errors

    def _well(self) -> list[_Node]:
        now = self._now()
        return [node for node in self._in_order() if node.until <= now]

    def _chain_id(self, params: Sequence[Any]) -> Any:
        answers, errors = self._ask_all(self._nodes, "eth_chainId", params, enough=1)
        for node, error in errors.items():
            self._leave_out(node, error.message)
        if not answers:
            raise _one_of(errors, "eth_chainId")
        if len(set(map(str, answers.values()))) > 1:
            said = ", ".join(f"{node.rpc.name} says {answer}" for node, answer in answers.items())
            raise WrongChain(f"The nodes of PROVENANCE_RPC_URL are not of one chain: {said}.")
        self._chain = next(iter(answers.values()))
        for node in answers:
            node.is_of_this_chain = True
        return self._chain

    def _newest_block(self, params: Sequence[Any]) -> Any:
        """The newest block that a quorum has of those a tag names."""
        nodes = self._well()
        answers, errors = self._ask_all(nodes, "eth_getBlockByNumber", params, enough=self._quorum)
        if len(answers) < self._quorum:
            others = [node for node in self._nodes if node not in nodes]
            said, failed = self._ask_all(others, "eth_getBlockByNumber", params, enough=self._quorum)
            answers, errors = answers | said, errors | failed
        heads: dict[_Node, tuple[int, Any]] = {}
        for node, answer in answers.items():
            try:
                if answer is not None:
                    heads[node] = (int(answer["number"], 16), answer)
                    block_hash(answer)
            except _UNREADABLE:
                heads.pop(node, None)
                self._leave_out(node, "its newest block cannot be read.")
        for node, error in errors.items():
            if isinstance(error, RpcUnavailable):
                self._leave_out(node, error.message, error.details.get("retry_after"))
        if len(heads) < self._quorum:
            if len(answers) >= self._quorum:
                return None
            raise (
                self._no_quorum(f"the {params[0]} block", errors)
                if answers
                else _one_of(errors, "eth_getBlockByNumber")
            )
        number, block, having = self._agreed_head(heads, params)
        if params[0] == "latest":
            for node, (head, _) in heads.items():
                if head < number - _MAY_LAG:
                    self._leave_out(node, f"its newest block is {head}, that of others {number}.")
                elif head > number + _MAY_LAG:
                    self._leave_out(node, f"it says that its newest block is {head}, where others have {number}.")
                elif node in having:
                    node.pause = 0.0
            self._newest = having
        return block

    def _agreed_head(
        self, heads: Mapping[_Node, tuple[int, Any]], params: Sequence[Any]
    ) -> tuple[int, Any, list[_Node]]:
        """The newest block that a quorum has: its number, the block, and who has it."""
        numbers = sorted((number for number, _ in heads.values()), reverse=True)
        if self._quorum == 1:
            leader = max(heads, key=lambda node: heads[node][0])
            number, block = heads[leader]
            behind = numbers[1] if len(numbers) > 1 else number
            if number <= behind + _MAY_LAG or self._has(leader, number, block, params):
                return number, block, [node for node in heads if heads[node][0] == number]
            self._leave_out(leader, f"it says that its newest block is {number}, and does not have it.")
            return self._agreed_head({node: head for node, head in heads.items() if node is not leader}, params)
        for back in _STEPS_BACK:
            number = numbers[self._quorum - 1] - back
            if number < 0:
                break
            given = {node: block for node, (head, block) in heads.items() if head == number}
            others = [node for node, (head, _) in heads.items() if head > number]
            asked, _ = self._ask_all(others, "eth_getBlockByNumber", [hex(number), *params[1:]], enough=len(others))
            winners = self._majority(given | asked, block_hash, f"block {number}")
            if winners and (given | asked)[winners[0]] is not None:
                return number, (given | asked)[winners[0]], winners
        raise self._no_quorum(f"a block up to {numbers[self._quorum - 1]}", {})

    def _has(self, node: _Node, number: int, block: Any, params: Sequence[Any]) -> bool:
        try:
            found = self._ask(node, "eth_getBlockByNumber", [hex(number), *params[1:]])
            return found is not None and block_hash(found) == block_hash(block)
        except (RpcRefused, RpcUnavailable, *_UNREADABLE):
            return False

    def _agreed(self, method: str, params: Sequence[Any], key: Callable[[Any], Any]) -> Any:
        """What a quorum answers alike: as many nodes are asked as it takes, and then all."""
        nodes, well = self._in_order(), max(self._quorum, len(self._well()))
        answers: Answers = {}
        errors: Errors = {}
        for part in (nodes[: self._quorum], nodes[self._quorum : well], nodes[well:]):
            said, failed = self._ask_all(part, method, params, enough=len(part))
            answers |= said
            errors |= failed
            winners = self._majority(answers, key, f"what it answers to {method}")
            if winners:
                return answers[winners[0]]
        for node, error in errors.items():
            if isinstance(error, RpcRefused) or (may_be_too_much(method, params, error) and self._answers(node)):
                raise error
            self._leave_out(node, error.message, error.details.get("retry_after"))
        raise self._no_quorum(f"the answer to {method}", errors)

    def _majority(self, answers: Answers, key: Callable[[Any], Any], what: str) -> list[_Node]:
        """The nodes of a quorum that answer alike; others, unless they have nothing to say, are left out."""
        groups: dict[Any, list[_Node]] = {}
        for node, answer in answers.items():
            try:
                groups.setdefault(key(answer), []).append(node)
            except _UNREADABLE:
                self._leave_out(node, f"{what} cannot be read.")
        winners = max(groups.values(), key=len, default=[])
        if len(winners) < self._quorum:
            return []
        for nodes in groups.values():
            for node in nodes:
                if nodes is not winners and answers[node] is not None:
                    self._leave_out(node, f"{what} is not what {len(winners)} others say.")
        return winners

    def _no_quorum(self, what: str, errors: Errors) -> NoQuorum:
        reasons = " ".join(error.message for error in errors.values())
        return NoQuorum(
            f"No {self._quorum} of the nodes {self.name} agree on {what}. {reasons}".strip(), quorum=self._quorum
        )


def open_rpc(addresses: str, quorum: int = 1, timeout: float = 30.0) -> Rpc:
    """The node, or the nodes (addresses separated by commas). Raises `InvalidSettings`."""
    urls = split_addresses(addresses)
    if len(set(urls)) < len(urls):
        raise InvalidSettings("PROVENANCE_RPC_URL names a node twice.", setting="PROVENANCE_RPC_URL")
    if len(urls) == 1 and quorum == 1:
        return HttpRpc(urls[0], timeout)
    return SeveralRpc([HttpRpc(url, timeout) for url in urls], quorum)


def split_addresses(addresses: str) -> list[str]:
    """The addresses that commas separate, at least one, which may be none."""
    return [part.strip() for part in addresses.split(",") if part.strip()] or [addresses]


def _one_of(errors: Errors, method: str) -> RpcRefused | RpcUnavailable:
    """The refusal among them if there is one; else that none of the nodes answers, and why."""
    refusals = [error for error in errors.values() if isinstance(error, RpcRefused)]
    if refusals:
        return refusals[0]
    waits = [error.details["retry_after"] for error in errors.values() if "retry_after" in error.details]
    reasons = " ".join(error.message for error in errors.values())
    return RpcUnavailable(
        f"None of {len(errors)} nodes answers {method}. {reasons}", **({"retry_after": min(waits)} if waits else {})
    )
