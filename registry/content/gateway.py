"""A trustless gateway as a source of blocks (specs.ipfs.tech/http-gateways/trustless-gateway)."""

import contextlib
import io
import time
from collections.abc import Generator, Iterator
from http.client import HTTPException
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.util import parse_url

from registry.content import car
from registry.content.cid import Cid
from registry.content.store import verified
from registry.content.timed import TimedReader, timed_connections
from registry.content.unixfs import LARGEST_BLOCK, LEAF_SIZE
from registry.errors import (
    BlockMismatch,
    BlockNotFound,
    BlockNotInTime,
    InvalidDag,
    InvalidSettings,
    StoreUnavailable,
)

_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 30.0
_BLOCK_SECONDS: Final = 120.0
"""How long a block may trickle in: 2 MiB at some 17 kB/s."""
_MOST_REDIRECTS: Final = 5
_MOST_CONNECTIONS: Final = 8
_PIECE: Final = 1 << 20
_RAW: Final = "application/vnd.ipld.raw"
_CAR: Final = "application/vnd.ipld.car"
_ABSENT: Final = (404, 410, 412)


class GatewaySource:
    """A RangeSource at a gateway that the operator named, such as `https://trustless-gateway.link`. Read-only.

    Every block is hashed. A redirect to another host is not followed, a body that is encoded (gzip) is not decoded, and
    nothing longer than a block is read as one.
    """

    def __init__(
        self, address: str, *, read_seconds: float = _READ_SECONDS, block_seconds: float = _BLOCK_SECONDS
    ) -> None:
        try:
            parts = urlsplit(address.rstrip("/") + "/")
            self._place = (parts.scheme, parts.hostname, parts.port)
            self._base = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
            self._origin = parse_url(self._base)._replace(path=None, query=None, fragment=None)
        except ValueError:
            raise _no_gateway(address) from None  # the cause would show a password
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise _no_gateway(address)
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "provenance"}
        if parts.username is not None:
            self._headers |= urllib3.make_headers(basic_auth=f"{parts.username}:{parts.password or ''}")
        self._block_seconds = block_seconds
        self._timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds)
        self._made: urllib3.PoolManager | None = None

    @property
    def name(self) -> str:
        return f"the gateway {self._base}"

    def get_block(self, cid: Cid) -> bytes:
        """The block, hashed and found right. Raises BlockNotFound, BlockNotInTime, BlockMismatch, StoreUnavailable."""
        with self._opened(f"ipfs/{cid}?format=raw", _RAW, str(cid)) as body:
            block = body.up_to(LARGEST_BLOCK)
        if len(block) > LARGEST_BLOCK:
            raise BlockMismatch(f"{self.name} gave more than a block for {cid}.", source=self.name, cid=str(cid))
        return verified(cid, block, self.name)

    def get_leaves(self, file: Cid, first: int, last: int) -> Generator[tuple[Cid, bytes]]:
        """The blocks of a CAR of the leaves `first` up to, and without, `last` of a file, each hashed; as they come.

        Whether they are the file's, and all that were asked for, is the caller's to see. Raises BlockNotFound also when
        the gateway gives no CARs, BlockMismatch for one that is malformed, and StoreUnavailable.
        """
        span = f"{first * LEAF_SIZE}:{last * LEAF_SIZE - 1}"
        accept = f"{_CAR}; version=1; order=dfs; dups=n"
        path = f"ipfs/{file}?format=car&dag-scope=entity&entity-bytes={span}"
        with self._opened(path, accept, str(file), refusals=(400, 406, 415, 501)) as body:
            if not body.media_type.startswith(_CAR):
                raise BlockNotFound(f"{self.name} gives no CAR of {file}.", source=self.name, cid=str(file))
            stream = io.BufferedReader(body, 1 << 16)
            try:
                for cid, block in car.read_sections(stream):
                    yield cid, verified(cid, block, self.name)
                    body.next_block()
            except InvalidDag as error:
                if body.ended and "ends in the middle" in error.message:
                    raise StoreUnavailable(f"{self.name} broke off in the middle.", source=self.name) from error
                raise BlockMismatch(f"{self.name} gave what is no CAR: {error.message}", source=self.name) from error

    @contextlib.contextmanager
    def _opened(self, path: str, accept: str, what: str, refusals: tuple[int, ...] = ()) -> Iterator["_Body"]:
        """The body of an answer, after redirects on the same host; its connection is not used again if it is left."""
        url = self._base + path
        response: Any = None
        try:
            for _ in range(_MOST_REDIRECTS):
                response = self._pool.request(
                    "GET",
                    url,
                    headers=self._headers | {"Accept": accept},
                    preload_content=False,
                    decode_content=False,
                    redirect=False,
                )
                if response.status not in (301, 302, 303, 307, 308):
                    break
                url = self._same_host(url, response.headers.get("Location", ""))
                response.close()
            else:
                raise StoreUnavailable(f"{self.name} redirects without end.", source=self.name)
            if response.status in _ABSENT or response.status in refusals:
                raise BlockNotFound(f"{self.name} does not have {what}.", source=self.name, cid=what)
            if response.status == 504:
                raise BlockNotInTime(f"{self.name} did not find {what} in time.", source=self.name, cid=what)
            if response.status != 200:
                raise StoreUnavailable(f"{self.name} answered {response.status}.", source=self.name)
            encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
            if encoding not in ("", "identity"):
                raise BlockMismatch(
                    f"{self.name} sent {what} encoded as {encoding[:40]!r}, which was not asked for.",
                    source=self.name,
                    cid=what,
                )
            yield _Body(response, self.name, self._block_seconds)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            kind = BlockNotInTime if _took_too_long(error) else StoreUnavailable
            raise kind(f"{self.name} cannot be reached, or broke off: {_reason(error)}.", source=self.name) from error
        finally:
            if response is not None:
                response.close()  # a body that is not read to its end cannot be followed by another answer

    @property
    def _pool(self) -> urllib3.PoolManager:
        if self._made is None:
            scheme, host, _ = self._place
            self._made = timed_connections(scheme, host, self._timeout, self._block_seconds, _MOST_CONNECTIONS)
        return self._made

    def _same_host(self, url: str, location: str) -> str:
        """The address that a redirect leads to: a path on the gateway's own host, whatever else the redirect says.

        It is read by the parser that the request is made with; where parsers differ, a host is taken for a path.
        """
        if not location or any(sign == "\\" or sign < " " or sign == "\x7f" for sign in location):
            raise StoreUnavailable(f"{self.name} redirects to no address.", source=self.name)
        try:
            target = parse_url(urljoin(url, location))
        except ValueError as error:
            raise StoreUnavailable(f"{self.name} redirects to no address.", source=self.name) from error
        if target.auth is not None or target._replace(path=None, query=None, fragment=None) != self._origin:
            raise StoreUnavailable(
                f"{self.name} redirects to another host, {str(target.host)[:200]}, which is not followed. "
                "Name that gateway itself if you want it asked.",
                source=self.name,
            )
        return self._origin.url + target.request_uri

    def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            self._made.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Body(io.RawIOBase):
    """A body as a stream that ends in time: a block that trickles in for too long is an error."""

    def __init__(self, response: Any, name: str, seconds: float) -> None:
        super().__init__()
        self._response = response
        self._name = name
        self._seconds = seconds
        reader = getattr(response._fp.fp, "raw", None)
        self._reader: TimedReader | None = reader  # none behind an answer that has no body
        self.next_block()
        self.ended = False
        self.media_type: str = response.headers.get("Content-Type", "").strip().lower()

    def next_block(self) -> None:
        """Give the next block its own time."""
        if self._reader is not None:
            self._reader.deadline = time.monotonic() + self._seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        try:
            count = self._receive(memoryview(buffer))
        except (urllib3.exceptions.TimeoutError, TimeoutError) as error:
            self._check_time(error)
            raise
        self.ended = self.ended or not count
        return count

    def up_to(self, size: int) -> bytes:
        """All of a body that has at most `size` bytes, and more than `size` of a longer one."""
        pieces, count = [], 0
        while count <= size and (piece := self._piece(_PIECE)):
            pieces.append(piece)
            count += len(piece)
        return b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        try:
            piece: bytes = self._response.read1(min(size, _PIECE), decode_content=False)
        except (urllib3.exceptions.TimeoutError, TimeoutError) as error:
            self._check_time(error)
            raise
        self.ended = self.ended or not piece
        return piece

    def _receive(self, buffer: memoryview) -> int:
        """What has come, straight into the buffer: urllib3 would give it in an object that is copied from again."""
        http = self._response._fp  # http.client's, which knows what of the body is left
        if http.fp is None:
            return 0
        try:
            left = http._get_chunk_left() if http.chunked else http.length
            if left == 0 or (left is None and http.chunked):
                return 0
            count: int = http.fp.readinto1(buffer[:left])
        except HTTPException as error:
            raise urllib3.exceptions.ProtocolError(str(error)) from error
        if left is None:
            return count
        if not count:
            raise urllib3.exceptions.ProtocolError("The connection ended in the middle of the answer.")
        if http.chunked:
            http.chunk_left = left - count
        else:
            http.length = left - count
        return count

    def _check_time(self, error: Exception) -> None:
        """Raise BlockNotInTime when it was the whole block that took too long."""
        if self._reader is not None and time.monotonic() >= self._reader.deadline:
            raise BlockNotInTime(
                f"{self._name} is too slow: a block had not come after {self._seconds:g} seconds.", source=self._name
            ) from error


def _no_gateway(address: str) -> InvalidSettings:
    """The refusal of an address, which is shown without what may be a name and a password."""
    shown = address.rpartition("@")[2]
    return InvalidSettings(
        f"{shown!r} is not the address of a gateway: it is like https://gateway.example.", value=shown
    )


def _took_too_long(error: Exception) -> bool:
    """Whether there was a connection, and not in time an answer to this one question."""
    waited = isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError)
    return waited and not isinstance(error, urllib3.exceptions.ConnectTimeoutError)


def _reason(error: Exception) -> str:
    """What went wrong in a few words, without addresses of objects."""
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return "it does not answer in time"
    if isinstance(error, urllib3.exceptions.NewConnectionError | ConnectionError):
        return "the connection was refused or closed"
    return "its answer has no end" if isinstance(error, urllib3.exceptions.ProtocolError) else type(error).__name__
