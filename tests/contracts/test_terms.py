"""Terms: registered by anyone under an id that binds the document to the state of each use."""

import pytest
from eth_utils import keccak
from oracle import ZERO, replay, terms_id
from refusals import refuses

DOCUMENT = keccak(text="a licence")


def test_the_id_binds_document_and_states(licenses):
    for document, uses in [(DOCUMENT, 0), (DOCUMENT, 0xFFF), (ZERO, 5)]:
        assert bytes(licenses.termsIdOf(document, uses)) == terms_id(document, uses)


def test_nobody_registered_any_at_first(licenses):
    assert tuple(licenses.termsOf(terms_id(DOCUMENT, 1))) == (0, 0, 0)


def test_registering_is_held_and_announced_as_one_record(licenses, stranger, web3):
    licenses.registerTerms(DOCUMENT, 1, {"from": stranger})
    tx = licenses.registerTerms(DOCUMENT, 0b01_10_11_00_01_01, {"from": stranger})
    identity = terms_id(DOCUMENT, 0b01_10_11_00_01_01)
    event = tx.events["TermsRegistered"]
    assert len(tx.events) == 1
    assert (bytes(event["terms"]), bytes(event["document"])) == (identity, DOCUMENT)
    assert tuple(licenses.termsOf(identity)) == (0b01_10_11_00_01_01, 1, tx.timestamp)
    replayed = replay(web3, licenses.address)
    assert replayed.of("TermsRecord")[1] == (1, tx.timestamp, stranger, identity, DOCUMENT, 0b01_10_11_00_01_01)
    assert (bytes(licenses.head()), licenses.size()) == (replayed.head, 2)


def test_the_call_returns_the_id(licenses, stranger):
    assert bytes(licenses.registerTerms.call(DOCUMENT, 7, {"from": stranger})) == terms_id(DOCUMENT, 7)


def test_they_are_registered_once(licenses, publisher, stranger):
    licenses.registerTerms(DOCUMENT, 7, {"from": stranger})
    with refuses("TermsExist", terms_id(DOCUMENT, 7)):
        licenses.registerTerms(DOCUMENT, 7, {"from": publisher})


def test_the_same_document_with_other_states_is_other_terms(licenses, stranger):
    licenses.registerTerms(DOCUMENT, 0, {"from": stranger})
    licenses.registerTerms(DOCUMENT, 7, {"from": stranger})
    assert licenses.termsOf(terms_id(DOCUMENT, 0))[0] == 0
    assert licenses.termsOf(terms_id(DOCUMENT, 7))[0] == 7


def test_there_are_six_uses_of_two_bits(licenses, stranger):
    licenses.registerTerms(DOCUMENT, 0xFFF, {"from": stranger})
    for uses in (0x1000, 0xFFFF):
        with refuses("InvalidUses", uses):
            licenses.registerTerms(DOCUMENT, uses, {"from": stranger})


def test_whose_licences_these_are_is_told(licenses, models, publishers):
    assert licenses.modelRegistry() == models.address
    assert licenses.publisherRegistry() == publishers.address


@pytest.mark.parametrize("uses", [0, 1, 0xABC])
def test_terms_that_nobody_registered_have_no_slot(licenses, uses):
    assert licenses.termsOf(terms_id(DOCUMENT, uses))[2] == 0
