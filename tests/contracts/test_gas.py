"""What the contracts cost: the committed snapshots keep the bars, and are of these very contracts."""

import json
import sys
from pathlib import Path

import pytest
from eth_utils import keccak
from oracle import FOREVER, ZERO, ZERO_ADDRESS, hashed_record, replay

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
from _bars import BARS, MISSED  # noqa: E402 - where benchmarks keep what a call may cost

SNAPSHOTS = {path.stem: json.loads(path.read_bytes()) for path in (ROOT / "contracts" / "snapshots").glob("*.json")}
GAS = SNAPSHOTS["gas"]
# A snapshot is of other contract addresses, digests and times: each byte of calldata that is zero there and not here,
# or the other way round, is 12 gas.
CALLDATA = 240
EIP_170 = 24_576

UNKNOWN, ALLOWED, CONDITIONAL, DENIED = range(4)
RUN, COMMERCIAL, REDISTRIBUTE, MODIFY, DISTIL, TRAIN_ON_OUTPUTS = range(6)
STATES = (ALLOWED, UNKNOWN, CONDITIONAL, ALLOWED, DENIED, DENIED)


@pytest.mark.parametrize("name", BARS)
def test_the_snapshot_keeps_its_bar(name):
    assert (GAS[name] > BARS[name]) == (name in MISSED)


def test_only_bars_are_missed():
    assert MISSED.keys() <= BARS.keys()


def test_the_code_fits_a_contract():
    assert all(size["runtime"] <= EIP_170 for size in SNAPSHOTS["bytecode"].values())


def is_as_snapshot(name, gas):
    return abs(gas - GAS[name]) <= CALLDATA


def test_a_release(record_property, models, release, publisher):
    gas = models.publish(release(), ZERO, {"from": publisher}).gas_used
    record_property("release", gas)
    assert is_as_snapshot("release", gas)
    assert gas <= BARS["release"]


def test_the_first_release_of_a_publisher_costs_what_every_other_does(models, release, publisher, stranger):
    """Nothing is left for the first to pay: neither the log's head nor its size was ever zero."""
    values = [release(publisher=by.address) for by in (publisher, publisher, stranger)]
    prices = [
        models.publish(each, ZERO, {"from": by}).gas_used
        for each, by in zip(values, (publisher, publisher, stranger), strict=True)
    ]
    assert max(prices) - min(prices) <= CALLDATA


def test_a_signed_release(record_property, models, release, publisher, stranger, sign):
    values = release()
    signed = sign(models, "Publish", values, ZERO, by=publisher)
    gas = models.publishWithSignature(values, ZERO, signed, {"from": stranger}).gas_used
    record_property("release-signed", gas)
    assert is_as_snapshot("release-signed", gas)
    assert gas <= BARS["release-signed"]


@pytest.fixture
def probe(GasProbe, accounts):  # noqa: N803
    return accounts[9].deploy(GasProbe)


@pytest.mark.parametrize(
    ("name", "use", "state"),
    [
        ("permission-terms", RUN, ALLOWED),
        ("permission-grant", COMMERCIAL, ALLOWED),
        ("permission-grant-everyone", REDISTRIBUTE, ALLOWED),
        ("permission-refused", DISTIL, DENIED),
    ],
)
def test_a_permission(record_property, web3, probe, models, licenses, publish, publisher, stranger, name, use, state):
    """From a contract, cold, where the account has a grant and everyone another."""
    document, uses = keccak(text="terms"), sum(state << 2 * use for use, state in enumerate(STATES))
    licenses.registerTerms(document, uses, {"from": publisher})
    release_id = publish(terms=bytes(licenses.termsIdOf(document, uses)))
    record = replay(web3, models.address).records[release_id]
    for grantee, granted in ((stranger.address, COMMERCIAL), (ZERO_ADDRESS, REDISTRIBUTE)):
        grant = (*record[4][:3], grantee, 1 << granted, 0, FOREVER, False)
        licenses.setGrant(grant, {"from": publisher})
    gas, answer = probe.permission(licenses, release_id, hashed_record(record), stranger, use)
    record_property(name, gas)
    assert answer == state
    assert is_as_snapshot(name, gas)
    assert (gas > BARS[name]) == (name in MISSED)
