"""What is gathered for a verdict: all that can decide, whatever strangers do, and what was cut short is said."""

import dataclasses
import os

import pytest
from releases import folder, publish

from registry.artifacts.digest import Artifact
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import Parent, Reason, Relation, Release, Status
from registry.content.cid import RAW, Cid
from registry.errors import IndexUnavailable
from registry.index.evidence import Limits, gather, needed
from registry.index.queries import NotQuick, Reader
from registry.index.schema import contents
from registry.index.verify import verify
from registry.policy.evidence import ArtifactSubject, Evidence, FileEntry, FilesSubject, FileSubject
from registry.policy.policy import Policy, TrustedPublisher
from registry.policy.verdict import judge

BIG = os.urandom(1_500_000)
FILES = {"config.json": b"{}", "weights.bin": BIG, "tokenizer.json": b"[1]"}


def trusting(*clients: ModelRegistryClient) -> Policy:
    return Policy(
        publishers=tuple(
            TrustedPublisher(client.chain.chain_id, client.account) for client in clients if client.account
        )
    )


def listed(artifact: Artifact, *, by: str = "both", root: bool = False, without: str = "") -> FilesSubject:
    """The files of an artifact as a caller would list them."""
    files = tuple(
        FileEntry(
            file.path,
            file.size,
            file.sha256 if by in ("both", "sha256") else None,
            file.cid if by in ("both", "cid") else None,
        )
        for file in artifact.files
        if file.path != without
    )
    return FilesSubject(files, artifact.root if root else None)


def claim_on(client: ModelRegistryClient, artifact: Artifact, name: str, **fields) -> bytes:
    """A claim on an artifact with a manifest that is nowhere."""
    assert client.account is not None
    return client.publish(Release(client.account, name, "1", artifact.digest, os.urandom(32), **fields)).release_id


def ids(claims) -> list[bytes]:
    return [claim.release_id for claim in claims]


def test_an_index_that_has_read_nothing_says_so(reader):
    with reader.snapshot() as snapshot, pytest.raises(IndexUnavailable, match="not read any block"):
        gather(snapshot, FileSubject(sha256=bytes(32)), Policy())


def test_an_artifact_is_found_by_its_root(publisher, stranger, store, read_all, reader, tmp_path):
    ours, artifact = publish(publisher, store, folder(tmp_path / "m", FILES), "m")
    theirs, _ = publish(stranger, store, tmp_path / "m", "copy")
    publish(publisher, store, folder(tmp_path / "other", {"a": b"other"}), "other")
    read_all()
    with reader.snapshot() as snapshot:
        found = gather(snapshot, ArtifactSubject(artifact.root), trusting(publisher))
        assert (ids(found.candidates), ids(found.others), found.others_total) == ([ours], [theirs], 1)
        assert found.candidates[0].first_claim
        assert not found.others[0].first_claim
        assert (found.coverage.read, found.coverage.of) == (3, 3)
        assert found.limits_reached == ()
        nobody = gather(snapshot, ArtifactSubject(artifact.root), Policy())
        assert (ids(nobody.candidates), ids(nobody.others), nobody.others_total) == ([], [ours, theirs], 2)
        nothing = gather(snapshot, ArtifactSubject(Cid(artifact.root.codec, bytes(32))), trusting(publisher))
        assert (nothing.candidates, nothing.others, nothing.others_total) == ((), (), 0)


@pytest.mark.parametrize("by", ["both", "sha256", "cid"])
@pytest.mark.parametrize("without", ["", "weights.bin", "config.json"])
def test_a_list_of_files_finds_the_releases_that_share_any(
    publisher, stranger, store, read_all, reader, tmp_path, by, without
):
    whole, artifact = publish(publisher, store, folder(tmp_path / "m", FILES), "m")
    shard, _ = publish(publisher, store, folder(tmp_path / "s", {"weights.bin": BIG}), "shard")
    publish(publisher, store, folder(tmp_path / "n", {"a": b"nothing of it"}), "unrelated")
    theirs, _ = publish(stranger, store, folder(tmp_path / "t", {"x": b"[1]"}), "theirs")
    read_all()
    with reader.snapshot() as snapshot:
        found = gather(snapshot, listed(artifact, by=by, without=without), trusting(publisher))
    assert set(ids(found.candidates)) == ({whole} if without == "weights.bin" else {whole, shard})
    assert ids(found.others) == [theirs]


@pytest.mark.parametrize("path", list(FILES))
def test_a_file_is_found_by_either_hash(publisher, store, read_all, reader, tmp_path, path):
    ours, artifact = publish(publisher, store, folder(tmp_path / "m", FILES), "m")
    read_all()
    (file,) = [file for file in artifact.files if file.path == path]
    subjects = [FileSubject(sha256=file.sha256), FileSubject(cid=file.cid), ArtifactSubject(file.cid)]
    if file.cid.codec == RAW:
        subjects.append(FileSubject(cid=Cid(RAW, file.sha256)))
    with reader.snapshot() as snapshot:
        for subject in subjects:
            assert ids(gather(snapshot, subject, trusting(publisher)).candidates) == [ours]
            assert ids(gather(snapshot, subject, Policy()).others) == [ours]


