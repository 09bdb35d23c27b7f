"""Which of the blocks that the index has read will not be taken back, by what its node said of the chain."""

from typing import Final

UNSETTLED: Final = 64
"""The newest blocks of a chain that names none as final: they may still be replaced."""


def last_final(block: int, safe: int | None, finalized: int | None) -> int:
    """The last block that a chain which has merely become shorter is not believed without.

    That is the last finalized one, on a chain that names none the last safe one, or else one that is old enough;
    `block` is the newest that was read. Negative: there is none.
    """
    final = finalized if finalized is not None else safe if safe is not None else block - UNSETTLED
    return min(block, final)


def node_is_behind(block: int, chain_head: int | None, safe: int | None, finalized: int | None) -> str | None:
    """A sentence where the node's newest block is older than one that it called final, and the index has read."""
    final = last_final(block, safe, finalized)
    if chain_head is None or chain_head >= final:
        return None
    return (
        f"The node is {final - chain_head} blocks behind what was final before: its newest block is {chain_head}, and "
        f"block {final} was final. The index takes nothing back: use another node; of a chain that was begun anew, "
        "delete the index."
    )
