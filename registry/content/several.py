"""Several stores as one: what is put is kept on each of them, and read from whichever gives it first."""

from collections.abc import Callable, Sequence
from typing import Final

from registry.content.cid import Cid
from registry.content.dag import Dag
from registry.content.sources import Sources
from registry.content.store import Progress, Store
from registry.errors import ContentError, PartlyKept

_AGAIN_SECONDS: Final = 10.0
"""A store that failed is not asked for blocks for so long."""


class SeveralStores:
    """A Store over others, which are folders and Kubo nodes in any mixture."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self.stores = tuple(stores)
        self._reading = Sources(self.stores, again_after=_AGAIN_SECONDS)

    @property
    def sources(self) -> tuple[Store, ...]:
        """See `HasSources`."""
        return self.stores

    @property
    def name(self) -> str:
        return f"{len(self.stores)} stores ({', '.join(store.name for store in self.stores)})"

    def get_block(self, cid: Cid) -> bytes:
        """The block from the first that gives it. Raises BlockNotFound, BlockMismatch, StoreUnavailable."""
        return self._reading.get_block(cid)

    def has_block(self, cid: Cid) -> bool:
        """Whether all of them hold the block. Raises StoreUnavailable."""
        return all([store.has_block(cid) for store in self.stores])  # noqa: C419 - one that is down is met here

    def has_dag(self, root: Cid) -> bool:
        """Whether each of them keeps the DAG. Raises StoreUnavailable."""
        return all([store.has_dag(root) for store in self.stores])  # noqa: C419

    def roots(self) -> list[Cid]:
        """Every root that any of them keeps."""
        return sorted({root for store in self.stores for root in store.roots()}, key=Cid.to_bytes)

    def remove(self, root: Cid) -> bool:
        """Keep a root no longer, on none of them; False: none kept it. Raises PartlyKept."""
        removed: list[bool] = []
        self._on_each(lambda store: removed.append(store.remove(root)), "removed from")
        return any(removed)

    def put_dag(self, dag: Dag, progress: Progress | None = None) -> None:
        """Keep a DAG on each. Raises PartlyKept when some took it and others did not, and what they raise."""
        told = _shared(progress, len(self.stores))
        self._on_each(lambda store: store.put_dag(dag, told), "kept on")

    def put_document(self, data: bytes) -> Cid:
        """Keep a document on each. Raises as `put_dag` does."""
        cids: list[Cid] = []
        self._on_each(lambda store: cids.append(store.put_document(data)), "kept on")
        return cids[0]

    def _on_each(self, act: Callable[[Store], None], done: str) -> None:
        failures: list[tuple[Store, ContentError]] = []
        for store in self.stores:
            try:
                act(store)
            except ContentError as error:
                failures.append((store, error))
        if not failures:
            return
        if len(failures) == len(self.stores):
            raise failures[0][1]
        kept = len(self.stores) - len(failures)
        raise PartlyKept(
            f"It is {done} {kept} of {len(self.stores)} stores. {' '.join(error.message for _, error in failures)} "
            "Run the same command again when they are back: it does only what is not done yet.",
            kept=kept,
            of=len(self.stores),
            failed=[{"store": store.name, **error.as_dict()} for store, error in failures],
        )


def _shared(progress: Progress | None, count: int) -> Progress | None:
    """The progress of one of `count` stores as its share of the whole."""
    if progress is None:
        return None
    whole = done = 0

    def tell(size: int) -> None:
        nonlocal whole, done
        whole += size
        share = whole // count - done
        done += share
        progress(share)

    return tell
