"""Fetching from several real gateways at once, most of which misbehave: the folder comes out right, or not at all."""

import contextlib
import gzip
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from artifact_files import every_block, write_artifact
from gateways import CAR, Gateway, Misbehave, Request, running
from memory_blocks import Only

from registry.artifacts.digest import Artifact, digest_artifact
from registry.content import car, dagpb
from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.dagpb import Link, Node
from registry.content.gateway import GatewaySource
from registry.content.reader import Fetched, fetch_artifact
from registry.content.unixfs import LARGEST_BLOCK, LEAF_SIZE
from registry.errors import (
    BlockMismatch,
    BlockNotFound,
    FolderInUse,
    PathMissing,
    ProvenanceError,
    StoreUnavailable,
    UnsafeName,
)

Start = Callable[..., Gateway]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("artifact") / "artifact"
    folder.mkdir()
    (folder / "big.bin").write_bytes(os.urandom(12 * LEAF_SIZE + 7))
    return write_artifact(folder)


@pytest.fixture(scope="module")
def blocks(artifact: Artifact) -> dict[str, bytes]:
    return every_block(artifact)


@pytest.fixture
def start(blocks: dict[str, bytes]) -> Iterator[Start]:
    """Starts a gateway that has every block, unless it is given others, and that may misbehave."""
    with contextlib.ExitStack() as opened:

        def one(misbehave: Misbehave | None = None, kept: dict[str, bytes] | None = None) -> Gateway:
            return opened.enter_context(running(Gateway(blocks if kept is None else kept, misbehave)))

        yield one


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    (tmp_path / "parent").mkdir()
    return tmp_path / "parent/fetched"


def fetch(artifact: Artifact, destination: Path, *gateways: Gateway, read_seconds: float = 20.0) -> Fetched:
    with contextlib.ExitStack() as opened:
        sources = [
            opened.enter_context(GatewaySource(gateway.address, read_seconds=read_seconds)) for gateway in gateways
        ]
        fetched = fetch_artifact(sources, artifact.root, destination)
    assert digest_artifact(destination).root == artifact.root
    assert [path.name for path in destination.parent.iterdir()] == [destination.name]
    return fetched


def of_files(request: Request) -> bool:
    """Whether a leaf is asked for, or a CAR: what comes after the folders are known."""
    return request.is_car or request.cid.codec == RAW


class TestTogether:
    def test_each_has_a_part_in_it(self, artifact: Artifact, start: Start, destination: Path) -> None:
        together = threading.Barrier(2, timeout=60)
        met: set[int] = set()

        def meet(request: Request) -> bool:
            if of_files(request) and id(request.gateway) not in met:
                met.add(id(request.gateway))
                together.wait()  # neither is served before the other has been asked
            return False

        gateways = [start(meet), start(meet)]
        assert fetch(artifact, destination, *gateways).dropped == ()
        assert len(met) == 2

    def test_files_come_as_cars_and_single_leaves_raw(
        self, artifact: Artifact, start: Start, destination: Path
    ) -> None:
        gateway = start()
        fetch(artifact, destination, gateway)
        files = {str(file.cid) for file in artifact.files if file.cid.codec == DAG_PB}
        assert {cid for kind, cid in gateway.asked if kind == "car"} <= files
        assert {kind for kind, _ in gateway.asked} == {"car", "raw"}

    def test_a_slow_one_holds_nobody_up(self, artifact: Artifact, start: Start, destination: Path) -> None:
        finished = threading.Event()
        slow = start(lambda request: of_files(request) and not finished.wait(60))
        assert fetch(artifact, destination, start(), slow).dropped == ()
        assert slow.asked
        finished.set()

    @pytest.mark.parametrize("status", [400, 404, 406, 501])
    def test_one_that_gives_no_cars_gives_blocks(
        self, artifact: Artifact, start: Start, destination: Path, status: int
    ) -> None:
        gateway = start(lambda request: request.is_car and request.answer(b"no", "text/plain", status))
        assert fetch(artifact, destination, gateway).dropped == ()

    def test_one_that_answers_with_pages_gives_blocks(
        self, artifact: Artifact, start: Start, destination: Path
    ) -> None:
        gateway = start(lambda request: request.is_car and request.answer(b"<html>", "text/html"))
        assert fetch(artifact, destination, gateway).dropped == ()

    def test_one_that_ignores_ranges_gives_blocks(self, artifact: Artifact, start: Start, destination: Path) -> None:
        def whole(request: Request) -> bool:
            request.span = None
            return False

        assert fetch(artifact, destination, start(whole)).dropped == ()

    def test_each_has_another_half(
        self, artifact: Artifact, blocks: dict[str, bytes], start: Start, destination: Path
    ) -> None:
        halves = [
            {cid: block for number, (cid, block) in enumerate(blocks.items()) if number % 2 == rest or len(block) < 999}
            for rest in (0, 1)
        ]
        assert fetch(artifact, destination, *(start(kept=half) for half in halves)).dropped == ()