def test_a_release_whose_files_are_not_known_yet_is_evidence_for_files_and_not_for_roots(
    publisher, stranger, store, read_all, reader, tmp_path
):
    ours, artifact = publish(publisher, store, folder(tmp_path / "m", FILES), "m")
    unread = claim_on(publisher, dataclasses.replace(artifact, root=Cid(artifact.root.codec, b"\1" * 32)), "unread")
    claim_on(stranger, dataclasses.replace(artifact, root=Cid(artifact.root.codec, b"\2" * 32)), "strange")
    read_all()
    with reader.snapshot() as snapshot:
        for subject in (listed(artifact), FileSubject(sha256=artifact.files[0].sha256)):
            found = gather(snapshot, subject, trusting(publisher))
            assert set(ids(found.candidates)) == {ours, unread}
        assert ids(gather(snapshot, ArtifactSubject(artifact.root), trusting(publisher)).candidates) == [ours]


def without_others(evidence: Evidence) -> Evidence:
    """What may decide, without the block, which strangers move by being recorded, and without the coverage."""
    return dataclasses.replace(evidence, as_of=None, others=(), others_total=None, coverage=None)


def test_strangers_cannot_crowd_out_nor_change_what_counts(publisher, stranger, store, read_all, reader, tmp_path):
    base, _ = publish(publisher, store, folder(tmp_path / "b", {"base": b"base"}), "base")
    ours, artifact = publish(
        publisher, store, folder(tmp_path / "m", FILES), "m", parents=(f"release:0x{base.hex()}=finetune",)
    )
    limits = Limits(whole=2, partial=1, others=3, counted=5, related=4)
    subjects = [ArtifactSubject(artifact.root), listed(artifact), FileSubject(sha256=artifact.files[0].sha256)]
    read_all()
    with reader.snapshot() as snapshot:
        before = [without_others(gather(snapshot, it, trusting(publisher), limits=limits)) for it in subjects]
    for index in range(8):
        if index % 2:
            publish(stranger, store, tmp_path / "m", f"copy-{index}")
        else:
            claim_on(stranger, artifact, f"copy-{index}", parents=(Parent(ours, Relation.MERGE),))
    read_all()
    with reader.snapshot() as snapshot:
        for subject, expected in zip(subjects, before, strict=True):
            found = gather(snapshot, subject, trusting(publisher), limits=limits)
            assert without_others(found) == expected
            assert len(found.others) == 3
        assert gather(snapshot, subjects[0], trusting(publisher), limits=limits).others_total is None
        assert gather(snapshot, subjects[0], trusting(publisher)).others_total == 8


def test_lineage_and_successors_are_gathered_and_bounded(publisher, stranger, store, read_all, reader, tmp_path):
    chain = []
    for index in range(5):
        parents = (f"release:0x{chain[-1].hex()}=finetune",) if chain else ()
        identifier, artifact = publish(
            publisher, store, folder(tmp_path / f"m{index}", {"n": bytes([index])}), f"m{index}", parents=parents
        )
        chain.append(identifier)
    heir, _ = publish(publisher, store, tmp_path / "m4", "heir")
    publisher.set_status("m4", "1", Status.REVOKED, Reason.SUPERSEDED, successor=("heir", "1"))
    read_all()
    with reader.snapshot() as snapshot:
        subject = ArtifactSubject(artifact.root)
        found = gather(snapshot, subject, trusting(publisher))
        assert set(ids(found.candidates)) == {chain[4], heir}
        assert set(found.related) == {*chain[:4], heir}
        assert found.candidates[0].status.successor == heir
        assert found.related[chain[0]].manifest is not None
        cut = gather(snapshot, subject, trusting(publisher), limits=Limits(related=2))
        assert cut.limits_reached == ("lineage",)
        assert len(cut.related) == 2


def test_successors_of_an_ancestor_are_not_followed_when_its_publisher_is_not_named(
    publisher, stranger, store, read_all, reader, tmp_path
):
    base, _ = publish(stranger, store, folder(tmp_path / "b", {"base": b"base"}), "base")
    publish(stranger, store, folder(tmp_path / "c", {"base": b"more"}), "next")
    stranger.set_status("base", "1", Status.DEPRECATED, successor=("next", "1"))
    ours, artifact = publish(
        publisher, store, folder(tmp_path / "m", FILES), "m", parents=(f"release:0x{base.hex()}=adapter",)
    )
    read_all()
    with reader.snapshot() as snapshot:
        found = gather(snapshot, ArtifactSubject(artifact.root), trusting(publisher))
        assert ids(found.candidates) == [ours]
        assert set(found.related) == {base}


