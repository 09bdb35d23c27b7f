"""Fixtures of the contract tests: registries that hold nothing, and every test on a chain as it was before it."""

import gc
import json
from itertools import count
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils import keccak
from oracle import FOREVER, ZERO, typed_data

# Brownie asks for a transaction, then for its sender's nonce: mined in between, it is taken for one that was dropped.
LOST_BY_BROWNIE = "Tx dropped without known replacement"
ONLY_LOST = 75  # EX_TEMPFAIL of sysexits.h


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """An exit code of its own where only Brownie's race broke tests: they are run again."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    failed = reporter.stats.get("failed", []) + reporter.stats.get("error", [])
    if failed and all(LOST_BY_BROWNIE in str(report.longrepr) for report in failed):
        session.exitstatus = ONLY_LOST


ROOT = Path(__file__).resolve().parent.parent.parent
MNEMONIC = "test test test test test test test test test test test junk"
PUBLISH, STATUS, GRANT, STATEMENT = 1, 2, 4, 8


@pytest.fixture(scope="module")
def publishers(module_isolation, PublisherRegistry, accounts):  # noqa: N803 - Brownie names fixtures after contracts
    return accounts[9].deploy(PublisherRegistry)


@pytest.fixture(scope="module")
def models(publishers, ModelRegistry, accounts):  # noqa: N803
    return accounts[9].deploy(ModelRegistry, publishers)


@pytest.fixture(scope="module")
def licenses(models, LicenseRegistry, accounts):  # noqa: N803
    return accounts[9].deploy(LicenseRegistry, models)


@pytest.fixture(scope="module")
def statements(publishers, StatementRegistry, accounts):  # noqa: N803
    return accounts[9].deploy(StatementRegistry, publishers)


@pytest.fixture(scope="module")
def registries(publishers, models, licenses, statements):
    """All four, by name, in the order of their deployment."""
    return {contract._name: contract for contract in (publishers, models, licenses, statements)}


@pytest.fixture(scope="session", autouse=True)
def nothing_old_to_collect():
    """Brownie collects garbage after every test: what was there before the first need not be looked at again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def isolation(fn_isolation):
    pass


@pytest.fixture
def publisher(accounts):
    return accounts[1]


@pytest.fixture
def stranger(accounts):
    return accounts[2]


@pytest.fixture
def delegate(accounts):
    """Somebody whom no test named a delegate yet: `name_delegate` does."""
    return accounts[3]


@pytest.fixture
def guardian(accounts):
    """Somebody whom no test set as guardian yet: `set_guardian` does."""
    return accounts[4]


@pytest.fixture
def name_delegate(publishers, publisher, delegate):
    """Names the delegate for some scopes, by default for ever."""

    def send(scopes, expires=FOREVER, by=publisher, to=delegate):
        return publishers.setDelegate(to, scopes, expires, {"from": by})

    return send


@pytest.fixture
def set_guardian(publishers, publisher, guardian):
    def send(who=guardian, by=publisher):
        return publishers.setGuardian(who, {"from": by})

    return send


@pytest.fixture
def freeze(publishers, publisher, now):
    """Freezes the publisher, compromised since this moment unless told otherwise."""

    def send(since=None, who=publisher, successor="0x" + "00" * 20, by=publisher):
        return publishers.freeze(who, successor, now() if since is None else since, {"from": by})

    return send


@pytest.fixture(scope="session")
def artifacts():
    """What the product ships of each contract."""
    folder = ROOT / "registry" / "chain" / "artifacts"
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


@pytest.fixture
def release(publisher):
    """Makes the tuple of a release: a full one of `publisher`, unless told otherwise."""
    numbers = count()

    def make(**changes):
        number = next(numbers)
        fields = {
            "publisher": publisher.address,
            "name": "all-minilm-l6-v2",
            "version": f"1.0.{number}",
            "artifact": keccak(text=f"artifact {number}"),
            "manifest": keccak(text=f"manifest {number}"),
            "terms": keccak(text="terms"),
            "training_data": keccak(text="training data"),
            "parents": [],
        }
        assert changes.keys() <= fields.keys()
        return tuple({**fields, **changes}.values())

    return make


@pytest.fixture
def publish(models, release, publisher):
    """Publishes a release, the sender's own unless told otherwise, and gives its id."""

    def send(by=publisher, salt=ZERO, **changes):
        values = release(**{"publisher": by.address, **changes})
        models.publish(values, salt, {"from": by})
        return bytes(models.releaseIdOf(*values[:3]))

    return send


@pytest.fixture
def set_status(models, publisher):
    """Changes the status of a release; the successor is (name, version)."""

    def send(name, version, status, reason=0, detail=ZERO, successor=("", ""), by=publisher, of=None):
        update = ((of or by).address, name, version, status, reason, detail, *successor)
        return models.setStatus(update, {"from": by})

    return send


@pytest.fixture(scope="session")
def keys():
    """The private keys of the local accounts, by address."""
    Account.enable_unaudited_hdwallet_features()
    derived = [Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}") for number in range(6)]
    return {account.address: account.key for account in derived}


@pytest.fixture
def sign(keys, web3, now):
    """Signs an action and gives the tuple `Signed`.

    `values` are what stands between actor and deadline. `by` holds the key; `actor` is who is said to have signed;
    `domain` replaces members of the domain.
    """

    def make(contract, action, *values, by, actor=None, deadline=None, domain=()):
        actor = (actor or by).address
        deadline = now() + 3600 if deadline is None else deadline
        full_domain = {
            "name": contract._name,
            "version": "1",
            "chainId": web3.eth.chain_id,
            "verifyingContract": contract.address,
        }
        message = typed_data(action, (actor, *values, deadline), {**full_domain, **dict(domain)})
        return actor, deadline, bytes(Account.sign_message(message, keys[by.address]).signature)

    return make


@pytest.fixture
def now(web3):
    """The time of the latest block."""
    return lambda: web3.eth.get_block("latest")["timestamp"]


@pytest.fixture
def at(web3):
    """Gives the next block, which the next transaction makes, this time."""
    return lambda timestamp: web3.provider.make_request("evm_setNextBlockTimestamp", [int(timestamp)])


@pytest.fixture
def warp(web3, at, now):
    """Mines an empty block at this time, at which views then look."""

    def move(timestamp):
        at(timestamp)
        web3.provider.make_request("evm_mine", [])
        assert now() == timestamp
        return timestamp

    return move


@pytest.fixture
def later(warp, now):
    """Lets seconds pass, and gives the time."""
    return lambda seconds=1: warp(now() + seconds)


@pytest.fixture
def one_block(web3):
    """Collects the transactions sent inside into one block."""

    class OneBlock:
        def __enter__(self):
            web3.provider.make_request("evm_setAutomine", [False])

        def __exit__(self, *_):
            web3.provider.make_request("evm_mine", [])
            web3.provider.make_request("evm_setAutomine", [True])

    return OneBlock()


def pytest_terminal_summary(terminalreporter):
    """What tests recorded as prices."""
    reports = [report for report in terminalreporter.stats.get("passed", []) if report.when == "call"]
    for what, gas in (price for report in reports for price in report.user_properties):
        terminalreporter.write_line(f"{what:<42}{gas:>8} gas")
