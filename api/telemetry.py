"""What an operator sees: metrics in the form of Prometheus, and logs of one JSON object a line, with request ids."""

import contextvars
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from registry.errors import ProvenanceError
from registry.index.queries import FollowerStatus

_log = logging.getLogger("api.requests")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)
"""The id of the request that is being answered."""


class Metrics:
    """The numbers of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "provenance_http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "provenance_http_request_seconds",
            "Time from the head of a request to the head of its answer",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.verdicts = Counter(
            "provenance_verdicts", "Verdicts given, by what they say", ["verdict"], registry=self.registry
        )

    def watch(self, status: Callable[[], FollowerStatus | None]) -> None:
        """Show also how far the index is, as it is when somebody reads the metrics."""
        self.registry.register(_IndexCollector(status))


class _IndexCollector(Collector):
    def __init__(self, status: Callable[[], FollowerStatus | None]) -> None:
        self._status = status

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """No look at the index before somebody asks."""
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """See `Collector`."""
        status = self._status()
        if status is None:
            return
        shown: dict[str, tuple[str, float | None]] = {
            "provenance_index_block": ("Last block that the index has read; -1 before the first", status.block),
            "provenance_index_verified_block": ("Last block whose log heads were the contracts'", status.verified),
            "provenance_index_behind_blocks": ("Blocks of the node's chain that are not read yet", status.behind),
            "provenance_index_records": ("Events of the registry that the index holds", status.records),
            "provenance_index_polled_seconds": ("When the node was last heard of, since the epoch", status.polled_at),
            "provenance_index_alarm": (
                "1 while events are missing, or the node lacks blocks that were final before",
                float((status.alarm or status.node_behind) is not None),
            ),
        }
        for name, (meaning, value) in shown.items():
            if value is not None:
                yield GaugeMetricFamily(name, meaning, value=value)
        named = GaugeMetricFamily("provenance_index_documents", "Documents that releases name", labels=["kind"])
        known = GaugeMetricFamily(
            "provenance_index_documents_known",
            "Those of which it is known what they say, or that they are invalid",
            labels=["kind"],
        )
        for kind, coverage in status.documents.items():
            named.add_metric([kind], coverage.of)
            known.add_metric([kind], coverage.read)
        yield from (named, known)


class Observed:
    """ASGI middleware: gives each request an id, measures it, logs it, and answers 500 for a defect below."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics
        self._counted: dict[tuple[str, str, int], Any] = {}
        self._timed: dict[str, Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identifier = _request_id(scope)
        token = request_id.set(identifier)
        began = time.perf_counter()
        status, head = 0, 0.0

        async def noted(message: Message) -> None:
            nonlocal status, head
            if message["type"] == "http.response.start":
                status, head = message["status"], time.perf_counter() - began
                message.setdefault("headers", []).append((b"x-request-id", identifier.encode()))
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception:
            logging.getLogger("api").exception("A request met a defect")
            if status:
                raise  # the answer has begun, and cutting it off is all that can be done
            sentence = "The service has a defect, and this met it."
            await problem(ProvenanceError.code, ProvenanceError.status, sentence)(scope, receive, noted)
        finally:
            self._count(scope, status, head)
            if _log.isEnabledFor(logging.INFO):
                _log.info("request", extra={"fields": _fields(scope, status, began)})
            request_id.reset(token)

    def _count(self, scope: Scope, status: int, head: float) -> None:
        route = route_of(scope)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        key = (method, route, status)
        counter = self._counted.get(key)
        if counter is None:
            counter = self._counted[key] = self._metrics.requests.labels(method, route, str(status))
        counter.inc()
        timer = self._timed.get(route)
        if timer is None:
            timer = self._timed[route] = self._metrics.seconds.labels(route)
        timer.observe(head)


def route_of(scope: Scope) -> str:
    """The route's template, or `none`: what strangers write into paths makes no label."""
    return getattr(scope.get("route"), "path", "none")


def _request_id(scope: Scope) -> str:
    """The client's own, where it is a short plain word; else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return secrets.token_hex(8)


def _fields(scope: Scope, status: int, began: float) -> dict[str, Any]:
    client = scope.get("client")
    return {
        "method": scope["method"],
        "path": scope["path"][:256],
        "route": route_of(scope),
        "status": status,
        "client": client[0] if client else None,
        "milliseconds": round((time.perf_counter() - began) * 1000, 3),
    }


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the request's id, and what the record adds."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`. ASCII alone, so that no name of a stranger's breaks a line or a terminal."""
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        identifier = request_id.get()
        if identifier is not None:
            entry["request_id"] = identifier
        entry.update(getattr(record, "fields", {}))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def log_as_json() -> None:
    """Write every log of this process from INFO on as JSON lines on stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("api", "registry"):
        logging.getLogger(name).setLevel(logging.INFO)
