"""Reservations: a salt that is kept before it is sent, found again after a crash, and not counted on for too long."""

import json
import stat
from pathlib import Path

import pytest

from registry.chain.anchors import RESERVATION_PERIOD
from registry.chain.client import Receipt
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode, dev_signer
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import Release
from registry.errors import InvalidSettings, RpcUnavailable
from registry.reservations import Reservations

ME, OTHER = dev_signer(0).address, dev_signer(1).address
ARTIFACT, MANIFEST = b"\1" * 32, b"\2" * 32


class Dying(ModelRegistryClient):
    """A registry client that dies before it sends, or when it has sent and does not know it."""

    sends: bool

    def transact(self, data: bytes) -> Receipt:
        if self.sends:
            super().transact(data)
        raise RpcUnavailable("killed")


def dying(node: DevNode, registry: ModelRegistryClient, *, sends: bool) -> Dying:
    client = Dying(node.chain, registry.address, dev_signer(0))
    client.sends = sends
    return client


@pytest.fixture
def kept(publisher: ModelRegistryClient, tmp_path: Path) -> Reservations:
    return Reservations(tmp_path / "reservations", publisher.deployment)


def files(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "reservations").rglob("*") if path.is_file())


def later(node: DevNode, seconds: int) -> None:
    node.chain.rpc.request("evm_increaseTime", [seconds])
    node.chain.rpc.request("evm_mine", [])


def test_a_claim_is_reserved_once_and_its_salt_is_nobody_elses_to_read(
    publisher: ModelRegistryClient, kept: Reservations, tmp_path: Path
) -> None:
    assert kept.find(publisher, ME, ARTIFACT) is None
    one, since = kept.reserve(publisher, ME, ARTIFACT)
    assert kept.reserve(publisher, ME, ARTIFACT) == kept.find(publisher, ME, ARTIFACT) == (one, since)
    assert publisher.reserved_at(one.commitment(publisher.deployment)) == since
    (file,) = files(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.parent.name == f"31337-{publisher.address}"
    assert one.salt.hex() not in file.name
    assert json.loads(file.read_text()) == {
        "publisher": ME,
        "artifact": ARTIFACT.hex(),
        "salt": one.salt.hex(),
    }


def test_it_is_of_one_publisher_and_one_artifact_and_one_registry(
    publisher: ModelRegistryClient, kept: Reservations, tmp_path: Path
) -> None:
    mine, _ = kept.reserve(publisher, ME, ARTIFACT)
    assert kept.find(publisher, OTHER, ARTIFACT) is None
    assert kept.find(publisher, ME, MANIFEST) is None
    theirs, _ = kept.reserve(publisher, OTHER, ARTIFACT)
    assert theirs.salt != mine.salt
    elsewhere = Reservations(tmp_path / "reservations", type(publisher.deployment)(1, publisher.address))
    assert elsewhere.find(publisher, ME, ARTIFACT) is None


@pytest.mark.parametrize("sends", [False, True])
def test_killed_between_writing_the_salt_and_knowing_that_it_was_sent(
    node: DevNode, publisher: ModelRegistryClient, kept: Reservations, tmp_path: Path, sends: bool
) -> None:
    with pytest.raises(RpcUnavailable):
        kept.reserve(dying(node, publisher, sends=sends), ME, ARTIFACT)
    (written,) = files(tmp_path)
    one, since = kept.reserve(publisher, ME, ARTIFACT)
    assert since and files(tmp_path) == [written], "the rerun takes the same salt"
    later(node, 60)
    assert publisher.publish(Release(ME, "m", "1", ARTIFACT, MANIFEST), one.salt).record.since == since


def test_killed_before_publishing_the_rerun_reveals_the_same(
    node: DevNode, publisher: ModelRegistryClient, stranger: ModelRegistryClient, kept: Reservations
) -> None:
    one, since = kept.reserve(publisher, ME, ARTIFACT)
    later(node, 60)
    stranger.publish(Release(OTHER, "copy", "1", ARTIFACT, MANIFEST))
    found = kept.find(publisher, ME, ARTIFACT)
    assert found == (one, since)
    done = publisher.publish(Release(ME, "m", "1", ARTIFACT, MANIFEST), found[0].salt)
    assert done.record.since == since < done.record.timestamp
    claim = publisher.first_claim(ARTIFACT)
    assert claim is not None and (claim.publisher, claim.since) == (ME, since)


def test_near_its_end_it_is_not_counted_on_and_another_is_made(
    node: DevNode, publisher: ModelRegistryClient, kept: Reservations, tmp_path: Path
) -> None:
    one, since = kept.reserve(publisher, ME, ARTIFACT)
    later(node, RESERVATION_PERIOD - 600)
    assert kept.find(publisher, ME, ARTIFACT) == (one, since)
    later(node, 400)
    assert kept.find(publisher, ME, ARTIFACT) is None
    fresh, begins = kept.reserve(publisher, ME, ARTIFACT)
    assert fresh.salt != one.salt and begins > since and len(files(tmp_path)) == 2
    later(node, 2 * RESERVATION_PERIOD)
    assert kept.find(publisher, ME, ARTIFACT) is None


def test_of_several_the_earliest_is_revealed(publisher: ModelRegistryClient, tmp_path: Path, node: DevNode) -> None:
    first, second = (Reservations(tmp_path / name, publisher.deployment) for name in ("a", "b"))
    one, since = first.reserve(publisher, ME, ARTIFACT)
    later(node, 60)
    second.reserve(publisher, ME, ARTIFACT)
    for file in (tmp_path / "b").rglob("*.json"):
        file.rename(next((tmp_path / "a").iterdir()) / file.name)
    assert first.find(publisher, ME, ARTIFACT) == (one, since)


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "{}", "5", "[" * 100_000, "\0", '{"publisher": 5, "artifact": "", "salt": ""}'),
        json.dumps({"publisher": "me", "artifact": ARTIFACT.hex(), "salt": ARTIFACT.hex()}),
        json.dumps({"publisher": ME, "artifact": ARTIFACT.hex(), "salt": "ab"}),
        json.dumps({"publisher": ME, "artifact": ARTIFACT.hex(), "salt": "no hex"}),
    ],
)
def test_a_file_that_is_none_is_passed_over(
    registries: Registries, shared_node: DevNode, tmp_path: Path, text: str
) -> None:
    registry = ModelRegistryClient(shared_node.chain, registries.models.address, dev_signer(0))
    kept = Reservations(tmp_path / "reservations", registry.deployment)
    folder = tmp_path / "reservations" / f"31337-{registry.address}"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text(text)
    assert kept.find(registry, ME, bytes(range(32))) is None


def test_a_folder_that_cannot_be_written_is_a_sentence_before_anything_is_sent(
    publisher: ModelRegistryClient, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    before = publisher.chain.latest().number
    with pytest.raises(InvalidSettings, match="cannot be kept"):
        Reservations(tmp_path / "file", publisher.deployment).reserve(publisher, ME, ARTIFACT)
    assert publisher.chain.latest().number == before
