"""A pinning service beside a store (ipfs.github.io/pinning-services-api-spec): asked to keep what the store was given.

The service is sent CIDs and where to find the blocks, never the bytes: it fetches them from the nodes that `origins`
names. What it says is believed as far as its word goes: that it has pinned.
"""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import urllib3

from registry.content.cid import Cid
from registry.content.dag import Dag
from registry.content.store import Progress, Store
from registry.content.timed import exchange, timed_connections
from registry.errors import InvalidSettings, PinFailed, StoreUnavailable

_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 60.0
"""How long an answer may trickle in, headers and all."""
_LARGEST_ANSWER: Final = 1 << 20
_ATTEMPTS: Final = 4
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 10.0
_MOST_LISTED: Final = 100
"""Pins of one CID that are asked for at once."""
_MOST_LISTS: Final = 100
_STATES: Final = frozenset({"queued", "pinning", "pinned", "failed"})


class PinningService:
    """One service at the address of its API, with its bearer token. `patience`: seconds until a pin must be done."""

    def __init__(
        self,
        address: str,
        token: str | None,
        *,
        patience: float = 3600,
        answer_seconds: float = _ANSWER_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            parts = urlsplit(address.rstrip("/") + "/")
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            shown = address.rpartition("@")[2]
            raise InvalidSettings(f"{shown!r} is not the address of a pinning service.", value=shown) from None
        if not usable or "@" in parts.netloc or parts.query or parts.fragment:
            raise InvalidSettings(
                "A pinning service has an address like https://api.example/psa, without credentials and query."
            )
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise InvalidSettings("A pinning service is asked by https: its token would be readable on the way.")
        if not token:
            raise InvalidSettings(
                "A pinning service needs a token: PROVENANCE_PINNING_TOKEN, or a file PROVENANCE_PINNING_TOKEN_FILE."
            )
        self._token = token
        self._base, self._host = parts.geturl(), parts.hostname
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
        self._patience = patience
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        self._connections = timed_connections(parts.scheme, parts.hostname, timeout, answer_seconds)
        self._sleep = sleep

    @property
    def name(self) -> str:
        return f"the pinning service {self._host}"

    def is_pinned(self, cid: Cid) -> bool:
        """Whether it says that it has pinned this. Raises StoreUnavailable, PinFailed."""
        return self._find(cid, "pinned") is not None

    def pin(self, cid: Cid, name: str, origins: Sequence[str] = ()) -> None:
        """Ask for a pin and wait for it; one that is asked for already is not asked for twice.

        Raises StoreUnavailable, also when it takes too long, and PinFailed when the service says so.
        """
        status = self._find(cid, "queued,pinning,pinned")
        if status is None:
            body = {"cid": str(cid), "name": name[:255], "origins": list(origins)[:20]}
            status = self._checked(self._ask("POST", "pins", body), cid)
        deadline, pause = time.monotonic() + self._patience, _FIRST_PAUSE
        while status["status"] in ("queued", "pinning"):
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"{self.name} has {cid} as {status['status']} still. Run the same command again later.",
                    source=self.name,
                    cid=str(cid),
                )
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            status = self._checked(self._ask("GET", f"pins/{status['requestid']}"), cid)
        if status["status"] == "failed":
            said = (status.get("info") or {}).get("status_details") if isinstance(status.get("info"), dict) else None
            raise PinFailed(
                f"{self.name} could not pin {cid}" + (f": {self._quoted(said)}." if said else "."),
                source=self.name,
                cid=str(cid),
            )

    def unpin(self, cid: Cid) -> bool:
        """Ask that every pin of this be taken back; False: there was none. Raises StoreUnavailable, PinFailed.

        A service accepts that (202) and may list the pin for a while: each is asked for once.
        """
        asked: set[str] = set()
        for _ in range(_MOST_LISTS):
            listed = [pin["requestid"] for pin in self._list(cid, "queued,pinning,pinned", _MOST_LISTED)]
            more = [identity for identity in listed if identity not in asked]
            if not more:
                return bool(asked)
            for identity in more:
                self._ask("DELETE", f"pins/{identity}")
                asked.add(identity)
        raise PinFailed(f"{self.name} lists other pins of {cid} whenever it is asked.", source=self.name, cid=str(cid))

    def _find(self, cid: Cid, states: str) -> dict[str, Any] | None:
        return next(iter(self._list(cid, states, 1)), None)

    def _list(self, cid: Cid, states: str, most: int) -> list[dict[str, Any]]:
        query = urlencode({"cid": str(cid), "status": states, "limit": str(most)})
        answer = self._ask("GET", f"pins?{query}")
        results = answer.get("results")
        if not isinstance(results, list):
            raise self._strange()
        listed = [self._checked(status, cid) for status in results[:most]]
        return [status for status in listed if status["status"] in states.split(",")]  # some list what was not asked

    def _checked(self, status: Any, cid: Cid) -> dict[str, Any]:
        """A PinStatus of the specification, about what was asked."""
        if not isinstance(status, dict) or status.get("status") not in _STATES:
            raise self._strange()
        identity, pin = status.get("requestid"), status.get("pin")
        if not isinstance(identity, str) or not identity or not set(identity) <= _PLAIN:
            raise self._strange()
        if not isinstance(pin, dict) or pin.get("cid") != str(cid):
            raise PinFailed(f"{self.name} answered about another CID than {cid}.", source=self.name, cid=str(cid))
        return status

    def _ask(self, method: str, path: str, document: Any = None) -> dict[str, Any]:
        """One request, repeated with growing pauses while the service is unreachable or busy."""
        pause = _FIRST_PAUSE
        body = None if document is None else json.dumps(document).encode()
        headers = self._headers if body is None else self._headers | {"Content-Type": "application/json"}
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(pause)
                pause *= 4
            try:
                answer = exchange(self._connections, method, self._base + path, headers, body, longest=_LARGEST_ANSWER)
            except ValueError:
                raise self._strange() from None
            except OSError as error:
                failure = StoreUnavailable(f"{self.name} cannot be reached.", source=self.name)
                failure.__cause__ = error
                continue
            if answer.encoding != "identity":
                raise self._strange()  # it was not asked for, and a little of it may be a lot
            if answer.status == 429 or answer.status >= 500:
                failure = StoreUnavailable(f"{self.name} answered {answer.status}.", source=self.name)
                continue
            return self._read(answer.status, answer.body, method)
        raise failure

    def _read(self, status: int, body: bytes, method: str) -> dict[str, Any]:
        if status in (401, 403):
            raise PinFailed(f"{self.name} does not take the token.", source=self.name)
        if method == "DELETE" and status in (202, 404):
            return {}
        document = _json(body)
        if status != (202 if method == "POST" else 200):
            reason = self._quoted(_reason(document))
            raise PinFailed(f"{self.name} refused: {status} {reason}".rstrip(), source=self.name)
        if not isinstance(document, dict):
            raise self._strange()
        return document

    def _quoted(self, said: object) -> str:
        """What the service said, without the token, which it was sent."""
        return str(said).replace(self._token, "…")[:200]

    def _strange(self) -> PinFailed:
        return PinFailed(f"{self.name} gave an answer that is not that of a pinning service.", source=self.name)

    def close(self) -> None:
        """Close the connections."""
        self._connections.clear()


