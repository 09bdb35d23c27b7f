"""Answers as of a block: `?as_of=`, one way for every route that reads the index.

The newest block that was read is meant where nothing is said. A block that is no longer in the chain is answered by
409, so that nobody takes what a reorganisation undid for what is there.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from api.caching import answered
from api.clients import client_of
from api.service import Service
from registry.errors import InvalidQuery
from registry.index.queries import Snapshot
from registry.policy.rendering import as_of_json

_BLOCK: Final = re.compile(r"0x[0-9a-fA-F]{64}|\d{1,15}", re.ASCII)

AsOfQuery = Annotated[
    str | None,
    Query(
        max_length=80,
        description="A block by number or hash; unset: the newest that was read. A number stands for the last block up "
        "to it that the index remembers, as it does all that hold records: `as_of` of the answer names it, and its "
        "time is the one that counts. Where a time limit may have ended between the two: 409.",
        examples=["1"],
    ),
]


def parse_block(text: str | None) -> int | bytes | None:
    """The block that `as_of` names, by number or hash; None: the newest. Raises InvalidQuery."""
    if text is None:
        return None
    if not _BLOCK.fullmatch(text):
        raise InvalidQuery("as_of is the number of a block, or its hash as 0x and 64 hexadecimal characters.")
    return bytes.fromhex(text[2:]) if text.startswith("0x") else int(text)


async def answered_as_of(
    request: Request,
    service: Service,
    as_of: str | None,
    view: Callable[[Snapshot], dict[str, Any]],
    *,
    quick: bool = True,
) -> Response:
    """The view of a snapshot of that block. Raises what the view does, InvalidQuery and BlockNotInChain.

    A view that may take long is not `quick`: it is made beside the event loop.
    """
    block = parse_block(as_of)

    def work(*, quick: bool) -> dict[str, Any]:
        with service.reader.snapshot(quick=quick, as_of=block) as snapshot:
            return view(snapshot)

    return answered(request, await service.answer(work, client_of(request.scope), quick=quick))


async def answered_dated(
    request: Request, service: Service, as_of: str | None, view: Callable[[Snapshot], dict[str, Any]]
) -> Response:
    """The view of a snapshot with the block that it is of. Raises what the view does, and BlockNotInChain."""

    def dated(snapshot: Snapshot) -> dict[str, Any]:
        found = snapshot.as_of()
        return view(snapshot) | {"as_of": as_of_json(found)}

    return await answered_as_of(request, service, as_of, dated, quick=False)
