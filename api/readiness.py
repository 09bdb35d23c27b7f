"""When a service is ready: once it was at the head of the chain, until it is too far behind or something is wrong.

Every new block is news before it is read, so that a service which had to be at the head at every moment would be taken
away from its clients with each block; and one that may be a few blocks behind from its start would answer without the
blocks that were made while it was down.
"""

from typing import Final

from registry.index.queries import FollowerStatus
from registry.settings import Settings

_POLL_GRACE_SECONDS: Final = 60.0


class Readiness:
    """Of one process, which began at the time `began`, in seconds since the epoch."""

    def __init__(self, settings: Settings, began: float) -> None:
        self._settings = settings
        self._began = began
        self._ready = False

    def why_not(self, status: FollowerStatus, now: float) -> str | None:
        """Why the service should not be asked now, or None."""
        why = wrong(status, self._settings, now)
        if why is None and not self._ready:
            why = self._not_at_head(status)
        self._ready = why is None
        return why

    def _not_at_head(self, status: FollowerStatus) -> str | None:
        """Whether all that the node said last was read, and that it was said since the process began."""
        if status.polled_at is None or status.polled_at < self._began:
            return "The node has not been heard of since the service began."
        if status.behind:
            return f"The index is {status.behind} blocks behind, and has not been at the head of the chain yet."
        return None


def wrong(status: FollowerStatus, settings: Settings, now: float) -> str | None:
    """What is wrong with the index, whatever it was before, or None."""
    if status.alarm is not None:
        return f"Events are missing from the index: {status.alarm}"
    if status.node_behind is not None:
        return status.node_behind
    first = settings.from_block
    if status.block < 0 and first and status.chain_head is not None and first > status.chain_head:
        return f"PROVENANCE_FROM_BLOCK is {first}, beyond the head of the chain, which is block {status.chain_head}."
    if status.block < 0 or status.polled_at is None or status.behind is None:
        return "The index has not read any block yet."
    if now - status.polled_at > max(_POLL_GRACE_SECONDS, 3 * settings.poll_seconds):
        return f"The node was last heard of {now - status.polled_at:.0f} seconds ago."
    if status.behind > settings.ready_blocks:
        return f"The index is {status.behind} blocks behind, and at most {settings.ready_blocks} are allowed."
    return None