def without_a_leaf(request: Request) -> bool:
    return request.is_car and request.car(b for b in list(request.blocks())[:-1])


def another_block(request: Request) -> bool:
    return of_files(request) and not request.is_car and request.answer(b"another block")


def a_wrong_hash_in_a_car(request: Request) -> bool:
    return request.is_car and request.car((cid, block + b"!") for cid, block in request.blocks())


def an_unrelated_dag(request: Request) -> bool:
    return request.is_car and request.car(iter([(Cid.of(RAW, b"unrelated"), b"unrelated")]))


def an_identity_cid(request: Request) -> bool:
    if not request.is_car:
        return False
    identity = bytes((1, DAG_PB, 0, 34)) + bytes(34)
    return request.answer(car.header(request.cid) + bytes((len(identity),)) + identity, CAR)


def a_block_that_is_too_large(request: Request) -> bool:
    if not request.is_car:
        return False
    block = bytes(LARGEST_BLOCK + 1)
    return request.answer(car.header(request.cid) + car.section(Cid.of(RAW, block), block), CAR)


def nodes_without_end(request: Request) -> bool:
    if not request.is_car:
        return False
    request.start(CAR, Connection="close")
    request.handler.close_connection = True
    request.handler.wfile.write(car.header(request.cid))
    for number in range(10_000_000):
        block = dagpb.encode(Node((), number.to_bytes(4, "big")))
        request.handler.wfile.write(car.section(Cid.of(DAG_PB, block), block))
    return True


def no_car(request: Request) -> bool:
    return request.is_car and request.answer(b"\xff" * 100, CAR)


def compressed(request: Request) -> bool:
    if not of_files(request):
        return False
    return request.answer(gzip.compress(b"x" * 99), CAR if request.is_car else "", Content_Encoding="gzip")


def a_block_without_end(request: Request) -> bool:
    if not of_files(request) or request.is_car:
        return False
    request.start(Connection="close")
    request.handler.close_connection = True
    for _ in range(1000):
        request.handler.wfile.write(bytes(LEAF_SIZE))
    raise AssertionError("it was read to its end")


LIES = [
    another_block,
    a_wrong_hash_in_a_car,
    an_unrelated_dag,
    an_identity_cid,
    a_block_that_is_too_large,
    nodes_without_end,
    no_car,
    compressed,
    a_block_without_end,
]


class TestLies:
    @pytest.mark.parametrize("lie", LIES)
    def test_who_lies_is_dropped_and_named(
        self, artifact: Artifact, start: Start, destination: Path, lie: Misbehave
    ) -> None:
        asked = threading.Event()

        def tell(request: Request) -> bool:
            told = True
            try:
                told = lie(request)
            finally:
                if told:
                    asked.set()
            return told

        def wait(request: Request) -> bool:
            if of_files(request):
                asked.wait(60)  # the honest one does not finish before the other was asked, and dropped:
                for worker in [thread for thread in threading.enumerate() if thread.name == "fetch-0"]:
                    worker.join(20)
            return False

        liar = start(tell)
        fetched = fetch(artifact, destination, liar, start(wait))
        assert [type(error) for error in fetched.dropped] == [BlockMismatch]
        assert liar.address in fetched.dropped[0].message and fetched.dropped[0].details["source"]

    @pytest.mark.parametrize("lie", LIES)
    def test_alone_it_is_an_error_that_names_it(
        self, artifact: Artifact, start: Start, destination: Path, lie: Misbehave
    ) -> None:
        liar = start(lie)
        with pytest.raises(BlockMismatch, match=liar.address):
            fetch(artifact, destination, liar)
        assert not destination.exists()

    def test_what_it_sent_is_told(self, artifact: Artifact, start: Start, destination: Path) -> None:
        with pytest.raises(BlockMismatch) as caught:
            fetch(artifact, destination, start(another_block))
        assert caught.value.details["sent"] == {
            "size": 13,
            "sha256": Cid.of(RAW, b"another block").digest.hex(),
        }

    def test_a_car_that_lacks_a_block_is_completed(self, artifact: Artifact, start: Start, destination: Path) -> None:
        assert fetch(artifact, destination, start(without_a_leaf)).dropped == ()

    def test_a_block_that_nobody_has(
        self, artifact: Artifact, blocks: dict[str, bytes], start: Start, destination: Path
    ) -> None:
        big = next(file for file in artifact.dag().files if file.path == "big.bin")
        kept = {cid: block for cid, block in blocks.items() if cid != str(big.leaf(7)[0])}
        with pytest.raises(BlockNotFound, match=str(big.leaf(7)[0])):
            fetch(artifact, destination, start(kept=kept), start(kept=kept))


