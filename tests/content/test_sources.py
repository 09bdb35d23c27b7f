"""Several sources as one: a block from whoever gives it, and nobody is waited for while another has it."""

import threading
import time
from pathlib import Path

import pytest
from artifact_files import every_block, write_artifact

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.embedded import EmbeddedStore
from registry.content.kubo import KuboStore
from registry.content.reader import fetch_artifact
from registry.content.several import SeveralStores
from registry.content.sources import Sources, each_source
from registry.errors import BlockMismatch, BlockNotFound, BlockNotInTime, StoreUnavailable


class Source:
    """Blocks in memory behind a wait, with a count of how many are asked for at once."""

    def __init__(self, blocks: dict[str, bytes], name: str, seconds: float = 0.0) -> None:
        self.blocks = blocks
        self.name = name
        self.seconds = seconds
        self.asked: list[Cid] = []
        self.released = threading.Event()
        self.most = self._at_once = 0
        self._lock = threading.Lock()

    def get_block(self, cid: Cid) -> bytes:
        with self._lock:
            self.asked.append(cid)
            self._at_once += 1
            self.most = max(self.most, self._at_once)
        self.released.wait(self.seconds)
        with self._lock:
            self._at_once -= 1
        if str(cid) not in self.blocks:
            raise BlockNotFound(f"{self.name} does not hold {cid}.")
        return self.blocks[str(cid)]


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    folder = tmp_path / "artifact"
    for number in range(24):
        (folder / f"folder-{number}").mkdir(parents=True)
        (folder / f"folder-{number}" / "file").write_bytes(b"%d" % number)
    return write_artifact(folder)


@pytest.fixture
def blocks(artifact: Artifact) -> dict[str, bytes]:
    return every_block(artifact)


def test_a_slow_source_is_not_waited_for_in_the_walk(
    artifact: Artifact, blocks: dict[str, bytes], tmp_path: Path
) -> None:
    slow, fast = Source(blocks, "slow", 60), Source(blocks, "fast")
    fetched = fetch_artifact([slow, fast], artifact.root, tmp_path / "out")
    slow.released.set()
    assert digest_artifact(tmp_path / "out").root == artifact.root
    assert fetched.dropped == ()  # slow is no fault
    nodes = [cid for cid in fast.asked if cid.codec == DAG_PB]
    assert len(nodes) > 24
    assert len([cid for cid in slow.asked if cid.codec == DAG_PB]) < 3


def test_several_share_a_walk_and_each_is_asked_for_several_nodes_at_once(
    artifact: Artifact, blocks: dict[str, bytes], tmp_path: Path
) -> None:
    both = [Source(blocks, "one", 0.02), Source(blocks, "other", 0.02)]
    fetch_artifact(both, artifact.root, tmp_path / "out")
    for source in both:
        assert len([cid for cid in source.asked if cid.codec == DAG_PB]) > 4
        assert source.most > 1


def test_a_node_that_hangs_does_not_hold_up_the_store_beside_it(
    artifact: Artifact, tmp_path: Path, hanging: str
) -> None:
    store = EmbeddedStore(tmp_path / "store")
    store.put_dag(artifact.dag())
    both = SeveralStores([KuboStore(hanging), store])
    assert [one.name for one in each_source(both)] == [one.name for one in both.stores]
    ended = threading.Event()

    def fetch() -> None:
        fetch_artifact([both], artifact.root, tmp_path / "out")
        for cid in artifact.nodes:
            both.get_block(cid)
        ended.set()

    threading.Thread(target=fetch, daemon=True).start()
    assert ended.wait(60)  # each block alone would take 30
    assert digest_artifact(tmp_path / "out").root == artifact.root


def test_blocks_come_in_order_and_an_error_in_its_turn(blocks: dict[str, bytes]) -> None:
    held = [Cid.parse(text) for text in blocks]
    lacked = Cid.of(RAW, b"nobody has this")
    sources = Sources([Source(blocks, "one", 0.01), Source(blocks, "other", 0.01)])
    got = sources.get_blocks([*held, lacked, *held])
    assert [next(got) for _ in held] == list(blocks.values())
    with pytest.raises(BlockNotFound, match="one and other do not hold"):
        next(got)


def test_what_failed_is_asked_again_after_a_while(blocks: dict[str, bytes]) -> None:
    class Failing(Source):
        down = True

        def get_block(self, cid: Cid) -> bytes:
            if self.down:
                raise StoreUnavailable("it is down")
            return super().get_block(cid)

    one = Failing(blocks, "one")
    cid = Cid.parse(next(iter(blocks)))
    for_good, for_a_while = Sources([one]), Sources([one], again_after=0.1)
    for sources in (for_good, for_a_while):
        with pytest.raises(StoreUnavailable, match="it is down"):
            sources.get_block(cid)
    one.down = False
    with pytest.raises(StoreUnavailable, match="it is down"):
        for_good.get_block(cid)
    time.sleep(0.2)
    assert for_a_while.get_block(cid) == blocks[str(cid)]
    assert for_a_while.dropped == ()


def test_what_one_cannot_find_in_time_is_no_reason_not_to_ask_it_for_another(blocks: dict[str, bytes]) -> None:
    class Searching(Source):
        def get_block(self, cid: Cid) -> bytes:
            try:
                return super().get_block(cid)
            except BlockNotFound as error:
                raise BlockNotInTime("it did not find it in time") from error

    sources = Sources([Searching(blocks, "one"), Source({}, "other")])
    with pytest.raises(BlockNotInTime) as raised:
        sources.get_block(Cid.of(RAW, b"nobody has this"))
    assert not raised.value.unasked
    cid = Cid.parse(next(iter(blocks)))
    assert sources.get_block(cid) == blocks[str(cid)]
    assert sources.dropped == ()


def test_an_error_says_whether_a_source_was_left_out(blocks: dict[str, bytes]) -> None:
    class Down(Source):
        def get_block(self, cid: Cid) -> bytes:
            self.asked.append(cid)
            raise StoreUnavailable("it is down")

    down = Down({}, "down")
    sources = Sources([down, Source(blocks, "other")])
    lacked = Cid.of(RAW, b"nobody has this")
    for unasked in (False, True):
        with pytest.raises(StoreUnavailable, match="it is down") as raised:
            sources.get_block(lacked)
        assert raised.value.unasked is unasked
    assert down.asked == [lacked]


def test_a_lie_that_comes_late_is_told(blocks: dict[str, bytes]) -> None:
    class Lying(Source):
        def get_block(self, cid: Cid) -> bytes:
            super().get_block(cid)
            raise BlockMismatch("the liar gave other bytes")

    liar = Lying(blocks, "the liar", 60)
    sources = Sources([liar, Source(blocks, "other")], hedge_seconds=0.05)
    cid = Cid.parse(next(iter(blocks)))
    assert sources.get_block(cid) == blocks[str(cid)]
    assert sources.dropped == ()
    liar.released.set()
    deadline = time.monotonic() + 60
    while not sources.dropped:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [source.name for source in sources.live] == ["other"]
