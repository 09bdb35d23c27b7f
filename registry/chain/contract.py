"""One contract on one chain through one node: what the clients of the four registries share.

Reading calls views; acting sends an `Action` as the signer's own transaction, or relays one that somebody signed.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from eth_abi.exceptions import DecodingError

from registry.chain.actions import Action, SignedAction
from registry.chain.artifact import contract_artifact
from registry.chain.client import Chain, Receipt
from registry.chain.events import RECORD_TOPICS, Event, Log, decode_record
from registry.chain.ranges import LogRange, newest_first
from registry.chain.records import genesis_head_of, next_head
from registry.chain.reverts import revert_of
from registry.chain.signer import NO_KEY, Signer
from registry.chain.transactions import Cost, estimate, send, wait_for_own_transactions
from registry.errors import InvalidSettings, InvalidSignature, LogGap, NoKey, RpcRefused, RpcUnavailable

Approve = Callable[[SignedAction, Cost], None]
"""Is shown what somebody else signed, and the most that relaying it may cost, before that is paid; raises to stop."""


class ContractClient:
    """A deployed registry. Without a signer it only reads. `NAME` is the contract's.

    `approve` is asked before anything is relayed that somebody else signed.
    """

    NAME: ClassVar[str]

    def __init__(
        self,
        chain: Chain,
        address: str,
        signer: Signer | None = None,
        *,
        from_block: int = 0,
        timeout: float = 120.0,
        approve: Approve | None = None,
    ) -> None:
        self.chain = chain
        self.address = address
        self.from_block = from_block
        self._signer = signer
        self._timeout = timeout
        self._approve = approve
        self._contract = contract_artifact(self.NAME)

    @property
    def account(self) -> str | None:
        """The address whose key it holds, EIP-55; None when it only reads."""
        return self._signer.address if self._signer else None

    def head(self, at: int | bytes | None = None) -> bytes:
        """The log head as of a block, by number or hash."""
        return bytes(self.call("head", at=at)[0])

    def size(self, at: int | bytes | None = None) -> int:
        """How many records the log has as of a block."""
        return int(self.call("size", at=at)[0])

    def deployed_at(self) -> int:
        """The block in which the log began, as the contract was told. A hint where to start, and no more."""
        return int(self.call("deployedAt")[0])

    def log_state(self, block_hash: bytes) -> tuple[bytes, int]:
        """Head and size of the log as of exactly this block; those of an empty log before there was a contract.

        Raises `RpcRefused` where the node keeps no state of that block, or does not know it.
        """
        data = self.chain.call(self.address, self._contract.function("head").selector, block_hash)
        if not data:
            return genesis_head_of(self.chain.chain_id, self.address), 0
        return data[:32], self.size(block_hash)

    def logs(self, first: int, last: int) -> list[Log]:
        """The contract's records in blocks first to last, undecoded."""
        return self.chain.logs(self.address, [RECORD_TOPICS[self.NAME]], first, last)

    def history(self) -> list[Event]:
        """Every record that the log holds at the newest block, in order, each decoded and all of them there.

        Raises `LogGap` when they do not lead to the head that the contract holds, `InvalidLog` for what it cannot emit.
        """
        end = self.chain.latest()
        expected, size = self.log_state(end.hash)
        head, events = genesis_head_of(self.chain.chain_id, self.address), list[Event]()
        reach, first = LogRange(), self.from_block
        while first <= end.number:
            logs, last = reach.fetch(self.logs, first, end.number)
            for log in logs:
                event = self.decode(log)
                if event.seq != len(events):
                    raise self._gap(f"record {event.seq} follows where record {len(events)} belongs")
                head = next_head(head, event.record_hash)
                events.append(event)
            first = last + 1
        if (head, len(events)) != (expected, size):
            raise self._gap(f"{len(events)} of {size} records lead to another head")
        return events

    def decode(self, log: Log) -> Event:
        """The record that a log of this contract holds. Raises `InvalidLog`."""
        return decode_record(self.NAME, self.chain.chain_id, self.address, log)

    def events_with(self, *topics: Any) -> Iterator[Event]:
        """Records by their topics (bytes, alternatives or None each), newest first."""

        def fetch(first: int, last: int) -> list[Log]:
            return self.chain.logs(self.address, list(topics), first, last)

        for logs in newest_first(fetch, self.from_block, self.chain.latest().number):
            for log in reversed(logs):
                yield self.decode(log)

    def settle(self) -> None:
        """Wait until no transaction of the signer's is in the mempool, so that what follows sees what they did."""
        wait_for_own_transactions(self.chain, self.acting().address, self._timeout)

    def estimate(self, action: Action | SignedAction) -> Cost:
        """What an action would cost now. Raises what `perform` would raise before it sends."""
        return estimate(self.chain, self.acting().address, self.address, self._calldata(action))

    def perform(self, action: Action | SignedAction) -> Receipt:
        """Send an action and wait for its receipt: the signer's own, or one that somebody else signed.

        Raises the decoded revert, `InsufficientFunds`, `TransactionPending`, `NoKey`.
        """
        data = self._calldata(action)
        if isinstance(action, SignedAction) and self._approve is not None:
            return self.transact(data, partial(self._approve, action))
        return self.transact(data)

    def signed_as(self, action: Action, signed: SignedAction | None) -> Action | SignedAction:
        """What to perform: what somebody else signed, if it is this very action, else the signer's own.

        Raises `InvalidSignature` for another action, before anything of it is sent.
        """
        if signed is not None and signed.action != action:
            raise InvalidSignature("What was signed is another action than the one to submit.")
        return signed or action

    def transact(self, data: bytes, approve: Callable[[Cost], None] | None = None) -> Receipt:
        """Send a call of this contract and wait for its receipt. Raises as `perform` does."""
        return send(self.chain, self.acting(), self.address, data, timeout=self._timeout, approve=approve)

    def made(self, receipt: Receipt) -> list[Event]:
        """The records that a transaction made in this contract."""
        topics = RECORD_TOPICS[self.NAME]
        return [
            self.decode(log)
            for log in receipt.logs
            if log.address == self.address and log.topics and log.topics[0] in topics
        ]

    def acting(self) -> Signer:
        """The key that acts. Raises `NoKey`."""
        if self._signer is None:
            raise NoKey(NO_KEY)
        return self._signer

    def call(self, name: str, *arguments: Any, at: int | bytes | None = None) -> tuple[Any, ...]:
        """What a view answers. Raises the decoded revert, and `RpcUnavailable` for what cannot be read."""
        function = self._contract.function(name)
        try:
            data = self.chain.call(self.address, function.encode(*arguments), "latest" if at is None else at)
        except RpcRefused as refusal:
            revert = revert_of(refusal)
            if revert is not None:
                raise revert from refusal
            raise
        try:
            return function.decode(data)
        except (DecodingError, OverflowError) as error:
            raise RpcUnavailable(
                f"The node at {self.chain.rpc.name} answered a call of {name} with something that cannot be read."
            ) from error

    def is_nonce_used(self, actor: str, nonce: int) -> bool:
        """Whether a nonce was used or cancelled."""
        return bool(self.call("isNonceUsed", actor, nonce)[0])

    def cancel(self, nonce: int) -> Receipt:
        """Make a nonce of the signer's unusable, so that what was signed with it can no longer be submitted."""
        return self.transact(self._contract.function("cancel").encode(nonce))

    def disagreement(self) -> RpcUnavailable:
        """The error for a receipt that does not fit the contract's state."""
        return RpcUnavailable(
            f"The node at {self.chain.rpc.name} gave a receipt that does not agree with the contract's state. "
            "Run the same command again."
        )

    def _calldata(self, action: Action | SignedAction) -> bytes:
        here = (self.chain.chain_id, self.address)
        if isinstance(action, SignedAction) and (action.chain_id, action.registry) != here:
            raise InvalidSignature(
                f"This was signed for the contract {action.registry} on chain {action.chain_id}, not for "
                f"{self.address} on chain {self.chain.chain_id}."
            )
        return action.calldata()

    def _gap(self, what: str) -> LogGap:
        return LogGap(
            f"Events of the {self.NAME} at {self.address} are missing or wrong ({what}). Use another node: one that "
            "keeps all logs.",
            contract=self.NAME,
        )


