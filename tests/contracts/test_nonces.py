"""Nonces: unordered, each actor's own in each contract, used up by what goes through and by nothing else."""

import pytest
from oracle import ZERO, replay
from refusals import refuses

REGISTRIES = ["PublisherRegistry", "ModelRegistry", "LicenseRegistry", "StatementRegistry"]
NONCES = [0, 1, 255, 256, 2**64, 2**256 - 1]


@pytest.fixture(params=REGISTRIES)
def registry(request, registries):
    return registries[request.param]


@pytest.fixture
def change(models, publish, sign, publisher, stranger):
    """Changes the status of a release by a signature with a nonce."""
    publish(name="model", version="1")

    def send(status, nonce, by=publisher):
        update = (publisher.address, "model", "1", status, 0, ZERO, "", "")
        signed = sign(models, "SetStatus", update, nonce, by=by)
        return models.setStatusWithSignature(update, nonce, signed, {"from": stranger})

    return send


def test_none_is_used_at_first(registry, publisher):
    assert not any(registry.isNonceUsed(publisher, nonce) for nonce in NONCES)


@pytest.mark.parametrize("nonce", NONCES)
def test_one_is_cancelled_and_no_other(registry, publisher, nonce):
    tx = registry.cancel(nonce, {"from": publisher})
    assert len(tx.events) == 1
    assert tuple(tx.events["NonceCancelled"].values()) == (publisher, nonce)
    assert [each for each in NONCES if registry.isNonceUsed(publisher, each)] == [nonce]


def test_nobody_elses_is_touched(registry, publisher, stranger):
    registry.cancel(5, {"from": stranger})
    assert not registry.isNonceUsed(publisher, 5)


def test_nor_one_in_another_contract(registries, publisher):
    registries["ModelRegistry"].cancel(5, {"from": publisher})
    assert [name for name, contract in registries.items() if contract.isNonceUsed(publisher, 5)] == ["ModelRegistry"]


def test_it_is_no_record(registry, publisher, web3):
    head = registry.head()
    registry.cancel(5, {"from": publisher})
    assert (registry.head(), registry.size()) == (head, 0)
    replayed = replay(web3, registry.address)
    assert replayed.entries == []
    assert [name for name, _, _ in replayed.others] == ["NonceCancelled"]


def test_cancelling_again_changes_nothing(registry, publisher):
    for _ in range(2):
        registry.cancel(5, {"from": publisher})
    assert registry.isNonceUsed(publisher, 5)


def test_what_was_signed_with_a_cancelled_one_is_refused(models, change, publisher):
    models.cancel(5, {"from": publisher})
    with refuses("NonceUsed", publisher, 5):
        change(1, 5)
    change(1, 6)


def test_one_that_was_used_cannot_be_used_for_something_else(models, change, publisher):
    change(1, 5)
    assert models.isNonceUsed(publisher, 5)
    with refuses("NonceUsed", publisher, 5):
        change(0, 5)


def test_cancelling_one_that_was_used_does_not_free_it(models, change, publisher):
    change(1, 5)
    models.cancel(5, {"from": publisher})
    with refuses("NonceUsed", publisher, 5):
        change(0, 5)


def test_they_need_no_order(change):
    for status, nonce in ((1, 2**255), (0, 3), (1, 2), (0, 2**200 + 1)):
        change(status, nonce)


def test_a_delegate_has_its_own(models, change, publisher, delegate, name_delegate):
    name_delegate(15)
    change(1, 5)
    change(0, 5, by=delegate)
    assert models.isNonceUsed(delegate, 5)
    with refuses("NonceUsed", delegate, 5):
        change(1, 5, by=delegate)


def test_what_is_refused_uses_none(models, change, publisher):
    with refuses("StatusUnchanged"):
        change(0, 5)
    assert not models.isNonceUsed(publisher, 5)
    change(1, 5)


def test_a_false_signature_uses_none(models, publish, sign, publisher, stranger):
    publish(name="model", version="1")
    update = (publisher.address, "model", "1", 1, 0, ZERO, "", "")
    with refuses("InvalidSignature", publisher):
        models.setStatusWithSignature(
            update, 5, sign(models, "SetStatus", update, 5, by=stranger, actor=publisher), {"from": stranger}
        )
    assert not models.isNonceUsed(publisher, 5)


def test_what_is_sent_without_a_signature_uses_none(models, publish, set_status, publisher):
    publish(name="model", version="1")
    set_status("model", "1", 1)
    assert not any(models.isNonceUsed(publisher, nonce) for nonce in NONCES)
