"""Tailing one's own publisher, artifacts and names on the chain: what concerns them, as JSON, block by block.

`watched` says what concerns whom and `reading` what a node's answer holds, both without I/O; `tail` asks the node, and
`cursor` keeps how far it came.
"""