_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:")


def _json(body: bytes) -> Any:
    """A JSON document; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _reason(document: Any) -> str:
    """What the specification's Failure object says."""
    error = document.get("error") if isinstance(document, dict) else None
    return f"{error.get('reason')}: {error.get('details', '')}" if isinstance(error, dict) else ""


class PinnedStore:
    """A Store whose roots a pinning service keeps too. `origins` are the multiaddresses where it can fetch them."""

    def __init__(self, store: Store, service: PinningService, origins: Callable[[], Sequence[str]]) -> None:
        self.store = store
        self._service = service
        self._origins = origins

    @property
    def name(self) -> str:
        return f"{self.store.name} and {self._service.name}"

    @property
    def sources(self) -> tuple[Store]:
        """See `HasSources`: the service gives no blocks."""
        return (self.store,)

    def get_block(self, cid: Cid) -> bytes:
        """The block from the store. Raises as it does."""
        return self.store.get_block(cid)

    def has_block(self, cid: Cid) -> bool:
        """Whether the store holds the block. Raises StoreUnavailable."""
        return self.store.has_block(cid)

    def has_dag(self, root: Cid) -> bool:
        """Whether the store keeps the DAG, and the service has it pinned. Raises StoreUnavailable, PinFailed."""
        return self.store.has_dag(root) and self._service.is_pinned(root)

    def roots(self) -> list[Cid]:
        """Every root that the store keeps."""
        return self.store.roots()

    def remove(self, root: Cid) -> bool:
        """Unpin at the service, then in the store. Raises StoreUnavailable, PinFailed."""
        unpinned = self._service.unpin(root)
        return self.store.remove(root) or unpinned

    def put_dag(self, dag: Dag, progress: Progress | None = None) -> None:
        """Keep a DAG in the store, then have it pinned. Raises what both raise."""
        self.store.put_dag(dag, progress)
        self._service.pin(dag.root, f"artifact {dag.root}", self._origins())

    def put_document(self, data: bytes) -> Cid:
        """Keep a document in the store, then have it pinned. Raises what both raise."""
        cid = self.store.put_document(data)
        self._service.pin(cid, f"document {cid}", self._origins())
        return cid
