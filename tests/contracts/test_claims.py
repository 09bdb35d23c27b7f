"""First claims: they order what is shown, never move later, and decide nothing."""

import pytest
from eth_utils import keccak
from oracle import ZERO, ZERO_ADDRESS

BYTES = keccak(text="the same bytes")


def test_bytes_that_nobody_claimed_have_no_first_claim(models):
    assert tuple(models.firstClaim(BYTES)) == (ZERO_ADDRESS, 0, 0)


def test_the_first_to_publish_holds_the_first_claim(models, publish, publisher, stranger, chain):
    publish()
    publish(artifact=BYTES)
    since = chain[-1].timestamp
    chain.sleep(10)
    publish(by=stranger, artifact=BYTES)
    assert tuple(models.firstClaim(BYTES)) == (publisher, 1, since)


def test_a_stranger_may_be_first(models, publish, publisher, stranger, chain):
    publish(by=stranger, artifact=BYTES)
    chain.sleep(10)
    publish(artifact=BYTES)
    assert tuple(models.firstClaim(BYTES))[:2] == (stranger, 0)


def test_a_later_version_over_the_same_bytes_keeps_the_first_claim(models, publish, publisher, chain):
    publish(artifact=BYTES)
    before = tuple(models.firstClaim(BYTES))
    chain.sleep(10)
    publish(artifact=BYTES)
    assert tuple(models.firstClaim(BYTES)) == before


@pytest.mark.parametrize("first", [0, 1])
def test_within_a_block_the_earlier_transaction_is_first(models, release, accounts, one_block, first, chain):
    pair = [accounts[1 + first], accounts[2 - first]]
    with one_block:
        for account in pair:
            values = release(publisher=account.address, artifact=BYTES)
            options = {"from": account, "required_confs": 0, "gas_limit": 500_000, "gas_price": 10**9}
            models.publish(values, ZERO, options)
            options["gas_price"] //= 2
    block = chain[-1]
    assert len(block.transactions) == 2
    assert models.size() == 2
    claim = tuple(models.firstClaim(BYTES))
    assert claim == (pair[0], 0, block.timestamp)


def test_a_revoked_release_keeps_its_claim(models, publish, set_status, publisher):
    publish(name="a", version="1", artifact=BYTES)
    set_status("a", "1", 2)
    assert tuple(models.firstClaim(BYTES))[:2] == (publisher, 0)