class TestFailures:
    def test_one_that_is_dead_is_passed_over(
        self, artifact: Artifact, start: Start, destination: Path, unused_port: int
    ) -> None:
        dead = Gateway({})
        dead.address = f"http://127.0.0.1:{unused_port}"
        fetched = fetch(artifact, destination, dead, start())
        assert [type(error) for error in fetched.dropped] == [StoreUnavailable]
        assert dead.address in fetched.dropped[0].message

    @pytest.mark.parametrize("begun", [False, True])
    def test_one_that_stalls_is_given_up(
        self, artifact: Artifact, start: Start, destination: Path, begun: bool
    ) -> None:
        def stall(request: Request) -> bool:
            if of_files(request) and begun:
                request.start(CAR if request.is_car else "", Content_Length="1000000")
                request.handler.wfile.write(b"x")
                request.handler.wfile.flush()
            if of_files(request):
                time.sleep(30)
            return of_files(request)

        gateway = start(stall)
        with pytest.raises(StoreUnavailable, match="in time"):
            fetch(artifact, destination, gateway, read_seconds=0.3)

    def test_one_that_trickles_is_given_up(self, artifact: Artifact, start: Start) -> None:
        def trickle(request: Request) -> bool:
            request.start(Content_Length="1000000")
            for _ in range(1000):
                request.handler.wfile.write(b"x")
                time.sleep(0.02)
            return True

        gateway = start(trickle)
        with (
            GatewaySource(gateway.address, block_seconds=0.3) as source,
            pytest.raises(StoreUnavailable, match="too slow"),
        ):
            source.get_block(artifact.root)

    def test_a_source_that_says_nothing_at_all_is_dropped(
        self, artifact: Artifact, blocks: dict[str, bytes], destination: Path
    ) -> None:
        ended = threading.Event()

        class Silent:
            name = "the silent one"

            def get_block(self, cid: Cid) -> bytes:
                if cid.codec == RAW:
                    ended.wait(60)
                return blocks[str(cid)]

        try:
            with pytest.raises(StoreUnavailable, match="the silent one gave nothing"):
                fetch_artifact([Silent()], artifact.root, destination, stall_seconds=0.5)
        finally:
            ended.set()

    @pytest.mark.parametrize("of_cars", [False, True])
    def test_one_that_breaks_off(self, artifact: Artifact, start: Start, destination: Path, of_cars: bool) -> None:
        def break_off(request: Request) -> bool:
            if not of_files(request) or request.is_car != of_cars:
                return False
            request.start(CAR if of_cars else "", Content_Length="9000000")
            request.handler.wfile.write(car.header(request.cid))
            request.handler.close_connection = True
            return True

        gateway = start(break_off)
        if of_cars:
            assert fetch(artifact, destination, gateway).dropped == ()  # block by block it has all
        else:
            with pytest.raises(StoreUnavailable, match="no end"):
                fetch(artifact, destination, gateway)

    def test_one_that_redirects_for_ever(self, artifact: Artifact, start: Start, destination: Path) -> None:
        def again(request: Request) -> bool:
            return of_files(request) and request.answer(b"", status=302, Location=request.handler.path)

        gateway = start(again)
        with pytest.raises(StoreUnavailable, match="redirects without end"):
            fetch(artifact, destination, gateway)
        assert len(gateway.asked) < 60

    def test_one_that_redirects_elsewhere_asks_nobody_there(
        self, artifact: Artifact, start: Start, destination: Path
    ) -> None:
        other = start()
        gateway = start(
            lambda request: (
                of_files(request) and request.answer(b"", status=302, Location=other.address + request.handler.path)
            )
        )
        with pytest.raises(StoreUnavailable, match="another host"):
            fetch(artifact, destination, gateway)
        assert not other.asked


