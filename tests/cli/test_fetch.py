"""`provenance fetch`: several sources at once, parts of an artifact, and who was dropped on the way."""

import hashlib
import json
from pathlib import Path

import pytest
from artifact_files import every_block, write_artifact
from gateways import Gateway, running

from registry.artifacts.digest import digest_artifact
from registry.content.cid import RAW
from registry.content.embedded import EmbeddedStore
from registry.content.unixfs import document_shape
from tests.cli.conftest import Offline, Provenance


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVENANCE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PROVENANCE_STORE", str(tmp_path / "store"))


def test_a_part_of_an_artifact_says_so(provenance: Provenance, tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path / "artifact")
    EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
    done = provenance("fetch", str(artifact.root), str(tmp_path / "part"), "--files", "*.json", "--files", "a/**")
    assert done.code == 0 and "a subset of" in done.out and "2 files" in done.out
    found = {str(path.relative_to(tmp_path / "part")) for path in (tmp_path / "part").rglob("*") if path.is_file()}
    assert found == {"config.json", "a/b/copy.bin"}
    again = provenance("fetch", str(artifact.root), str(tmp_path / "one"), "--files", "config.json", "--json").json
    assert (again["subset"], again["files"], again["size"]) == (True, 1, 2)


def test_a_pattern_that_is_none_and_one_that_finds_nothing(provenance: Provenance, tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path / "artifact")
    EmbeddedStore(tmp_path / "store").put_dag(artifact.dag())
    for pattern, code in (("../x", "input.query"), ("[a]", "input.query"), ("nowhere", "artifact.path-missing")):
        done = provenance("fetch", str(artifact.root), str(tmp_path / "part"), "--files", pattern)
        assert done.code == 2 and code in done.err, done
        assert not (tmp_path / "part").exists()


def test_who_lied_is_named(provenance: Provenance, tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path / "artifact")
    blocks = every_block(artifact)
    honest = Gateway(blocks)
    liar = Gateway(blocks, lambda request: not request.is_car and request.answer(b"another block"))
    with running(honest), running(liar):
        gateways = f"{liar.address},{honest.address}"
        done = provenance("fetch", str(artifact.root), str(tmp_path / "back"), "--gateways", gateways, "--json")
    assert done.code == 0, done
    assert digest_artifact(tmp_path / "back").root == artifact.root
    (dropped,) = done.json["dropped"]
    assert dropped["code"] == "content.block-mismatch" and liar.address in dropped["message"]
    assert dropped["details"]["sent"]["size"] == len(b"another block")


def test_what_was_there_from_before_is_said(provenance: Provenance, tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path / "artifact")
    blocks = every_block(artifact)
    last = next(file for file in artifact.dag().files if file.path == "model.bin").leaf(3)[0]
    with running(Gateway({cid: block for cid, block in blocks.items() if cid != str(last)})) as lacking:
        done = provenance("fetch", str(artifact.root), str(tmp_path / "back"), "--gateways", lacking.address)
        assert done.code == 2 and "content.not-found" in done.err and str(last) in done.err
    with running(Gateway(blocks)) as whole:
        done = provenance("fetch", str(artifact.root), str(tmp_path / "back"), "--gateways", whole.address)
        assert done.code == 0 and "were there from before" in done.out
        assert {cid for kind, cid in whole.asked if kind == "raw" and blocks[cid] and last.codec == RAW} >= {str(last)}


def test_a_document_is_a_file_by_its_cid_or_its_sha256(provenance: Provenance, tmp_path: Path) -> None:
    data = b'{"finding": 1}\n'
    cid = EmbeddedStore(tmp_path / "store").put_document(data)
    by_cid = provenance("fetch", str(cid), str(tmp_path / "one.json"))
    assert by_cid.code == 0 and "it was hashed" in by_cid.out and (tmp_path / "one.json").read_bytes() == data
    digest = f"sha256:{cid.digest.hex()}"
    told = provenance("fetch", digest, str(tmp_path / "two.json"), "--json").json
    assert told == {"cid": str(cid), "destination": str(tmp_path / "two.json"), "size": len(data)}
    assert (tmp_path / "two.json").read_bytes() == data
    again = provenance("fetch", digest, str(tmp_path / "two.json"))
    assert again.code == 2 and "content.destination-not-empty" in again.err
    part = provenance("fetch", digest, str(tmp_path / "three.json"), "--files", "*")
    assert part.code == 2 and "is one document" in part.err


