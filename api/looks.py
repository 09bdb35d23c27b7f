"""What many listeners ask when a block comes: once where they ask the same, and a few at a time.

So none is refused for being one of many.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final

_AT_ONCE: Final = 2


class Looks:
    """Questions that are being asked, by what they are. For one event loop."""

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._asked: dict[Hashable, asyncio.Task[Any]] = {}

    async def look(self, what: Hashable, ask: Callable[[], Awaitable[Any]]) -> Any:
        """The answer to a question, which others who ask the same meanwhile are given too. Raises what `ask` does."""
        task = self._asked.get(what)
        if task is None:
            task = self._asked[what] = asyncio.create_task(self._in_turn(ask))
            task.add_done_callback(lambda ended: self._forget(what, ended))
        return await asyncio.shield(task)  # one who goes takes the answer from nobody else

    async def _in_turn(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        async with self._room:
            return await ask()

    def _forget(self, what: Hashable, ended: asyncio.Task[Any]) -> None:
        del self._asked[what]
        if not ended.cancelled():
            ended.exception()  # nobody may be there any more to be told of it
