"""Whether what a node gives is where it was asked for."""

from collections.abc import Iterable

from registry.chain.client import Block
from registry.chain.events import Log
from registry.errors import InvalidLog, InvalidSettings


def check_from_block(first: int, head: int) -> None:
    """Raises `InvalidSettings` for a first block that the chain does not have: nothing would be read."""
    if first > head:
        raise InvalidSettings(
            f"PROVENANCE_FROM_BLOCK is {first}, beyond the head of the chain, which is block {head}: nothing "
            "can be read from there on. Leave it unset, and reading begins where the contract was deployed.",
            setting="PROVENANCE_FROM_BLOCK",
            from_block=first,
            chain_head=head,
        )


def check_places(logs: Iterable[Log], first: int, end: Block) -> None:
    """Raises `InvalidLog` for a log outside the range, twice, or of two blocks with one number."""
    hashes: dict[int, bytes] = {end.number: end.hash}
    seen: set[tuple[int, int]] = set()
    for log in logs:
        place = log.location
        if not first <= place.block_number <= end.number:
            raise InvalidLog(f"The node gave a log of block {place.block_number}, which was not asked for.")
        if hashes.setdefault(place.block_number, place.block_hash) != place.block_hash:
            raise InvalidLog(f"The node gave logs of two different blocks {place.block_number}. Try again.")
        if (place.block_number, place.log_index) in seen:
            raise InvalidLog(f"The node gave a log of block {place.block_number} twice. Try again.")
        seen.add((place.block_number, place.log_index))
