"""The local chain: kept on disk, and never left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from registry.chain.deploy import deploy
from registry.chain.devnode import dev_key, dev_node, dev_signer, start_dev_node
from registry.chain.model_registry import open_model_registry
from registry.chain.records import Release, Status
from registry.errors import SetupError

DIGEST = b"\7" * 32


def gone(pid: int, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def anvil_of(keeper: int) -> int:
    return int(Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()[0])


def test_blocks_and_events_are_there_again_after_a_restart(tmp_path):
    state = tmp_path / "chain" / "state.json"
    signer = dev_signer(0)
    with dev_node(state=state) as node:
        deploy(node.chain, signer)
        registry = open_model_registry(node.chain, signer=signer)
        published = registry.publish(Release(signer.address, "kept", "1", DIGEST, DIGEST))
        head, latest = registry.head(), node.chain.latest()
    with dev_node(state=state) as node:
        again = open_model_registry(node.chain, signer=signer)
        assert node.chain.latest() == latest
        assert again.head() == head
        found = again.find_record(published.release_id)
        assert found is not None
        assert (found.record, found.location) == (published.record, published.location)
        assert again.set_status("kept", "1", Status.DEPRECATED).created


def test_a_torn_state_file_falls_back_to_the_last_whole_one(tmp_path):
    state = tmp_path / "state.json"
    with dev_node(state=state) as node:
        deploy(node.chain, dev_signer(0))
    with dev_node(state=state):
        pass
    state.write_bytes(state.read_bytes()[:1000])
    with dev_node(state=state) as node:
        open_model_registry(node.chain)


def test_a_state_file_that_never_was_whole_is_named(tmp_path):
    state = tmp_path / "state.json"
    state.write_text("{")
    with pytest.raises(SetupError, match="Delete it"):
        start_dev_node(state=state)


def test_it_ends_with_the_process_that_started_it_also_when_that_is_killed(tmp_path):
    state = tmp_path / "state.json"
    script = textwrap.dedent(f"""
        import pathlib, time
        from registry.chain.devnode import start_dev_node
        node = start_dev_node(state=pathlib.Path({str(state)!r}))
        print(node.pid, flush=True)
        time.sleep(600)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        keeper = int(owner.stdout.readline())
        anvil = anvil_of(keeper)
        owner.send_signal(signal.SIGKILL)
        assert gone(keeper)
        assert gone(anvil)
    assert state.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_it_ends_when_its_keeper_is_killed():
    node = start_dev_node()
    anvil = anvil_of(node.pid)
    os.kill(node.pid, signal.SIGKILL)
    node.stop()
    assert gone(anvil)


def test_another_chain_id_may_be_chosen():
    with dev_node(chain_id=1234) as node:
        assert node.chain.chain_id == 1234
        assert node.running
    assert not node.running


def test_a_port_in_use_is_named(shared_node):
    port = int(shared_node.url.rsplit(":", 1)[1])
    with pytest.raises(SetupError, match=f"Port {port} "):
        start_dev_node(port=port)


def test_dev_accounts_are_those_of_the_test_mnemonic():
    assert dev_signer(0).address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert dev_key(0) == "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
