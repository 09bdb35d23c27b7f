"""The Kubo adapter: artifacts go to an IPFS node as a CAR stream, so that they keep the CIDs computed here.

`ipfs add` would cut the files by the node's own import settings; blocks sent as blocks stay what they are. The client
library is unmaintained since 2021, and nothing else here imports it.
"""

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from registry.content import car
from registry.content.cid import Cid
from registry.content.dag import Dag, DagFile
from registry.content.store import Progress, verified
from registry.content.unixfs import LARGEST_BLOCK, document_shape
from registry.errors import (
    BlockMismatch,
    BlockNotFound,
    InvalidIdentifier,
    InvalidSettings,
    ProvenanceError,
    RootMismatch,
    StoreFull,
    StoreUnavailable,
)

_OFFLINE: Final = {"offline": "true"}
"""Asks the node for what it holds itself, so that a block that it lacks is not looked for in the network."""

_CONNECT_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 600
_BLOCK_SECONDS: Final = 30
"""For a block that the node has, or not: it looks nowhere else."""
_PAUSES: Final = (0.5, 2.0, 8.0)
"""Seconds to wait before each attempt after the first."""
_WORTH_ASKING: Final = 4
"""Leaves of a file from which on asking what the node lacks is cheaper than sending it."""
_NOT_HELD: Final = ("not found locally", "could not find", "is not pinned", "not pinned or pinned indirectly")
_FULL: Final = ("no space left", "disk quota exceeded", "storagemax")


