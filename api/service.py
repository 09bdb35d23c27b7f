"""What the routes share: the index, the store, and the threads that follow the chain where this process does."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Protocol, TypeVar

from api.looks import Looks
from api.places import Places
from api.pool import Pool
from api.questions import Policies
from api.readiness import Readiness
from api.streams import CARS_AT_ONCE
from api.telemetry import Metrics
from registry.chain.client import connect
from registry.chain.deploy import contract_address
from registry.chain.heads import open_heads
from registry.chain.identifiers import parse_address
from registry.chain.model_registry import ModelRegistryClient, open_model_registry
from registry.chain.records import Deployment
from registry.content.denylist import DenylistFiles
from registry.content.gateway import GatewaySource
from registry.content.sources import Sources
from registry.content.store import Store, open_store
from registry.errors import IndexUnavailable, ProvenanceError
from registry.index.buckets import Buckets
from registry.index.database import Database, open_database
from registry.index.documents import DocumentReader
from registry.index.file_buckets import FileBuckets
from registry.index.follower import Follower
from registry.index.queries import FollowerStatus, NotQuick, Reader
from registry.index.turn import turn_to_follow
from registry.policy.catalogue import catalogue, catalogue_ids
from registry.settings import Settings

_log = logging.getLogger(__name__)

_RECONNECT_SECONDS = 2.0
_AGAIN_SECONDS = 1.0
"""A source of documents that failed is asked again after so long."""
_LOOK_SECONDS = 0.1

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Work(Protocol[T_co]):
    """Work on an answer. One that is to be quick raises `NotQuick` where it would take long."""

    def __call__(self, *, quick: bool) -> T_co: ...


class Service:
    """One process's parts, from `open_service` to `close`."""

    def __init__(
        self, settings: Settings, database: Database, store: Store, metrics: Metrics, *, follows: bool = True
    ) -> None:
        self.settings = settings
        self.follows = follows
        self.readiness = Readiness(settings, time.time())
        self.metrics = metrics
        self.store = store
        self.denylists = DenylistFiles(settings.denylists)
        self.licenses: Mapping[str, bytes] = catalogue_ids(catalogue())
        self.license_names: Mapping[bytes, str] = {terms: name for name, terms in self.licenses.items()}
        self.policies = Policies(self.licenses)
        self._database = database
        self._ending = contextlib.ExitStack()
        self._reader: Reader | None = None
        self._pool = Pool()
        self.cars = Places(CARS_AT_ONCE)
        self.listeners = Places(settings.max_streams)
        self.looks = Looks()
        self.changes = Changes(self._version)
        self.stopping = asyncio.Event()

    async def answer(self, work: Work[T], client: str, *, quick: bool = True) -> T:
        """The result of `work` for a client: at once, which costs least, or beside the event loop where it may be long.

        A file of SQLite is read on the loop, a server is awaited. Whatever is asked, the loop answers others meanwhile.
        Raises ServiceBusy when too much waits already, or too much of this client's.
        """
        if quick:
            try:
                if self.reads_at_once:
                    return work(quick=True)
                return await self._database.awaiting(lambda: work(quick=True))
            except NotQuick:
                pass
        return await self._pool.run(lambda: work(quick=False), client)

    @property
    def reads_at_once(self) -> bool:
        """Whether the index is a file, which the event loop reads itself."""
        return self._database.is_sqlite

    @property
    def deployment(self) -> Deployment:
        """The deployment that is followed. Raises IndexUnavailable until it is known which one that is."""
        if self._reader is not None:
            return self._reader.deployment
        address, chain_id = self.settings.model_registry, self.settings.chain_id
        place = contract_address("ModelRegistry") if address is None else parse_address(address)
        if chain_id is None and not self.follows:
            chain_id = self._database.only_chain_of(place)
        if chain_id is None:
            raise IndexUnavailable(
                "The service does not know its chain yet: "
                + (
                    "its node has not answered. Setting PROVENANCE_CHAIN_ID lets it answer from its index meanwhile."
                    if self.follows
                    else "its index has this registry on no chain yet, or on several. PROVENANCE_CHAIN_ID names one."
                )
            )
        return Deployment(chain_id, place)

    @property
    def reader(self) -> Reader:
        """The index of that deployment; the first use asks the database. Raises IndexUnavailable."""
        if self._reader is None:
            self._reader = Reader(self._database, self.deployment)
        return self._reader

    def shared_buckets(self, limit: int, seconds: int) -> Buckets | FileBuckets:
        """Token buckets that every process on this index shares. Raises IndexUnavailable."""
        file = self._database.file
        if file is not None:
            file_buckets = FileBuckets(file.with_name(f"{file.name}-limits"), limit, seconds)
            self._ending.callback(file_buckets.close)
            return file_buckets
        buckets = Buckets(self._database, limit, seconds)
        buckets.make()
        return buckets

    def stop(self) -> None:
        """End what would not end by itself: streams. In the event loop."""
        self.stopping.set()
        self.changes.wake()

    def status(self) -> FollowerStatus | None:
        """How far the index is; None where it cannot be asked."""
        with contextlib.suppress(ProvenanceError), self.reader.snapshot() as snapshot:
            return snapshot.status()
        return None

    def _version(self) -> Hashable:
        with contextlib.suppress(ProvenanceError), self.reader.snapshot() as snapshot:
            return snapshot.as_of()
        return None

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """Follow the chain in threads of this process, one for records and some for documents.

        Of several processes on one index one follows; when it ends, another does.
        """
        stop, wake = threading.Event(), threading.Event()
        thread = threading.Thread(target=self._follow, args=(stop, wake), name="follower")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            wake.set()
            thread.join()

    async def close(self) -> None:
        """Give back the database."""
        self._pool.close()
        self._ending.close()
        await self._database.end()

    def _follow(self, stop: threading.Event, wake: threading.Event) -> None:
        registry = self._connect(stop)
        if registry is None:
            return
        while not stop.is_set():
            try:
                self._reader = self._reader or Reader(self._database, registry.deployment)
                key = self._database.deployment_key(registry.deployment)
                with turn_to_follow(self._database, key, stop) as over:
                    if over is not None:
                        self._follow_until(over, wake, registry)
            except ProvenanceError as error:  # the database cannot be reached just now
                _log.warning("%s: %s", error.code, error.message)
                stop.wait(_RECONNECT_SECONDS)

    def _follow_until(self, stop: threading.Event, wake: threading.Event, registry: ModelRegistryClient) -> None:
        settings = self.settings
        poll = settings.poll_seconds
        heads = open_heads(registry.chain, settings.rpc_url, settings.rpc_websocket, settings.head_seconds)
        gateways = [GatewaySource(address) for address in settings.gateways]
        source = Sources([self.store, *gateways], again_after=_AGAIN_SECONDS)
        documents = DocumentReader(self._database, registry.deployment, source)
        thread = threading.Thread(target=documents.run, args=(stop, wake, poll), name="documents")
        thread.start()
        try:
            addresses = settings.contract_addresses
            with heads:
                follower = Follower(registry, self._database, addresses=addresses, on_events=wake.set, heads=heads)
                follower.run(stop, poll)
        finally:
            stop.set()
            wake.set()
            thread.join()
            for gateway in gateways:
                gateway.close()

    def _connect(self, stop: threading.Event) -> ModelRegistryClient | None:
        """The registry, tried until the node answers; None when the service stops first."""
        settings, last = self.settings, ""
        while not stop.is_set():
            try:
                chain = connect(settings.rpc_url, settings.chain_id, quorum=settings.rpc_quorum)
                return open_model_registry(chain, settings.model_registry, from_block=settings.from_block)
            except ProvenanceError as error:
                if error.message != last:
                    _log.warning("%s: %s", error.code, error.message)
                last = error.message
            stop.wait(_RECONNECT_SECONDS)
        return None


