"""Work beside the event loop: in a few threads, of each client in turn, and with room left for others."""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from api.places import Places
from registry.errors import ServiceBusy

_THREADS: Final = 2
_WAITING: Final = 32

T = TypeVar("T")


class Pool:
    """Threads, and what waits for them. For one event loop."""

    def __init__(self, threads: int = _THREADS, waiting: int = _WAITING) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._places = Places(threads + waiting)
        self._waiting: OrderedDict[str, deque[tuple[Callable[[], Any], Future[Any]]]] = OrderedDict()
        self._lock = threading.Lock()

    async def run(self, work: Callable[[], T], client: str) -> T:
        """The result of work for a client. Raises what it does, and ServiceBusy when too much of it waits already."""
        if not self._places.take(client):
            raise ServiceBusy(
                "There is too much work before this question, or of yours. Ask again in a moment, or by a CID alone."
            )
        future: Future[T] = Future()
        future.add_done_callback(lambda _: self._places.give_back(client))
        with self._lock:
            self._waiting.setdefault(client, deque()).append((work, future))
        self._threads.submit(self._next)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let what was begun end, and nothing more begin."""
        self._threads.shutdown(cancel_futures=True)
        for queue in self._waiting.values():
            for _, future in queue:
                future.cancel()

    def _next(self) -> None:
        """One piece of work: of the client whose turn it is, who then stands behind the others."""
        with self._lock:
            client, queue = self._waiting.popitem(last=False)
            work, future = queue.popleft()
            if queue:
                self._waiting[client] = queue
        if not future.set_running_or_notify_cancel():
            return  # who asked has gone
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, who asked is told
            future.set_exception(error)
