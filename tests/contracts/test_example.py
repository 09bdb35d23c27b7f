"""The example: an application that acts only behind a model of one publisher, under one set of terms."""

import pytest
from eth_utils import keccak
from oracle import FOREVER, ZERO, hashed_record, replay, terms_id
from refusals import refuses

COMMERCIAL = 1
UNKNOWN, ALLOWED, CONDITIONAL, DENIED = range(4)
DOCUMENT = keccak(text="a licence")


@pytest.fixture
def terms(licenses, stranger):
    """Registers terms with this state of commercial use."""

    def make(state):
        licenses.registerTerms(DOCUMENT, state << 2 * COMMERCIAL, {"from": stranger})
        return terms_id(DOCUMENT, state << 2 * COMMERCIAL)

    return make


@pytest.fixture
def build(LicensedAction, licenses, publisher, accounts):  # noqa: N803
    return lambda terms: accounts[8].deploy(LicensedAction, licenses, publisher, terms)


@pytest.fixture
def find(models, web3):
    """Id and hashed record of a release, from its event."""

    def read(identity):
        return identity, hashed_record(replay(web3, models.address).records[identity])

    return read


@pytest.fixture
def setting(terms, build, publish, find):
    """The application, and a release that it takes."""
    allowed = terms(ALLOWED)
    return build(allowed), find(publish(name="model", version="1", terms=allowed))


def test_what_it_trusts_is_told(build, licenses, publisher):
    action = build(ZERO)
    assert (action.licenses(), action.publisher(), bytes(action.terms())) == (licenses.address, publisher, ZERO)


def test_it_acts_behind_a_licensed_model(setting, stranger):
    action, record = setting
    tx = action.act(*record, {"from": stranger})
    assert tuple(tx.events["ActionTaken"].values()) == (stranger, "0x" + record[1][4][3].hex())


def test_a_strangers_claim_on_the_same_bytes_opens_nothing(setting, publish, find, stranger):
    action, record = setting
    release = record[1][4]
    claim = publish(by=stranger, name="model", version="1", artifact=release[3], terms=release[5])
    with refuses("UntrustedPublisher", stranger):
        action.act(*find(claim), {"from": stranger})


def test_nor_does_a_record_that_names_the_publisher_falsely(setting, publish, find, stranger, publisher):
    action, record = setting
    identity, values = find(publish(by=stranger, terms=record[1][4][5]))
    forged = (*values[:4], (publisher.address, *values[4][1:]))
    with refuses("RecordMismatch", identity):
        action.act(identity, forged, {"from": stranger})


def test_other_terms_are_not_accepted_whatever_they_permit(setting, terms, publish, find, stranger, licenses):
    action, _ = setting
    licenses.registerTerms(DOCUMENT, 0b010101010101, {"from": stranger})
    other = terms_id(DOCUMENT, 0b010101010101)
    with refuses("OtherTerms", other):
        action.act(*find(publish(terms=other)), {"from": stranger})


@pytest.mark.parametrize("state", [UNKNOWN, CONDITIONAL, DENIED])
def test_terms_that_do_not_allow_it_open_nothing(terms, build, publish, find, stranger, state):
    accepted = terms(state)
    with refuses("NotPermitted", state):
        build(accepted).act(*find(publish(terms=accepted)), {"from": stranger})


def test_a_grant_to_the_caller_does_and_to_nobody_else(
    terms, build, publish, find, licenses, publisher, stranger, accounts
):
    accepted = terms(DENIED)
    action, record = build(accepted), find(publish(name="model", version="1", terms=accepted))
    grant = (publisher.address, "model", "1", stranger.address, 1 << COMMERCIAL, 0, FOREVER, False)
    licenses.setGrant(grant, {"from": publisher})
    action.act(*record, {"from": stranger})
    with refuses("NotPermitted", DENIED):
        action.act(*record, {"from": accounts[5]})


def test_a_revoked_model_opens_nothing(setting, set_status, stranger):
    action, record = setting
    set_status("model", "1", 2)
    with refuses("NotPermitted", DENIED):
        action.act(*record, {"from": stranger})


def test_nor_one_of_after_the_key_was_lost(setting, freeze, stranger):
    action, record = setting
    freeze(record[1][1] - 1)
    with refuses("NotPermitted", DENIED):
        action.act(*record, {"from": stranger})
