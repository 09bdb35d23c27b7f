"""A verdict that is quick is given at once, first or not; whatever is none goes on to the route, whole."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import Request
from starlette.types import Message, Receive, Scope, Send

from api.quick import QuickVerdicts
from api.service import Service
from api.telemetry import Metrics
from api.verify import whole_body
from registry.content.embedded import EmbeddedStore
from registry.index.database import open_database
from registry.settings import load_settings
from tests.api.conftest import Model, Publish


class Route:
    """What stands behind: it notes what reaches it."""

    def __init__(self) -> None:
        self.reached: list[tuple[bytes, Scope]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached.append((await whole_body(Request(scope, receive)), scope))


@pytest.mark.parametrize(
    ("more", "is_quick"),
    [({}, True), ({"disputes": True}, False), ({"uses": ["dance"]}, False)],
    ids=["quick", "reads statements", "no policy"],
)
def test_only_what_is_quick_takes_no_route(
    api: httpx.Client,
    publish: Publish,
    wait_for: Callable[[Model], None],
    tmp_path: Path,
    more: dict[str, Any],
    is_quick: bool,
) -> None:
    model = publish("m", {"config.json": b"{}"})
    wait_for(model)
    policy = {"version": 1, "publishers": [model.publisher]} | more
    if "disputes" in more:
        policy["disputes"] = [model.publisher]
    body = json.dumps({"what": model.cid, "policy": policy}).encode()
    database = open_database(f"sqlite:///{tmp_path / 'home/index.sqlite'}")
    settings = load_settings(home=tmp_path / "other", chain_id=31337)
    service = Service(settings, database, EmbeddedStore(tmp_path / "other"), Metrics())
    sent: list[Message] = []
    route = Route()

    async def ask() -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        app = SimpleNamespace(state=SimpleNamespace(service=service))
        scope = {"type": "http", "method": "POST", "path": "/v1/verify", "query_string": b"", "headers": [], "app": app}
        await QuickVerdicts(route)(scope, receive, send)
        await service.close()

    asyncio.run(ask())
    if is_quick:
        assert route.reached == []
        assert b"".join(message.get("body", b"") for message in sent) == api.post("/v1/verify", content=body).content
    else:
        assert sent == []
        assert [reached for reached, _ in route.reached] == [body]
        assert ("registry.takes_long" in route.reached[0][1]) is ("disputes" in more)
