"""A trustless gateway as a source of blocks (specs.ipfs.tech/http-gateways/trustless-gateway)."""

from types import TracebackType
from typing import Final, Self

import httpx

from registry.content.cid import Cid
from registry.content.store import verified
from registry.content.unixfs import LARGEST_BLOCK
from registry.errors import BlockMismatch, BlockNotFound, InvalidSettings, StoreUnavailable

_TIMEOUT: Final = httpx.Timeout(30, connect=10)
_MOST_REDIRECTS: Final = 5
_RAW: Final = "application/vnd.ipld.raw"


class GatewaySource:
    """A BlockSource at a gateway that the operator named, such as `https://trustless-gateway.link`. Read-only.

    It is asked for raw blocks only, every block is hashed, and a redirect to another host is not followed.
    """

    def __init__(self, address: str, *, client: httpx.Client | None = None) -> None:
        try:
            self._base = httpx.URL(address.rstrip("/") + "/")
        except httpx.InvalidURL as error:
            raise InvalidSettings(f"{address!r} is not the address of a gateway.", value=address) from error
        if self._base.scheme not in ("http", "https") or not self._base.host or self._base.query:
            raise InvalidSettings(
                f"{address!r} is not the address of a gateway: it is like https://gateway.example.", value=address
            )
        self._client = client or httpx.Client(timeout=_TIMEOUT, follow_redirects=False)

    @property
    def name(self) -> str:
        return f"the gateway {self._base.copy_with(username=None, password=None)}"

    def get_block(self, cid: Cid) -> bytes:
        """The block, hashed and found right. Raises BlockNotFound, BlockMismatch, StoreUnavailable."""
        url = self._base.join(f"ipfs/{cid}?format=raw")
        for _ in range(_MOST_REDIRECTS):
            block = self._get(url, cid)
            if isinstance(block, bytes):
                return verified(cid, block, self.name)
            url = block
        raise StoreUnavailable(f"{self.name} redirects without end.", source=self.name)

    def _get(self, url: httpx.URL, cid: Cid) -> bytes | httpx.URL:
        """The body, or where the same host says it is."""
        try:
            with self._client.stream("GET", url, headers={"Accept": _RAW}) as answer:
                if answer.has_redirect_location:
                    return self._same_host(url, answer.headers["Location"])
                if answer.status_code in (404, 410):
                    raise BlockNotFound(f"{self.name} does not have the block {cid}.", source=self.name, cid=str(cid))
                if answer.status_code != 200:
                    raise StoreUnavailable(f"{self.name} answered {answer.status_code}.", source=self.name)
                return self._body(answer, cid)
        except httpx.HTTPError as error:
            raise StoreUnavailable(f"{self.name} cannot be reached.", source=self.name) from error

    def _body(self, answer: httpx.Response, cid: Cid) -> bytes:
        body = bytearray()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > LARGEST_BLOCK:
                raise BlockMismatch(f"{self.name} gave more than a block for {cid}.", source=self.name, cid=str(cid))
        return bytes(body)

    def _same_host(self, url: httpx.URL, location: str) -> httpx.URL:
        try:
            target = url.join(location)
        except httpx.InvalidURL as error:
            raise StoreUnavailable(f"{self.name} redirects to no address.", source=self.name) from error
        if (target.scheme, target.host, target.port) != (self._base.scheme, self._base.host, self._base.port):
            raise StoreUnavailable(
                f"{self.name} redirects to another host, {target.host}, which is not followed. "
                "Name that gateway itself if you want it asked.",
                source=self.name,
            )
        return target

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
