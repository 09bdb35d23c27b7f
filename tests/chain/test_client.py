"""Nodes that are down, of another chain, slow or no nodes at all: each a sentence, never a foreign exception."""

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from registry.chain.artifact import CONTRACTS
from registry.chain.client import connect
from registry.chain.deploy import check_code, contract_address, create2_address, deploy
from registry.chain.devnode import DevNode, dev_node, dev_signer
from registry.chain.model_registry import open_model_registry
from registry.errors import InvalidIdentifier, InvalidSettings, NoContract, RpcRefused, RpcUnavailable, WrongChain


@contextmanager
def server(answer: Callable[[http.server.BaseHTTPRequestHandler, dict], None]) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer(self, request)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


def reply(handler: http.server.BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_a_node_that_is_down_is_said_to_be_unreachable():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v3/SECRET-KEY"
        with pytest.raises(RpcUnavailable, match="cannot be reached") as caught:
            connect(url)
    assert "SECRET-KEY" not in repr(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize("stalls", [False, True])
def test_a_node_that_ends_or_stalls_in_the_middle_of_its_answer_is_a_sentence(stalls):
    waiting = threading.Event()

    def half(handler, _request):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"jsonrpc": "2.0", ')
        if stalls:
            waiting.wait(60)
        handler.close_connection = True

    with server(half) as url:
        try:
            with pytest.raises(RpcUnavailable, match="in time" if stalls else "cannot be reached"):
                connect(url, timeout=1.0)
        finally:
            waiting.set()


def test_a_node_of_another_chain_is_refused(shared_node: DevNode):
    assert connect(shared_node.url, 31337).chain_id == 31337
    with pytest.raises(WrongChain, match="of chain 31337, not of chain 1"):
        connect(shared_node.url, 1)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1", "http://", "/ip4/127.0.0.1/tcp/8545"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(InvalidSettings, match="http"):
        connect(url)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b"{}", b"\xff\xfe", b'{"result": 7}', b'{"result": "zz"}', b"[" * 100_000]
)
def test_what_is_no_node_is_said_to_be_none(body):
    with server(lambda handler, _: reply(handler, body)) as url, pytest.raises(RpcUnavailable):
        connect(url)


@pytest.mark.parametrize("status", [302, 401, 429, 500, 503])
def test_http_errors_are_named(status):
    def answer(handler, _):
        handler.send_response(status)
        handler.send_header("Location", "http://127.0.0.1:1/")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with server(answer) as url, pytest.raises(RpcUnavailable):
        connect(url)


def test_a_node_that_hangs_is_given_up():
    def answer(handler, _):
        time.sleep(1)

    with server(answer) as url, pytest.raises(RpcUnavailable, match="in time"):
        connect(url, timeout=0.2)


def test_a_refusal_keeps_the_nodes_own_words():
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "limit \x1b[31mexceeded"}}

    with (
        server(lambda handler, _: reply(handler, json.dumps(error).encode())) as url,
        pytest.raises(RpcRefused, match=r"limit \[31mexceeded") as caught,
    ):
        connect(url)
    assert caught.value.details["rpc_code"] == -32005


def test_no_contract_or_another_one_at_the_address(shared_node: DevNode):
    open_model_registry(shared_node.chain)
    with pytest.raises(NoContract, match="no ModelRegistry at"):
        open_model_registry(shared_node.chain, "0x000000000000000000000000000000000000dEaD")
    with pytest.raises(NoContract, match="is not the ModelRegistry"):
        open_model_registry(shared_node.chain, "0x4e59b44847b379578588920cA78FbF26c0B4956C")
    with pytest.raises(InvalidIdentifier, match="not an address"):
        open_model_registry(shared_node.chain, "0x1234")


def test_the_address_is_known_before_the_contract_is_there():
    with dev_node() as node:
        for name in CONTRACTS:
            with pytest.raises(NoContract):
                check_code(node.chain, name, contract_address(name))
        first = deploy(node.chain, dev_signer(3))
        assert list(first) == list(CONTRACTS)
        for name, done in first.items():
            assert done.address == contract_address(name)
            assert done.receipt is not None
            check_code(node.chain, name, done.address)
        again = deploy(node.chain, dev_signer(4))
        assert {name: (done.address, done.receipt) for name, done in again.items()} == {
            name: (done.address, None) for name, done in first.items()
        }


def test_a_chain_without_the_deployment_proxy_is_named():
    with dev_node() as node:
        node.chain.rpc.request("anvil_setCode", ["0x4e59b44847b379578588920cA78FbF26c0B4956C", "0x"])
        with pytest.raises(NoContract, match="standard deployment proxy"):
            deploy(node.chain, dev_signer(0))


@pytest.mark.parametrize(
    ("deployer", "salt", "code", "address"),
    [  # the examples of EIP-1014
        ("0x" + "00" * 20, "00" * 32, "00", "0x4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"),
        ("0xdeadbeef" + "00" * 16, "00" * 32, "00", "0xB928f69Bb1D91Cd65274e3c79d8986362984fDA3"),
        (
            "0xdeadbeef" + "00" * 16,
            "00" * 12 + "feed" + "00" * 18,
            "00",
            "0xD04116cDd17beBE565EB2422F2497E06cC1C9833",
        ),
        ("0x" + "00" * 20, "00" * 32, "deadbeef", "0x70f2b2914A2a4b783FaEFb75f459A580616Fcb5e"),
        (
            "0x00000000000000000000000000000000deadbeef",
            "00" * 28 + "cafebabe",
            "deadbeef",
            "0x60f3f640a8508fC6a86d45DF051962668E1e8AC7",
        ),
        ("0x" + "00" * 20, "00" * 32, "", "0xE33C0C7F7df4809055C3ebA6c09CFe4BaF1BD9e0"),
    ],
)
def test_create2_addresses_are_those_of_the_eip(deployer, salt, code, address):
    assert create2_address(bytes.fromhex(code), bytes.fromhex(salt), deployer) == address
