"""Whether a block may have logs of an address, by the filters that a real node puts into its headers."""

from registry.chain.bloom import may_have_logs_of
from registry.chain.records import Release

DIGEST = b"\5" * 32
OTHER = "0x" + "11" * 20


def test_a_log_is_in_the_filter_of_its_block_and_of_no_other(node, publisher):
    published = publisher.publish(Release(publisher.account, "model", "1", DIGEST, DIGEST))
    with_log = bloom(node, published.location.block_number)
    assert may_have_logs_of(with_log, [publisher.address])
    assert may_have_logs_of(with_log, [OTHER, publisher.address.lower()])
    assert not may_have_logs_of(with_log, [OTHER])
    node.chain.rpc.request("evm_mine", [])
    assert not may_have_logs_of(bloom(node, published.location.block_number + 1), [publisher.address])


def test_what_is_no_filter_says_nothing():
    for said in (b"", bytes(255), bytes(257)):
        assert may_have_logs_of(said, [OTHER])
    assert not may_have_logs_of(bytes(256), [OTHER]) and not may_have_logs_of(b"\xff" * 256, [])


def bloom(node, number: int) -> bytes:
    return bytes.fromhex(node.chain.rpc.request("eth_getBlockByNumber", [hex(number), False])["logsBloom"][2:])
