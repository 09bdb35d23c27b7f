"""What only a development chain does on demand: an empty block, fewer blocks, other blocks; the same on each client."""

from geth_node import Geth

from registry.chain.devnode import DevNode


def mine(node: DevNode | Geth, blocks: int = 1) -> None:
    """Make blocks without records."""
    for _ in range(blocks):
        if isinstance(node, Geth):
            node.next_block()
        else:
            node.chain.rpc.request("evm_mine", [])


def rewind(node: DevNode | Geth, blocks: int) -> None:
    """Take the newest blocks off the chain."""
    if isinstance(node, Geth):
        node.rewind(node.chain.latest().number - blocks)
    else:
        node.chain.rpc.request("anvil_rollback", [blocks])


def reorganise(node: DevNode | Geth, blocks: int) -> None:
    """Put others in the place of the newest blocks, without records."""
    if isinstance(node, Geth):
        rewind(node, blocks)
        mine(node, blocks)
    else:
        node.chain.rpc.request("anvil_reorg", [blocks, []])
