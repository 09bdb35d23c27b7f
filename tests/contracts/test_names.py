"""Names and versions: 1 to 64 and 1 to 32 characters, alphanumeric ends, no two separators in a row."""

import re

import pytest
from brownie.test import given
from eth_abi import encode
from hypothesis import HealthCheck, example, settings
from hypothesis import strategies as st
from oracle import RELEASE_TUPLE, ZERO
from refusals import refuses

NAME = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+([._-][a-z0-9]+)*\Z", re.ASCII)
VERSION = re.compile(r"(?=.{1,32}\Z)[a-z0-9]+([._+-][a-z0-9]+)*\Z", re.ASCII)

GOOD = ["a", "0", "z9", "all-minilm-l6-v2", "a.b_c-d", "1.0.0", "2024-01-01", "a" * 31 + "z"]
BAD = [
    "",
    " ",
    "A",
    "Llama",
    "a b",
    "a/b",
    "a@1",
    "a\0",
    "a\n",
    ".a",
    "a.",
    "-a",
    "a-",
    "_a",
    "a_",
    "a..b",
    "a.-b",
    "a-_b",
    "-",
    "a--b",
    "\u00e9",  # e with acute, composed
    "\uff41",  # fullwidth a
    "\u0430",  # Cyrillic a
    "a\u200bb",  # zero width space
    "a\u2011b",  # non-breaking hyphen
    "e\u0301",  # and decomposed
    "🤗",
    "`",
    "{",
    ":",
    "a:b",
    ",",
    "a,b",
]


@pytest.mark.parametrize("text", GOOD)
def test_permitted(models, release, publisher, text):
    models.publish.call(release(name=text, version=text), ZERO, {"from": publisher})


@pytest.mark.parametrize("text", [*BAD, "a+b", "a" * 65])
def test_refused_as_name(models, release, publisher, text):
    with refuses("InvalidName"):
        models.publish(release(name=text), ZERO, {"from": publisher})


@pytest.mark.parametrize("text", [*BAD, "+a", "a+", "a++b", "a+.b", "a" * 33])
def test_refused_as_version(models, release, publisher, text):
    with refuses("InvalidVersion"):
        models.publish(release(version=text), ZERO, {"from": publisher})


def test_the_longest_permitted(models, publish):
    publish(name="a" * 64, version="1" * 32)
    publish(name="a-" * 31 + "bb", version="1+" * 15 + "1")


def test_a_version_may_hold_build_metadata(publish):
    publish(version="1.0.0-rc.1+sha.5114f85")


@pytest.mark.parametrize("raw", [b"\xff", b"a\x80b", b"\xc3\x28", b"a\xf0\x9f"])
def test_bytes_that_are_not_utf_8_are_refused(models, release, publisher, web3, raw):
    kind = RELEASE_TUPLE.replace("string", "bytes")  # the same encoding, without the check of Python's libraries
    values = release(name=raw, version=b"1")
    data = bytes.fromhex(models.signatures["publish"][2:]) + encode([kind, "bytes32"], [values, ZERO])
    answer = web3.provider.make_request(
        "eth_call", [{"from": publisher.address, "to": models.address, "data": "0x" + data.hex()}, "latest"]
    )
    assert answer["error"]["data"] == web3.keccak(text="InvalidName()")[:4].to_0x_hex()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(st.sampled_from("ab09zZ._-+ /\0é~"), max_size=6) | st.text(max_size=4))
@example(text="a" * 64)
@example(text="a" * 33)
def test_the_rule_is_the_regular_expression(models, release, publisher, text):
    for field, rule, error in (("name", NAME, "InvalidName"), ("version", VERSION, "InvalidVersion")):
        values = release(**{"name": "a", "version": "1", field: text})
        if rule.match(text):
            models.publish.call(values, ZERO, {"from": publisher})
        else:
            with refuses(error):
                models.publish.call(values, ZERO, {"from": publisher})
