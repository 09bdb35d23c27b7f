"""Random histories: the contract agrees with a model of a page, and its log with a replay of its events."""

from dataclasses import dataclass, field

from brownie.exceptions import VirtualMachineError
from eth_utils import keccak
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from oracle import ZERO, release_id, replay, reservation

DAY = 24 * 3600
ACCOUNTS = st.integers(1, 3)
NAMES = st.sampled_from(["model", "other"])
VERSIONS = st.sampled_from(["1", "2"])
SALTS = st.sampled_from([ZERO, keccak(text="salt"), keccak(text="another salt")])
ARTIFACTS = st.integers(0, 2).map(lambda number: keccak(text=f"artifact {number}"))


@dataclass
class Model:
    """The contract as plain dictionaries."""

    seq: int = 0
    releases: set = field(default_factory=set)
    statuses: dict = field(default_factory=dict)
    claims: dict = field(default_factory=dict)
    reserved: dict = field(default_factory=dict)

    def reserve(self, commitment, timestamp):
        self.reserved.setdefault(commitment, timestamp)

    def publish(self, identity, publisher, artifact, parents, commitment, timestamp):
        """`commitment` is that of the salt which is given, or None."""
        since = timestamp if commitment is None else self.reserved.get(commitment, timestamp)
        if commitment is not None and not since < timestamp <= since + DAY:
            return False
        if identity in self.releases or any(parent not in self.releases for parent, _ in parents):
            return False
        self.releases.add(identity)
        if artifact not in self.claims or since < self.claims[artifact][2]:
            self.claims[artifact] = (publisher, self.seq, since)
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


def make_machine(models, accounts, web3, chain):
    class Histories(RuleBasedStateMachine):
        @initialize()
        def start(self):
            chain.revert()
            self.model = Model()

        def identity(self, account, name, version):
            return release_id(web3.eth.chain_id, models.address, accounts[account].address, name, version)

        def send(self, call, *arguments):
            """Whether the transaction went through, and the time of its block: a second after the last one."""
            timestamp = web3.eth.get_block("latest")["timestamp"] + 1
            web3.provider.make_request("evm_setNextBlockTimestamp", [timestamp])
            *values, account = arguments
            try:
                assert call(*values, {"from": accounts[account]}).timestamp == timestamp
            except VirtualMachineError:
                return False, timestamp
            return True, timestamp

        def commitment(self, account, artifact, salt):
            address = accounts[account].address
            return None if salt == ZERO else reservation(web3.eth.chain_id, models.address, address, artifact, salt)

        @rule(seconds=st.sampled_from([DAY - 3, DAY]))
        def wait(self, seconds):
            timestamp = web3.eth.get_block("latest")["timestamp"] + seconds
            web3.provider.make_request("evm_setNextBlockTimestamp", [timestamp])
            web3.provider.make_request("evm_mine", [])

        @rule(account=ACCOUNTS, artifact=ARTIFACTS, salt=SALTS.filter(any))
        def reserve(self, account, artifact, salt):
            commitment = self.commitment(account, artifact, salt)
            self.model.reserve(commitment, self.send(models.reserve, commitment, account)[1])

        @rule(account=ACCOUNTS, name=NAMES, version=VERSIONS, artifact=ARTIFACTS, salt=SALTS, data=st.data())
        def publish(self, account, name, version, artifact, salt, data):
            known = sorted(self.model.releases)
            choices = [*known[:3], keccak(text="nothing")]
            parents = sorted(data.draw(st.sets(st.tuples(st.sampled_from(choices), st.integers(1, 10)), max_size=2)))
            address = accounts[account].address
            values = (address, name, version, artifact, keccak(text="manifest"), ZERO, ZERO, parents)
            done, timestamp = self.send(models.publish, values, salt, account)
            identity, commitment = self.identity(account, name, version), self.commitment(account, artifact, salt)
            assert done == self.model.publish(identity, address, artifact, parents, commitment, timestamp)

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
            done, timestamp = self.send(models.setStatus, values, account)
            successor_id = successor and self.identity(account, *successor)
            identity = self.identity(account, name, version)
            assert done == self.model.set_status(identity, status, reason, successor_id, timestamp)

        @invariant()
        def counts(self):
            assert models.size() == (self.model.seq if hasattr(self, "model") else 0)

        def teardown(self):
            if not hasattr(self, "model"):
                return
            replayed = replay(web3, models.address)
            assert replayed.size == self.model.seq
            assert bytes(models.head()) == replayed.head
            assert set(replayed.record_hashes) == self.model.releases
            for identity, record_hash in replayed.record_hashes.items():
                assert bytes(models.recordHashOf(identity)) == record_hash
                assert tuple(models.statusOf(identity)) == self.model.statuses.get(identity, (0, 0, 0, 0))
            for artifact, claim in self.model.claims.items():
                assert tuple(models.firstClaim(artifact)) == claim

    return Histories


def test_any_history(models, accounts, web3, chain):
    chain.snapshot()
    run_state_machine_as_test(
        make_machine(models, accounts, web3, chain),
        settings=settings(
            max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
