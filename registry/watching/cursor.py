"""How far a watcher came, in a file that is written whole: a rerun goes on from there and tells nothing too little."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from registry.chain.followed import FollowedContracts
from registry.chain.identifiers import Account
from registry.content.cid import DAG_PB, Cid
from registry.errors import InputError
from registry.watching.watched import Seen, Watched

REMEMBERED: Final = 512
"""Blocks whose hashes are kept: as deep as a reorganisation may be without that everything is told again."""

Known = tuple[int, bytes]
"""A block that was read, by number and hash."""


@dataclass(slots=True)
class State:
    """`blocks` were read, oldest first; the last is where it goes on. `records` is how many the contracts held there,
    None where the node did not tell. What is before block `start` is read and not told.
    """

    start: int
    blocks: list[Known] = field(default_factory=list)
    records: int | None = None
    seen: Seen = field(default_factory=Seen)


def remember(blocks: Iterable[Known], more: Iterable[Known]) -> list[Known]:
    """The newest of all these blocks, each number once, oldest first."""
    return sorted((dict(blocks) | dict(more)).items())[-REMEMBERED:]


class CursorFile:
    """The file for one question to one deployment. With `path` None nothing is kept."""

    def __init__(self, path: Path | None, followed: FollowedContracts, watched: Watched) -> None:
        self._path = path
        self._question = _question(followed, watched)

    def load(self) -> State | None:
        """What was kept, or None. Raises `InputError` for a file that is another's, damaged, or cannot be read."""
        if self._path is None:
            return None
        try:
            document = json.loads(self._path.read_text("utf-8"))
            question, state = document["question"], _state(document)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"The cursor {self._path} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{self._path} is no cursor of `provenance watch`. Name another file, or delete it to begin anew."
            ) from error
        if question != self._question:
            differs = [key for key, asked in self._question.items() if question.get(key) != asked]
            raise InputError(
                f"The cursor {self._path} was made for something else ({', '.join(differs)}). Use a file for each "
                "question, or delete it to begin anew.",
                differs=differs,
            )
        return state

    def save(self, state: State) -> None:
        """Write it whole, by rename. Raises `InputError` where that cannot be."""
        if self._path is None:
            return
        part = self._path.with_name(self._path.name + ".part")
        try:
            with part.open("w", encoding="utf-8") as file:
                json.dump(_document(self._question, state), file)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise InputError(f"The cursor {self._path} cannot be written: {error.strerror}.") from error


def _question(followed: FollowedContracts, watched: Watched) -> dict[str, Any]:
    chain = followed.contracts.chain_id
    return {
        "chain": f"eip155:{chain}",
        "contracts": dict(followed.contracts.addresses),
        "publishers": [str(Account(chain, address)) for address in sorted(watched.publishers)],
        "artifacts": [str(Cid(DAG_PB, digest)) for digest in sorted(watched.artifacts)],
        "names": sorted(watched.names),
    }


def _document(question: dict[str, Any], state: State) -> dict[str, Any]:
    blocks = [{"number": number, "hash": "0x" + digest.hex()} for number, digest in state.blocks]
    seen = state.seen
    return {
        "question": question,
        "from": state.start,
        "block": blocks[-1] if blocks else None,
        "records": state.records,
        "earlier": blocks[:-1],
        "seen": {
            "releases": _hexes(seen.releases),
            "artifacts": _hexes(seen.artifacts),
            "statements": _hexes(seen.statements),
            "anchors": _hexes(seen.anchors),
        },
    }


def _state(document: Any) -> State:
    """Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` for what `_document` did not make."""
    last, records, seen = document["block"], document["records"], document["seen"]
    blocks = [_known(block) for block in [*document["earlier"], *([] if last is None else [last])]]
    if blocks != sorted(blocks) or not isinstance(document["question"], dict):
        raise ValueError
    return State(
        start=_number(document["from"]),
        blocks=blocks,
        records=None if records is None else _number(records),
        seen=Seen(*(set(map(_digest, seen[kind])) for kind in ("releases", "artifacts", "statements", "anchors"))),
    )


def _known(block: Any) -> Known:
    return _number(block["number"]), _digest(block["hash"])


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value


def _digest(text: str) -> bytes:
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != 32:
        raise ValueError
    return raw


def _hexes(digests: Iterable[bytes]) -> list[str]:
    return ["0x" + digest.hex() for digest in sorted(digests)]
