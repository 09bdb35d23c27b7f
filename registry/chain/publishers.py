"""What the PublisherRegistry records: delegates, guardians, and the end of a key.

`contracts/interfaces/IPublisherRegistry.sol` says what each field means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import STRICT, IntFlag
from typing import ClassVar, Final, Self

from registry.chain.static import NOBODY, StaticRecord
from registry.errors import InputError

NEVER: Final = (1 << 48) - 1
"""A time that does not come."""
GUARDIAN_DELAY: Final = 7 * 24 * 3600
"""How long a change of guardian waits, in seconds."""


class Scope(IntFlag, boundary=STRICT):
    """What a delegate may do."""

    PUBLISH = 1
    STATUS = 2
    GRANT = 4
    STATEMENT = 8

    @property
    def labels(self) -> list[str]:
        """The scopes as people write them, for example `["publish", "status"]`."""
        return [str(scope.name).lower() for scope in Scope if scope in self]

    @classmethod
    def from_labels(cls, labels: str) -> Self:
        """The scopes in `publish,status` (or `all`, or `none`). Raises `InputError` that lists those there are."""
        if labels == "none":
            return cls(0)
        scopes = cls(0)
        for label in [str(scope.name).lower() for scope in cls] if labels == "all" else labels.split(","):
            try:
                scopes |= cls[label.strip().upper()]
            except KeyError:
                known = ", ".join(str(scope.name).lower() for scope in cls)
                raise InputError(f"“{label}” is no scope; scopes are: {known}, all, none.", given=label) from None
        return scopes


@dataclass(frozen=True, slots=True)
class DelegateRecord(StaticRecord):
    """A delegate was named, or with no scopes taken back. From `expires` on it may do nothing."""

    TYPE: ClassVar[str] = (
        "DelegateRecord(uint48 seq,uint48 timestamp,address publisher,address actor,address delegate,uint8 scopes,"
        "uint48 expires)"
    )
    ENUMS: ClassVar[Mapping[str, type[IntFlag]]] = {"scopes": Scope}

    seq: int
    timestamp: int
    publisher: str
    actor: str
    delegate: str
    scopes: Scope
    expires: int


@dataclass(frozen=True, slots=True)
class GuardianRecord(StaticRecord):
    """A guardian was set, who can freeze the publisher from `from_` on."""

    TYPE: ClassVar[str] = (
        "GuardianRecord(uint48 seq,uint48 timestamp,address publisher,address actor,address guardian,uint48 from)"
    )

    seq: int
    timestamp: int
    publisher: str
    actor: str
    guardian: str
    from_: int


@dataclass(frozen=True, slots=True)
class FreezeRecord(StaticRecord):
    """A publisher ended. Records later than `compromised_since` may be a thief's."""

    TYPE: ClassVar[str] = (
        "FreezeRecord(uint48 seq,uint48 timestamp,address publisher,address actor,address successor,"
        "uint48 compromisedSince)"
    )

    seq: int
    timestamp: int
    publisher: str
    actor: str
    successor: str
    compromised_since: int


@dataclass(frozen=True, slots=True)
class Delegation:
    """What a delegate may do, in storage; no scopes if nothing."""

    scopes: Scope
    expires: int
    seq: int
    since: int


@dataclass(frozen=True, slots=True)
class Guardian:
    """Who can freeze a publisher beside itself, since when it was named, and the change under way; None where there
    is none. One named within a week before a freeze cannot mend that freeze."""

    guardian: str | None
    since: int | None
    next: str | None
    next_from: int | None


@dataclass(frozen=True, slots=True)
class Freeze:
    """How a publisher ended."""

    successor: str | None
    frozen_at: int
    compromised_since: int


def freeze_of(freezes: Sequence[FreezeRecord]) -> Freeze | None:
    """What the contract's `freezeOf` answers after these, which are of one publisher and in the order of the log."""
    if not freezes:
        return None
    last = freezes[-1]
    return Freeze(_somebody(last.successor), freezes[0].timestamp, last.compromised_since)


def guardian_of(guardians: Sequence[GuardianRecord], freezes: Sequence[FreezeRecord], now: int) -> Guardian:
    """What the contract's `guardianOf` answers at `now` (seconds) after these, which are of one publisher."""
    state = Guardian(None, None, None, None)
    changes: list[GuardianRecord | FreezeRecord] = [*guardians, *freezes]
    for record in sorted(changes, key=lambda record: record.seq):
        state = _guardian_at(state, record.timestamp)
        if isinstance(record, FreezeRecord):  # ends a change that is under way
            state = Guardian(state.guardian, state.since, None, None)
            continue
        named = _somebody(record.guardian)
        if named == state.guardian:
            state = Guardian(named, state.since, None, None)
        elif state.guardian is None:
            state = Guardian(named, record.timestamp, None, None)
        else:
            state = Guardian(state.guardian, state.since, named, record.from_)
    return _guardian_at(state, now)


def _guardian_at(state: Guardian, now: int) -> Guardian:
    if state.next_from is None or now < state.next_from:
        return state
    since = state.next_from - GUARDIAN_DELAY if state.next else None
    return Guardian(state.next, since, None, None)


def _somebody(address: str) -> str | None:
    return None if address == NOBODY else address