def test_more_claims_of_one_publisher_than_are_read_is_said(publisher, stranger, store, read_all, reader, tmp_path):
    _, artifact = publish(publisher, store, folder(tmp_path / "m", FILES), "m")
    for index in range(3):
        claim_on(publisher, artifact, f"more-{index}")
    claim_on(stranger, artifact, "other")
    read_all()
    with reader.snapshot() as snapshot:
        found = gather(snapshot, ArtifactSubject(artifact.root), trusting(publisher, stranger), limits=Limits(whole=3))
        assert found.limits_reached == ("candidates",)
        assert len(found.candidates) == 4


def test_many_versions_that_share_a_small_file_hide_nothing_that_can_decide(
    publisher, store, read_all, reader, tmp_path
):
    for index in range(6):
        files = {"tokenizer.json": b"[1]", "weights.bin": bytes([index]) * 2_000}
        publish(publisher, store, folder(tmp_path / f"v{index}", files), "m", f"{index}")
    ours, artifact = publish(publisher, store, folder(tmp_path / "m", FILES), "m", "9")
    read_all()
    with reader.snapshot() as snapshot:
        limits = Limits(whole=2, partial=2)
        found = gather(snapshot, listed(artifact, without="config.json"), trusting(publisher), limits=limits)
        assert ours in ids(found.candidates)
        assert len(found.candidates) == 3
        assert found.limits_reached == ()


def test_same_index_same_evidence(publisher, stranger, store, read_all, reader, tmp_path):
    _, artifact = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license="mit")
    publish(stranger, store, tmp_path / "m", "copy")
    read_all()
    found = []
    for _ in range(2):
        with reader.snapshot() as snapshot:
            found.append(gather(snapshot, listed(artifact), trusting(publisher)))
    assert found[0] == found[1]


def test_the_documents_of_strangers_are_never_looked_at(
    publisher, stranger, store, read_all, reader, database, tmp_path
):
    """Whoever shares one small file could else have others read all that they published beside it."""
    ours, artifact = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license="mit")
    theirs, _ = publish(stranger, store, folder(tmp_path / "t", {"a": b"[1]", "b": b"[1]"}), "t", license="mit")
    read_all()
    with reader.snapshot() as snapshot:
        manifest = snapshot.release(theirs).record.release.manifest
    with database.write() as connection:
        connection.execute(contents.delete().where(contents.c.cid == Cid(RAW, manifest).to_bytes()))
    fresh = Reader(database, publisher.deployment)
    (shared,) = [file for file in artifact.files if file.path == "tokenizer.json"]
    for subject, kind, places in (
        (listed(artifact), "shared", []),
        (FileSubject(sha256=shared.sha256), "file", ["a", "b"]),
        (FileSubject(cid=shared.cid), "file", ["a", "b"]),
    ):
        verdict = verify(fresh, subject, trusting(publisher)).to_json()
        claims = {claim["release"]: claim for claim in verdict["claims"]}
        claim = claims[f"release:0x{theirs.hex()}"]
        assert (claim["match"], claim["found_at"], claim["license"]) == (kind, places, "MIT")
        assert claims[f"release:0x{ours.hex()}"]["counted"]


def test_documents_beyond_the_allowance_are_said_and_decide_nothing(publisher, store, read_all, reader, tmp_path):
    _, artifact = publish(publisher, store, folder(tmp_path / "m", FILES), "m", license="mit")
    read_all()
    with reader.snapshot() as snapshot:
        found = gather(snapshot, listed(artifact), trusting(publisher), limits=Limits(documents=10))
    assert found.limits_reached == ("documents",)
    (claim,) = found.candidates
    assert (claim.manifest, claim.manifest_state.state) == (None, "unavailable")
    assert judge(listed(artifact), trusting(publisher), found).outcome == "unknown"


def test_what_is_to_be_quick_reads_no_long_document(publisher, store, read_all, reader, tmp_path):
    many = {f"{index:04}": str(index).encode() for index in range(1_000)}
    _, artifact = publish(publisher, store, folder(tmp_path / "many", many), "many", license="mit")
    read_all()
    with pytest.raises(NotQuick):
        verify(reader, listed(artifact), trusting(publisher), quick=True)
    slowly = verify(reader, listed(artifact), trusting(publisher)).to_bytes()
    assert verify(reader, listed(artifact), trusting(publisher), quick=True).to_bytes() == slowly


def test_the_documents_that_are_needed_are_those_of_named_publishers_and_their_ancestors(
    publisher, stranger, store, read_all, reader, tmp_path
):
    base, _ = publish(stranger, store, folder(tmp_path / "b", {"base": b"base"}), "base")
    publish(stranger, store, folder(tmp_path / "c", {"base": b"more"}), "other")
    ours, _ = publish(
        publisher, store, folder(tmp_path / "m", FILES), "m", parents=(f"release:0x{base.hex()}=adapter",)
    )
    read_all()
    with reader.snapshot() as snapshot:
        assert set(needed(snapshot, trusting(publisher))) == {ours, base}
        assert needed(snapshot, Policy()) == []
