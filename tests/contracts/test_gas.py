"""What the calls cost, as exact numbers: a change of the contract shows its price here."""

from eth_utils import keccak

# A full release: four digests, a name of 16 characters and a version of 5.
PRICES = {
    "publish": 97647,
    "publish, first of a deployment": 97647,
    "publish, bytes that were claimed before": 77346,
    "publish, one parent": 102567,
    "setStatus": 67970,
    "setStatus, with successor": 71798,
}
PUBLISH_LIMIT = 110_000


def test_prices(record_property, registry, release, publisher, stranger, set_status):
    def publish(by=publisher, **changes):
        values = release(publisher=by.address, **changes)
        return values, registry.publish(values, {"from": by}).gas_used

    prices = {}
    _, prices["publish, first of a deployment"] = publish()
    values, prices["publish"] = publish()
    _, prices["publish, bytes that were claimed before"] = publish(by=stranger, artifact=values[3])
    parents = [(registry.releaseIdOf(*values[:3]), 7)]
    child, prices["publish, one parent"] = publish(parents=parents)
    detail = keccak(text="why")
    prices["setStatus"] = set_status(*child[1:3], 2, 3, detail).gas_used
    prices["setStatus, with successor"] = set_status(*values[1:3], 1, 3, detail, child[1:3]).gas_used
    for what, gas in sorted(prices.items()):
        record_property(what, gas)
    assert prices == PRICES
    assert max(prices["publish"], prices["publish, first of a deployment"]) <= PUBLISH_LIMIT