class KuboStore:
    """A Store in a Kubo node, by the address of its RPC: `http://127.0.0.1:5001` or `/ip4/127.0.0.1/tcp/5001`."""

    def __init__(self, address: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        # Its patched HTTP session warns at every request with urllib3 2; the plain one of `requests` does not.
        os.environ.setdefault("PY_IPFS_HTTP_CLIENT_PATCH_REQUESTS", "no")
        import ipfshttpclient

        self._errors: Any = ipfshttpclient.exceptions
        self._address = address
        self._sleep = sleep
        try:
            # `connect()` would refuse every Kubo of this decade for its version.
            self._client: Any = ipfshttpclient.Client(
                multiaddress(address), timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS)
            )
        except (self._errors.Error, ValueError):
            shown = address.rpartition("@")[2]
            raise InvalidSettings(
                f"{shown!r} is not the address of a Kubo RPC, such as http://127.0.0.1:5001.", value=shown
            ) from None  # the cause would show a password

    @property
    def name(self) -> str:
        return f"the Kubo node {self._address}"

    def get_block(self, cid: Cid) -> bytes:
        """The block, hashed and found right. Raises BlockNotFound, BlockMismatch, StoreUnavailable."""
        timeout = (_CONNECT_SECONDS, _BLOCK_SECONDS)
        ask = self._client.block.get
        with self._translated(cid), ask(str(cid), opts=_OFFLINE, stream=True, timeout=timeout) as chunks:
            block = bytearray()
            for chunk in chunks:
                block += chunk
                if len(block) > LARGEST_BLOCK:
                    raise BlockMismatch(f"{self.name} gave more than a block for {cid}.", source=self.name)
        return verified(cid, bytes(block), self.name)

    def has_block(self, cid: Cid) -> bool:
        """Whether the node holds the block itself. Raises StoreUnavailable."""
        try:
            with self._translated(cid):
                self._client.block.stat(str(cid), opts=_OFFLINE)
        except BlockNotFound:
            return False
        return True

    def has_dag(self, root: Cid) -> bool:
        """Whether the node has the root pinned with all that is below it. Raises StoreUnavailable."""
        try:
            with self._translated(root):
                self._client.pin.ls(str(root), type="recursive")
        except BlockNotFound:
            return False
        return True

    def roots(self) -> list[Cid]:
        """Every root that the node has pinned and that could be ours. Raises StoreUnavailable."""
        with self._translated(None):
            answer = self._client.pin.ls(type="recursive")
        roots = []
        for text in answer.get("Keys", {}):
            with contextlib.suppress(InvalidIdentifier):  # of other profiles: CIDv0, or another hash
                roots.append(Cid.parse(text))
        return sorted(roots, key=Cid.to_bytes)

    def remove(self, root: Cid) -> bool:
        """Unpin a root; False: it was not pinned. Raises StoreUnavailable."""
        try:
            with self._translated(root):
                self._client.pin.rm(str(root))
        except BlockNotFound:
            return False
        return True

    def put_dag(self, dag: Dag, progress: Progress | None = None) -> None:
        """Send and pin a DAG; of files that the node has begun to have, only the leaves that it lacks.

        One that is pinned already is not sent again: the node answers for what it pinned.
        A break is met by trying again, with growing pauses, and continues where it was.
        Raises FileChanged, PathMissing, StoreFull, StoreUnavailable, RootMismatch.
        """
        with contextlib.suppress(StoreUnavailable):  # one that is down may be back when it is tried again
            if self.has_dag(dag.root):
                if progress is not None:
                    progress(dag.size)
                return
        told = _once(progress)
        try:
            self._patiently(lambda: self._import(dag.root, car.dag_chunks(dag, told(), self._lacking)))
        except StoreUnavailable as error:
            if not error.details.get("unpinned"):
                raise  # otherwise its garbage collection took what it had when it was asked
            self._patiently(lambda: self._import(dag.root, car.dag_chunks(dag, told())))

    def _lacking(self, file: DagFile) -> Iterator[int]:
        """The leaves that the node lacks: asked one by one only where it has the first already."""
        if file.leaf_count < _WORTH_ASKING or not self.has_block(file.leaf(0)[0]):
            yield from range(file.leaf_count)
            return
        for index in range(1, file.leaf_count):
            if not self.has_block(file.leaf(index)[0]):
                yield from range(index, file.leaf_count)  # leaves are sent in order: here it broke off
                return

    def addresses(self) -> list[str]:
        """The multiaddresses where others reach the node. Raises StoreUnavailable."""
        with self._translated(None):
            found = self._client.id().get("Addresses") or []
        return [address for address in found if isinstance(address, str)]

    def put_document(self, data: bytes) -> Cid:
        """Send and pin a document. Raises StoreFull, StoreUnavailable, RootMismatch."""
        root = document_shape(data).cid
        self._patiently(lambda: self._import(root, car.document_chunks(data)))
        return root

    def _patiently(self, send: Callable[[], None]) -> None:
        """Try again while the node cannot be reached, and not when it answers with an error."""
        for pause in (*_PAUSES, None):
            try:
                return send()
            except StoreUnavailable as error:
                if pause is None or error.__cause__ is None or isinstance(error.__cause__, self._errors.ErrorResponse):
                    raise
                self._sleep(pause)
        return None

    def _import(self, root: Cid, chunks: Iterator[bytes]) -> None:
        with self._translated(root), contextlib.closing(io.BufferedReader(car.ChunkReader(chunks))) as stream:
            try:
                answer = self._client.dag.imprt(stream, opts={"pin-roots": "true"})
                returned, failure = str(answer["Root"]["Cid"]["/"]), str(answer["Root"]["PinErrorMsg"])
            except (AssertionError, LookupError, TypeError) as error:  # the client asserts what it expects
                raise StoreUnavailable(f"{self.name} gave an answer that is not Kubo's.", source=self.name) from error
        if failure:
            raise StoreUnavailable(f"{self.name} did not pin {root}: {failure}.", source=self.name, unpinned=True)
        if returned != str(root):
            raise RootMismatch(
                f"{self.name} answered with the root {returned}; computed here was {root}.",
                source=self.name,
                expected=str(root),
                returned=returned,
            )
        if not self.has_dag(root):
            raise StoreUnavailable(f"{self.name} took {root} and does not list it as pinned.", source=self.name)

    @contextlib.contextmanager
    def _translated(self, cid: Cid | None) -> Iterator[None]:
        try:
            yield
        except ProvenanceError:
            raise  # from what was being sent: a file that changed, say
        except self._errors.ErrorResponse as error:
            message = str(error)
            if any(sign in message.lower() for sign in _FULL):
                raise StoreFull(
                    f"{self.name} is full. Make room there and run the same command again.", source=self.name
                ) from error
            if any(sign in message for sign in _NOT_HELD):
                raise BlockNotFound(
                    f"{self.name} does not hold the block {cid}.", source=self.name, cid=str(cid)
                ) from error
            raise StoreUnavailable(f"{self.name} refused: {message}.", source=self.name) from error
        except (self._errors.Error, OSError) as error:
            raise StoreUnavailable(
                f"{self.name} cannot be reached. See that it runs and that the address is that of its RPC.",
                source=self.name,
            ) from error


def _once(progress: Progress | None) -> Callable[[], Progress | None]:
    """A progress for each attempt, of which only what is more than before is told."""
    most = 0

    def attempt() -> Progress | None:
        done = 0

        def tell(count: int) -> None:
            nonlocal done, most
            done += count
            if progress is not None and done > most:
                progress(done - most)
                most = done

        return None if progress is None else tell

    return attempt


def multiaddress(address: str) -> str:
    """The multiaddress of an RPC that is given as a URL. Raises ValueError."""
    if not address.startswith(("http://", "https://")):
        return address
    url = urlsplit(address)
    if not url.hostname or url.path.rstrip("/") or url.query or "@" in url.netloc:
        raise ValueError("a Kubo RPC address is a scheme, a host and a port")
    kind = "ip6" if ":" in url.hostname else "ip4" if url.hostname.replace(".", "").isdigit() else "dns"
    port = url.port or (443 if url.scheme == "https" else 5001)
    return f"/{kind}/{url.hostname}/tcp/{port}/{url.scheme}"