def test_a_document_from_a_gateway_that_lies_is_not_written(provenance: Provenance, tmp_path: Path) -> None:
    data = b"what is stated"
    cid = document_shape(data).cid
    liar, honest = Gateway({str(cid): b"what is not"}), Gateway({str(cid): data})
    with running(liar):
        done = provenance("fetch", str(cid), str(tmp_path / "file"), "--gateways", liar.address)
        assert done.code == 2 and "content.block-mismatch" in done.err and liar.address in done.err
        assert not (tmp_path / "file").exists()
    with running(honest):
        done = provenance("fetch", str(cid), str(tmp_path / "file"), "--gateways", honest.address)
    assert done.code == 0 and (tmp_path / "file").read_bytes() == data


@pytest.mark.parametrize("size", [(1 << 20) + 1, 5 << 20])
def test_a_document_of_several_blocks_is_assembled(provenance: Provenance, tmp_path: Path, size: int) -> None:
    data = hashlib.shake_256(b"d").digest(size)
    cid = EmbeddedStore(tmp_path / "store").put_document(data)
    told = provenance("fetch", str(cid), str(tmp_path / "file"), "--json").json
    assert told == {"cid": str(cid), "destination": str(tmp_path / "file"), "size": size}
    assert (tmp_path / "file").read_bytes() == data
    part = provenance("fetch", str(cid), str(tmp_path / "part"), "--files", "*")
    assert part.code == 2 and "is one document" in part.err


def test_a_document_of_several_blocks_appears_whole_or_not(provenance: Provenance, tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "elsewhere")
    data = bytes(range(256)) * (12 << 10)
    cid = store.put_document(data)
    blocks = {str(cid): store.get_block(cid)} | {
        str(document_shape(data[start : start + (1 << 20)]).cid): data[start : start + (1 << 20)]
        for start in range(0, len(data), 1 << 20)
    }
    blocks.popitem()
    with running(Gateway(blocks)) as lacking:
        done = provenance("fetch", str(cid), str(tmp_path / "file"), "--gateways", lacking.address)
    assert done.code == 2 and "content.not-found" in done.err and not (tmp_path / "file").exists()


CROISSANT = {"@context": {}, "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.0"}


def test_long_training_data_is_found_by_its_sha256(
    provenance: Provenance, offline: Offline, model: Path, tmp_path: Path
) -> None:
    data = json.dumps(CROISSANT | {"name": "d", "description": "x" * (1 << 20)}).encode()
    (tmp_path / "croissant.json").write_bytes(data)
    release = ("publish", str(model), "--name", "m", "--training-data", str(tmp_path / "croissant.json"), "--yes")
    done = provenance(*release, "--version", "1", "--json")
    assert done.code == 0, done
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert done.json["training_data"] == digest
    with offline():
        unknown = provenance("fetch", digest, str(tmp_path / "unknown"))
    assert unknown.code == 2 and "content.not-found" in unknown.err and "by its CID everywhere" in unknown.err
    told = provenance("fetch", digest, str(tmp_path / "back"), "--json").json
    assert told["cid"] == str(document_shape(data).cid) and told["size"] == len(data)
    assert (tmp_path / "back").read_bytes() == data


def test_what_is_no_address_of_bytes_is_said(provenance: Provenance, tmp_path: Path) -> None:
    done = provenance("fetch", f"terms:0x{'00' * 32}", str(tmp_path / "file"))
    assert done.code == 2 and "bafkrei" in done.err and "sha256:HEX" in done.err
