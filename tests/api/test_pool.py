"""What clients share: places, threads in turn, and looks at what is new."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from api.looks import Looks
from api.places import Places
from api.pool import Pool
from registry.errors import ServiceBusy


def test_nobody_has_more_places_than_are_left() -> None:
    places = Places(8)
    assert [places.take("a") for _ in range(5)] == [True] * 4 + [False]
    assert [places.take("b") for _ in range(3)] == [True] * 2 + [False]
    assert places.take("c")
    places.give_back("b")
    places.give_back("b")
    assert [places.take("d") for _ in range(2)] == [True, True]


class Held:
    """Work that notes who it was done for, the first of it held until it is let go."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def of(self, client: str) -> Callable[[], str]:
        def work() -> str:
            self.begun.set()
            assert self.go_on.wait(60)
            self.done.append(client)
            return client

        return work


def test_one_client_fills_the_pool_for_nobody_else_and_each_has_its_turn() -> None:
    held = Held()

    async def ask() -> list[str | BaseException]:
        pool = Pool(threads=1, waiting=7)
        asking = [asyncio.create_task(pool.run(held.of("many"), "many")) for _ in range(6)]
        await asyncio.to_thread(held.begun.wait, 60)
        asking.append(asyncio.create_task(pool.run(held.of("one"), "one")))
        await asyncio.sleep(0)  # it stands in line
        held.go_on.set()
        found = await asyncio.gather(*asking, return_exceptions=True)
        pool.close()
        return found

    found = asyncio.run(ask())
    assert found[:4] == ["many"] * 4 and found[6] == "one"
    assert all(isinstance(refused, ServiceBusy) for refused in found[4:6])
    assert held.done == ["many", "many", "one", "many", "many"]


def test_what_fails_in_a_thread_fails_for_who_asked_and_gives_its_place_back() -> None:
    def broken() -> None:
        raise ValueError("no")

    async def ask() -> int:
        pool = Pool(threads=1, waiting=1)
        for _ in range(3):
            with pytest.raises(ValueError, match="no"):
                await pool.run(broken, "a")
        found = await pool.run(lambda: 1, "a")
        pool.close()
        return found

    assert asyncio.run(ask()) == 1


def test_who_waits_when_the_pool_closes_is_let_go() -> None:
    held = Held()

    async def ask() -> None:
        pool = Pool(threads=1, waiting=7)
        first, second = (asyncio.create_task(pool.run(held.of("a"), "a")) for _ in range(2))
        await asyncio.to_thread(held.begun.wait, 60)
        closing = asyncio.create_task(asyncio.to_thread(pool.close))
        held.go_on.set()
        await asyncio.gather(closing, first, second, return_exceptions=True)

    asyncio.run(asyncio.wait_for(ask(), 60))


def test_listeners_ask_once_what_is_the_same_and_a_few_at_a_time() -> None:
    async def ask() -> tuple[list[object], int, list[str]]:
        looks, running, most, asked = Looks(at_once=2), 0, 0, []

        def one(name: str) -> Callable[[], "asyncio.Future[str]"]:
            async def look() -> str:
                nonlocal running, most
                asked.append(name)
                running += 1
                most = max(most, running)
                for _ in range(3):
                    await asyncio.sleep(0)
                running -= 1
                if name == "broken":
                    raise ServiceBusy(name)
                return name

            return lambda: asyncio.ensure_future(look())

        names = ["a", "b", "a", "c", "broken", "a", "d", "broken"]
        tasks = [asyncio.create_task(looks.look(name, one(name))) for name in names]
        await asyncio.sleep(0)
        tasks[0].cancel()  # it takes the answer from nobody else
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert await looks.look("a", one("a")) == "a"
        return found, most, asked

    found, most, asked = asyncio.run(ask())
    assert isinstance(found[0], asyncio.CancelledError)
    assert [str(one) for one in found[1:]] == ["b", "a", "c", "broken", "a", "d", "broken"]
    assert most == 2 and asked == ["a", "b", "c", "broken", "d", "a"]
