"""Random histories: the contract agrees with a model of a page, and its log with a replay of its events."""

from dataclasses import dataclass, field

from brownie.exceptions import VirtualMachineError
from eth_utils import keccak
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from oracle import ZERO, release_id, replay

ACCOUNTS = st.integers(1, 3)
NAMES = st.sampled_from(["model", "other"])
VERSIONS = st.sampled_from(["1", "2"])
ARTIFACTS = st.integers(0, 2).map(lambda number: keccak(text=f"artifact {number}"))


@dataclass
class Model:
    """The registry as plain dictionaries."""

    seq: int = 0
    releases: set = field(default_factory=set)
    statuses: dict = field(default_factory=dict)
    claims: dict = field(default_factory=dict)

    def publish(self, identity, publisher, artifact, parents, timestamp):
        if identity in self.releases or any(parent not in self.releases for parent, _ in parents):
            return False
        self.releases.add(identity)
        self.claims.setdefault(artifact, (publisher, self.seq, timestamp))
        self.seq += 1
        return True

    def set_status(self, identity, status, reason, successor, timestamp):
        current = self.statuses.get(identity, (0, 0, 0, 0))[0]
        if identity not in self.releases or current in (2, status):
            return False
        if successor and (status == 0 or successor == identity or successor not in self.releases):
            return False
        self.statuses[identity] = (status, reason, self.seq, timestamp)
        self.seq += 1
        return True


def make_machine(registry, accounts, web3, chain):
    class Histories(RuleBasedStateMachine):
        @initialize()
        def start(self):
            chain.revert()
            self.model = Model()

        def identity(self, account, name, version):
            return release_id(web3.eth.chain_id, registry.address, accounts[account].address, name, version)

        def send(self, call, values, account):
            """Whether the transaction went through, and the time of its block or of the one that it would be in."""
            try:
                return True, call(values, {"from": accounts[account]}).timestamp
            except VirtualMachineError:
                return False, 0

        @rule(account=ACCOUNTS, name=NAMES, version=VERSIONS, artifact=ARTIFACTS, data=st.data())
        def publish(self, account, name, version, artifact, data):
            known = sorted(self.model.releases)
            choices = [*known[:3], keccak(text="nothing")]
            parents = sorted(data.draw(st.sets(st.tuples(st.sampled_from(choices), st.integers(1, 10)), max_size=2)))
            address = accounts[account].address
            values = (address, name, version, artifact, keccak(text="manifest"), ZERO, ZERO, parents)
            done, timestamp = self.send(registry.publish, values, account)
            assert done == self.model.publish(
                self.identity(account, name, version), address, artifact, parents, timestamp
            )

        @rule(
            account=ACCOUNTS,
            name=NAMES,
            version=VERSIONS,
            status=st.integers(0, 2),
            reason=st.integers(0, 8),
            successor=st.none() | st.tuples(NAMES, VERSIONS),
        )
        def set_status(self, account, name, version, status, reason, successor):
            address = accounts[account].address
            values = (address, name, version, status, reason, ZERO, *(successor or ("", "")))
            done, timestamp = self.send(registry.setStatus, values, account)
            successor_id = successor and self.identity(account, *successor)
            identity = self.identity(account, name, version)
            assert done == self.model.set_status(identity, status, reason, successor_id, timestamp)

        @invariant()
        def counts(self):
            assert registry.size() == (self.model.seq if hasattr(self, "model") else 0)

        def teardown(self):
            if not hasattr(self, "model"):
                return
            replayed = replay(web3, registry.address)
            assert replayed.size == self.model.seq
            assert bytes(registry.head()) == replayed.head
            assert set(replayed.record_hashes) == self.model.releases
            for identity, record_hash in replayed.record_hashes.items():
                assert bytes(registry.recordHashOf(identity)) == record_hash
                assert tuple(registry.statusOf(identity)) == self.model.statuses.get(identity, (0, 0, 0, 0))
            for artifact, claim in self.model.claims.items():
                assert tuple(registry.firstClaim(artifact)) == claim

    return Histories


def test_any_history(registry, accounts, web3, chain):
    chain.snapshot()
    run_state_machine_as_test(
        make_machine(registry, accounts, web3, chain),
        settings=settings(
            max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