class Changes:
    """Says when the index has read another block. Only looks while somebody waits. For one event loop.

    `version` counts what was seen; whoever waits says which it knows, and so misses nothing between two looks.
    """

    def __init__(self, look: Callable[[], Hashable], pause: float = _LOOK_SECONDS) -> None:
        self.version = 0
        self._look = look
        self._pause = pause
        self._last: Hashable = None
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._waiting = 0

    async def wait(self, known: int) -> None:
        """Until there is something newer than `known`."""
        self._waiting += 1
        try:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._keep_looking())
            while self.version == known:
                await self._changed.wait()
        finally:
            self._waiting -= 1

    def wake(self) -> None:
        """Let everybody who waits look for themselves."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def _keep_looking(self) -> None:
        while self._waiting:
            found = await asyncio.to_thread(self._look)
            if found != self._last:
                self._last = found
                self.wake()
            await asyncio.sleep(self._pause)


def open_service(settings: Settings, metrics: Metrics | None = None, *, follows: bool = True) -> Service:
    """The service of these settings. One that does not follow the chain leaves it to others to bring an older index up
    to date, too, and takes the chain from the index where the settings do not say it.

    Raises InvalidSettings, IndexUnavailable, IndexOutdated, StoreUnavailable.
    """
    database = open_database(settings.database_location, upgrade=follows)
    return Service(settings, database, open_store(settings.store_location), metrics or Metrics(), follows=follows)