class TestSubset:
    def test_only_the_blocks_that_are_needed_are_asked_for(
        self, artifact: Artifact, start: Start, destination: Path
    ) -> None:
        gateway = start()
        with GatewaySource(gateway.address) as source:
            fetched = fetch_artifact([source], artifact.root, destination, selection=Only("config.json"))
        assert fetched.subset and fetched.files == 1
        assert [path.name for path in destination.iterdir()] == ["config.json"]
        leaf = next(file.cid for file in artifact.files if file.path == "config.json")
        assert gateway.asked == [("raw", str(artifact.root)), ("raw", str(leaf))]

    def test_a_large_file_in_a_folder(self, artifact: Artifact, start: Start, destination: Path) -> None:
        with GatewaySource(start().address) as source:
            fetch_artifact([source], artifact.root, destination, selection=Only("a/b/copy.bin", "nothing"))
        found = {str(path.relative_to(destination)) for path in destination.rglob("*") if path.is_file()}
        assert found == {"a/b/copy.bin", "nothing"}
        original = next(file for file in artifact.dag().files if file.path == "model.bin").source
        assert (destination / "a/b/copy.bin").read_bytes() == original.read_bytes()

    def test_nothing_of_that_name(self, artifact: Artifact, start: Start, destination: Path) -> None:
        with GatewaySource(start().address) as source, pytest.raises(PathMissing, match="No file"):
            fetch_artifact([source], artifact.root, destination, selection=Only("nowhere"))

    def test_names_that_escape_are_refused_beside_what_is_wanted(self, start: Start, destination: Path) -> None:
        leaf = Cid.of(RAW, b"{}")
        root = dagpb.encode(Node((Link(leaf, "../x", 2), Link(leaf, "config.json", 2)), b"\x08\x01"))
        gateway = start(kept={str(leaf): b"{}", str(Cid.of(DAG_PB, root)): root})
        with GatewaySource(gateway.address) as source, pytest.raises(UnsafeName):
            fetch_artifact([source], Cid.of(DAG_PB, root), destination, selection=Only("config.json"))


class TestResume:
    def test_it_goes_on_where_it_was(self, artifact: Artifact, start: Start, destination: Path) -> None:
        served = 0

        def die(request: Request) -> bool:
            nonlocal served
            served += of_files(request)
            return served > 3 and request.answer(b"", status=500)

        with pytest.raises(StoreUnavailable):
            fetch(artifact, destination, start(die))
        again = start()
        kept = fetch(artifact, destination, again).kept
        assert 0 < kept < artifact.size
        raw = {cid for kind, cid in again.asked if kind == "raw" and Cid.parse(cid).codec == RAW}
        assert len(raw) < sum(len(file.leaves) // 32 for file in artifact.dag().files)

    def test_what_was_changed_meanwhile_is_fetched_again(
        self, artifact: Artifact, blocks: dict[str, bytes], start: Start, destination: Path
    ) -> None:
        last = next(file for file in artifact.dag().files if file.path == "big.bin").leaf(12)[0]
        kept = {cid: block for cid, block in blocks.items() if cid != str(last)}
        with pytest.raises(BlockNotFound):
            fetch(artifact, destination, start(kept=kept))
        (partial,) = destination.parent.iterdir()
        tree = partial / "tree"
        with (tree / "model.bin").open("r+b") as stream:
            stream.seek(LEAF_SIZE + 5)
            stream.write(b"changed")
        with (tree / "config.json").open("ab") as stream:
            stream.write(b"more")
        (tree / "stranger").write_bytes(b"x")
        (tree / "folder/of/strangers").mkdir(parents=True)
        (tree / "leaf").unlink(missing_ok=True)
        (tree / "leaf").symlink_to("/etc/passwd")
        assert fetch(artifact, destination, start()).kept > 0

    def test_another_process_is_not_disturbed(self, artifact: Artifact, start: Start, destination: Path) -> None:
        asked, go_on = threading.Event(), threading.Event()

        def wait(request: Request) -> bool:
            if of_files(request):
                asked.set()
                go_on.wait(60)
            return False

        slow, quick = start(wait), start()
        errors: list[ProvenanceError] = []

        def first() -> None:
            try:
                fetch(artifact, destination, slow)
            except ProvenanceError as error:
                errors.append(error)

        thread = threading.Thread(target=first)
        thread.start()
        assert asked.wait(60)
        with GatewaySource(quick.address) as source, pytest.raises(FolderInUse, match="Another fetch"):
            fetch_artifact([source], artifact.root, destination)
        go_on.set()
        thread.join()
        assert not errors and digest_artifact(destination).root == artifact.root

    def test_killed_at_any_time_the_same_call_finishes(
        self, artifact: Artifact, start: Start, destination: Path
    ) -> None:
        gateway = start()
        code = (
            "import sys; from pathlib import Path; from registry.content.cid import Cid;"
            "from registry.content.gateway import GatewaySource; from registry.content.reader import fetch_artifact;"
            "fetch_artifact([GatewaySource(sys.argv[1])], Cid.parse(sys.argv[2]), Path(sys.argv[3]))"
        )
        for after in (1, 3, 6, 9, 12):
            count = len(gateway.asked)
            command = [sys.executable, "-c", code, gateway.address, str(artifact.root), str(destination)]
            process = subprocess.Popen(command)
            while len(gateway.asked) < count + after and process.poll() is None:
                time.sleep(0.001)
            process.kill()
            process.wait()
        if destination.exists():  # the last one was quicker than its end
            assert digest_artifact(destination).root == artifact.root
        else:
            fetch(artifact, destination, gateway)