def read_events(events: list[Event], kind: type[Any]) -> list[Any]:
    """The records of one kind among events, in their order."""
    return [event.record for event in events if isinstance(event.record, kind)]


def only_record(client: ContractClient, receipt: Receipt, kind: type[Any]) -> Any:
    """The one record of this kind that a transaction made. Raises `RpcUnavailable` where there is not exactly one."""
    found = read_events(client.made(receipt), kind)
    if len(found) != 1:
        raise client.disagreement()
    return found[0]


def first_block(client: ContractClient) -> int:
    """Where the contract's events can begin.

    A block that is too late is met where events are held against the log head. A block that the chain does not have
    would be met nowhere, as nothing would be read: then a node lies, lags, or counts blocks unlike `block.number` does
    (some rollups), and everything is read.
    """
    deployed_at = client.deployed_at()
    return deployed_at if deployed_at <= client.chain.latest().number else 0


def check_first_block(client: ContractClient, given: int) -> None:
    """Raises `InvalidSettings` where records from before the block `given` would be left out without a word.

    Logs that are looked for by what they name are held against no head. A later block than the contract's own is taken
    only where the log was empty before it: so it is on rollups whose `block.number` counts another chain's blocks.
    """
    deployed_at = client.deployed_at()
    if given <= deployed_at or _nothing_before(client, given):
        return
    raise InvalidSettings(
        f"PROVENANCE_FROM_BLOCK is {given}, and the {client.NAME} at {client.address} was deployed in block "
        f"{deployed_at}: what it recorded before block {given} would be missing. Leave it unset, and reading begins "
        "where the contract was deployed.",
        setting="PROVENANCE_FROM_BLOCK",
        from_block=given,
        deployed_at=deployed_at,
    )


def _nothing_before(client: ContractClient, block: int) -> bool:
    """Whether the log was empty before a block, as far as the node still knows."""
    before = client.chain.block(block - 1)
    try:
        return before is not None and client.log_state(before.hash)[1] == 0
    except RpcRefused:  # it keeps no state of that block
        return False
