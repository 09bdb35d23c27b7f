"""Blocks by CID: what a CID, a UnixFS file and a DAG are, and the stores that hold them.

Only the pure part is re-exported; stores are imported from their own modules.
"""

from registry.content.cid import DAG_PB, RAW, Cid

__all__ = ["DAG_PB", "RAW", "Cid"]
