"""Peers that mean harm: while they do what they do, the service answers everybody else."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from registry.settings import load_settings
from tests.api.conftest import serving


@pytest.fixture
def service(tmp_path: Path) -> Iterator[httpx.Client]:
    settings = load_settings(home=tmp_path, rpc_url="http://127.0.0.1:9", chain_id=1, body_seconds=2.0)
    with serving(settings, follow=False) as client:
        yield client


def answers_others(client: httpx.Client) -> None:
    for _ in range(5):
        assert httpx.get(f"{client.base_url}/healthz", trust_env=False, timeout=60).status_code == 200


def connected(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=60)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the service lets go, which it may do before it has what is sent to it."""
    received = []
    with contextlib.suppress(ConnectionResetError):
        received.extend(iter(lambda: connection.recv(65536), b""))
    return b"".join(received)


def test_peers_that_hang_half_way_through_a_body(service: httpx.Client) -> None:
    with contextlib.ExitStack() as stack:
        hanging = [stack.enter_context(connected(service)) for _ in range(50)]
        for connection in hanging:
            connection.sendall(b"POST /v1/verify/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
        answers_others(service)
        for connection in hanging:
            assert all_of(connection).startswith(b"HTTP/1.1 408 ")
        answers_others(service)


def test_a_thousand_connections_that_say_nothing_or_half_a_head(service: httpx.Client) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(1000):
            connection = stack.enter_context(connected(service))
            if number % 2:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nx-half: ")
        answers_others(service)


def test_who_never_ends_a_head_is_let_go(service: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.server.HEAD_SECONDS", 0.3)
    with connected(service) as silent, connected(service) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nx: ")
        assert all_of(slow) == b"" and all_of(silent) == b""
    with connected(service) as endless:
        with contextlib.suppress(OSError):
            for _ in range(40):
                endless.sendall(b"x" * 65536)
        answers_others(service)


def test_a_body_of_ten_mebibytes(service: httpx.Client) -> None:
    for address in ("/v1/verify", "/v1/verify/batch"):
        answer = service.post(address, content=b'{"what": "' + b"x" * (10 << 20) + b'"}')
        assert (answer.status_code, answer.json()["code"]) == (413, "input.too-large")
    answers_others(service)


@pytest.mark.parametrize("path", ["/v1/releases/", "/v1/artifacts/", "/v1/files/", "/v1/search?name=", "/ipfs/", "/"])
def test_names_of_a_hundred_thousand_characters(service: httpx.Client, path: str) -> None:
    with connected(service) as connection:
        connection.sendall(f"GET {path}{'x' * 100_000} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        answer = all_of(connection)
    assert answer.split(b" ", 2)[1] in (b"400", b"404", b"422"), answer[:200]
    assert len(answer) < 10_000
    answers_others(service)


@pytest.mark.parametrize("length", [b"content-length: 99999999", b"content-length: 10", b"transfer-encoding: chunked"])
def test_a_question_that_has_no_body_is_answered_whatever_body_it_announces(
    service: httpx.Client, length: bytes
) -> None:
    with connected(service) as connection:
        connection.sendall(b"GET /v1/artifacts/none HTTP/1.1\r\nhost: x\r\n" + length + b"\r\n\r\n")
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"input.identifier" in answer
    answers_others(service)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/log HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /% \xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_cannot_be_read_is_refused_by_a_problem_document(service: httpx.Client, head: bytes) -> None:
    with connected(service) as connection:
        connection.sendall(head)
        answer = all_of(connection)
    told, _, body = answer.partition(b"\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 ") and b"content-type: application/problem+json" in told
    assert json.loads(body)["status"] == int(told.split()[1])


def test_who_asks_for_a_websocket_is_answered_in_http(service: httpx.Client) -> None:
    upgrade = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAA\r\n"
    with connected(service) as connection:
        connection.sendall(b"GET /v1/artifacts/none HTTP/1.1\r\nhost: x\r\n" + upgrade + b"\r\n")
        assert b"input.identifier" in connection.recv(65536)
