"""A gateway is believed in nothing: every block is hashed, and a redirect stays on its host."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from registry.content.cid import RAW, Cid
from registry.content.gateway import GatewaySource
from registry.content.unixfs import LARGEST_BLOCK
from registry.errors import BlockMismatch, BlockNotFound, BlockNotInTime, InvalidSettings, StoreUnavailable
from tests.content.conftest import Serve
from tests.trickling import TRICKLES, trickling

BLOCK = b"a block"
CID = Cid.of(RAW, BLOCK)


def test_a_block_is_asked_for_raw(serve: Serve) -> None:
    asked: list[str] = []
    address = serve(lambda path: (asked.append(path), (200, {}, BLOCK))[1])
    for base in (address, address + "/"):
        with GatewaySource(base) as gateway:
            assert gateway.get_block(CID) == BLOCK
    assert asked == [f"/ipfs/{CID}?format=raw"] * 2


@pytest.mark.parametrize("body", [b"another block", b"", BLOCK + b"x", bytes(LARGEST_BLOCK + 1)])
def test_other_bytes_are_a_mismatch_that_names_the_gateway(serve: Serve, body: bytes) -> None:
    address = serve(lambda path: (200, {}, body))
    with GatewaySource(address) as gateway, pytest.raises(BlockMismatch, match=address):
        gateway.get_block(CID)


@pytest.mark.parametrize(
    ("status", "error"), [(404, BlockNotFound), (410, BlockNotFound), (500, StoreUnavailable), (504, BlockNotInTime)]
)
def test_answers_that_are_no_block(serve: Serve, status: int, error: type[Exception]) -> None:
    with GatewaySource(serve(lambda path: (status, {}, BLOCK))) as gateway, pytest.raises(error) as raised:
        gateway.get_block(CID)
    assert type(raised.value) is error


def test_an_answer_that_does_not_come_says_something_of_the_block_and_no_connection_of_the_gateway(
    hanging: str, unused_port: int
) -> None:
    with GatewaySource(hanging, read_seconds=0.1) as gateway, pytest.raises(BlockNotInTime, match="in time"):
        gateway.get_block(CID)
    with GatewaySource(f"http://127.0.0.1:{unused_port}") as gateway, pytest.raises(StoreUnavailable) as raised:
        gateway.get_block(CID)
    assert type(raised.value) is StoreUnavailable


def test_a_redirect_on_the_same_host_is_followed(serve: Serve) -> None:
    address = serve(lambda path: (200, {}, BLOCK) if path == "/here" else (302, {"Location": "/here"}, b""))
    with GatewaySource(address) as gateway:
        assert gateway.get_block(CID) == BLOCK


def test_a_redirect_to_another_host_or_without_end_is_not_followed(serve: Serve) -> None:
    other = serve(lambda path: (200, {}, BLOCK))
    assert urlsplit(other).port
    for location in (other, "http://localhost/", "https://127.0.0.1/", "/again", "http://["):
        address = serve(lambda path, location=location: (302, {"Location": location}, b""))
        with GatewaySource(address) as gateway, pytest.raises(StoreUnavailable, match="redirect"):
            gateway.get_block(CID)


@pytest.mark.parametrize(
    "location",
    ["{other}\\@{own}/here", "http://u:p@{own}/here", "//{other}/here", "/he\x01re", "http://{own}\\.example/"],
)
def test_a_redirect_that_parsers_read_differently_is_not_followed(serve: Serve, location: str) -> None:
    hits: list[str] = []
    other = serve(lambda path: (hits.append(path), (200, {}, BLOCK))[1])

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        if not path.startswith("/ipfs/"):
            hits.append(path)
            return 200, {}, BLOCK
        own = urlsplit(address).netloc
        return 302, {"Location": location.format(other=other if "\\@" in location else other[7:], own=own)}, b""

    address = serve(answer)
    named = address.replace("//", "//u:secret@")
    with GatewaySource(named) as gateway, pytest.raises(StoreUnavailable, match="redirects to"):
        gateway.get_block(CID)
    assert not hits


@pytest.mark.parametrize(
    "address",
    [
        "https://bob:secret@gw.example/?x=1",
        "https://bob:secret@gw.example:99999",
        "ftp://bob:secret@gw",
        "bob:secret@gw",
    ],
)
def test_a_refused_address_does_not_show_its_password(address: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        GatewaySource(address)
    assert "secret" not in str(caught.value.as_dict())
    assert caught.value.__cause__ is None


def test_a_gateway_that_is_down(unused_port: int) -> None:
    with GatewaySource(f"http://127.0.0.1:{unused_port}") as gateway, pytest.raises(StoreUnavailable, match="reached"):
        gateway.get_block(CID)


@pytest.mark.parametrize("address", ["", "gateway", "ftp://gateway", "https://", "https://a/?b=c"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InvalidSettings):
        GatewaySource(address)


@pytest.mark.parametrize(("start", "step"), TRICKLES.values(), ids=TRICKLES)
@pytest.mark.parametrize(
    "ask",
    [lambda gateway: gateway.get_block(CID), lambda gateway: list(gateway.get_leaves(CID, 0, 2))],
    ids=["block", "leaves"],
)
def test_a_gateway_that_trickles_is_given_up_in_time(
    start: bytes, step: bytes, ask: Callable[[GatewaySource], object]
) -> None:
    typed = start.replace(b"200 OK\r\n", b"200 OK\r\nContent-Type: application/vnd.ipld.car\r\n")
    with (
        trickling(typed, step) as (address, hung_up),
        GatewaySource(address, block_seconds=0.5) as gateway,
    ):
        with pytest.raises((StoreUnavailable, BlockMismatch)):
            ask(gateway)
        assert hung_up.wait(60)
