"""Verdicts over a folder as a list of files, and over one file: what is a match, and what contradicts it."""

from dataclasses import replace

import pytest
from world import (
    MALLORY,
    MODEL,
    World,
    cid_of,
    codes,
    entries,
    folder,
    listed,
    policy,
    root_of,
)

from registry.artifacts.canonical import parse_canonical
from registry.chain.identifiers import ReleaseId
from registry.errors import EmptyArtifact, MalformedRequest, NameCollision, UnsafeName
from registry.policy.evidence import (
    ArtifactSubject,
    Evidence,
    FileEntry,
    FilesSubject,
    FileSubject,
)
from registry.policy.verdict import judge


def test_a_folder_with_a_changed_file_is_unknown_and_the_file_is_named() -> None:
    world = World()
    release = world.publish()
    tampered = {**MODEL, "model.safetensors": b"Weights " * 40}
    verdict = world.judge(folder(tampered), policy())
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["match-not-accepted"])
    assert [change.path for change in verdict.match.changed] == ["model.safetensors"]
    assert verdict.to_json()["match"]["release"] == str(ReleaseId(release))
    assert world.judge(folder(tampered), policy(otherwise="refuse")).outcome == "refuse"


def test_a_clone_without_its_large_files_is_told_apart_from_tampering() -> None:
    world = World()
    world.publish()
    (weights,) = entries({"": MODEL["model.safetensors"]})
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
    text = pointer.format((weights.sha256 or b"").hex(), weights.size)
    verdict = world.judge(folder({**MODEL, "model.safetensors": text.encode()}), policy())
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["match-not-accepted", "lfs-pointer"])
    assert verdict.to_json()["reasons"][1]["file"] == "model.safetensors"


def test_a_part_is_allowed_only_to_those_who_accept_parts() -> None:
    world = World()
    world.publish()
    shard = {"model.safetensors": MODEL["model.safetensors"]}
    for subject in (listed(shard), folder(shard), listed(shard, cid=False)):
        assert world.judge(subject, policy()).outcome == "unknown"
        assert world.judge(subject, policy(accept=["exact", "subset"])).outcome == "allow"


def test_a_shared_readme_makes_no_other_folder_a_part_of_the_release() -> None:
    world = World()
    world.publish()
    evil = {"README.md": MODEL["README.md"], "model.pkl": b"evil"}
    verdict = world.judge(folder(evil), policy(accept=["exact", "subset", "superset"], extra_files=["*.txt"]))
    assert verdict.outcome == "unknown"
    assert (verdict.match.kind, verdict.match.extra) == ("changed", ("model.pkl",))


def test_extra_files_are_accepted_by_pattern_only() -> None:
    world = World()
    world.publish()
    more = folder({**MODEL, "notes/mine.txt": b"mine"})
    assert world.judge(more, policy(accept=["superset"])).outcome == "unknown"
    assert world.judge(more, policy(accept=["superset"], extra_files=["*.txt"])).outcome == "unknown"
    assert world.judge(more, policy(accept=["superset"], extra_files=["notes/*.txt"])).outcome == "allow"
    assert world.judge(more, policy(extra_files=["**"])).outcome == "unknown", "supersets are not accepted"


def test_extra_files_that_are_too_much_work_leave_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.publish()
    more = folder({**MODEL, **{f"notes/{index}.txt": b"mine" for index in range(20)}})
    trusted = policy(accept=["superset"], extra_files=["notes/*.txt"])
    assert world.judge(more, trusted).outcome == "allow"
    monkeypatch.setattr("registry.policy.matching.MAX_STEPS", 50)
    verdict = world.judge(more, trusted)
    assert verdict.outcome == "unknown" and "limit" in codes(verdict)


def test_beside_an_exact_release_only_exact_ones_count() -> None:
    world = World()
    world.publish()
    larger = world.publish(files={**MODEL, "more": b"more"})
    world.revoke(larger)
    assert world.judge(folder(MODEL), policy(accept=["subset"])).outcome == "allow"


def test_a_part_of_two_releases_is_refused_when_one_is_revoked() -> None:
    world = World()
    world.publish()
    world.revoke(world.publish(files={**MODEL, "config.json": b"2"}))
    shard = listed({"model.safetensors": MODEL["model.safetensors"]})
    assert world.judge(shard, policy(accept=["subset"])).outcome == "refuse"


def test_one_file_never_allows_anything_and_its_places_are_listed() -> None:
    world = World()
    world.publish(files={**MODEL, "copy.md": MODEL["README.md"]})
    everything = policy(accept=["exact", "subset", "superset"], extra_files=["**"])
    sha256 = entries({"": MODEL["README.md"]})[0].sha256
    for subject in (FileSubject(sha256=sha256), FileSubject(cid=cid_of(MODEL["README.md"]))):
        verdict = world.judge(subject, everything)
        assert (verdict.outcome, codes(verdict)) == ("unknown", ["file-only"])
        assert verdict.match.found_at == ("README.md", "copy.md")


def test_the_cid_of_a_file_is_no_artifact() -> None:
    large = b"x" * (1 << 20) + b"y"
    world = World()
    world.publish(files={"model.bin": large})
    verdict = world.judge(ArtifactSubject(cid_of(large)), policy())
    assert (verdict.outcome, codes(verdict), verdict.match.kind) == ("unknown", ["file-only"], "file")


def test_a_counted_claim_whose_manifest_is_missing_leaves_a_list_of_files_unknown() -> None:
    world = World()
    unread = world.releases[world.publish(manifest="unavailable", files={**MODEL, "x": b"x"})]
    part = listed({"x": b"x"})
    evidence = Evidence(world.evidence(part, None).as_of, candidates=(unread,))
    verdict = judge(part, policy(accept=["subset"]), evidence)
    assert (verdict.outcome, codes(verdict)) == ("unknown", ["manifest-unavailable"])


def test_a_list_that_is_no_folder_is_refused_with_a_sentence() -> None:
    world = World()
    readme = entries(MODEL)[0]
    digest = b"\x01" * 32
    for files, error in (
        ((), EmptyArtifact),
        ((readme, readme), MalformedRequest),
        ((readme, FileEntry("readme.md", 1, digest)), NameCollision),
        ((FileEntry("é", 1, digest), FileEntry("e\u0301", 1, digest)), NameCollision),
        ((FileEntry("a", 1, digest), FileEntry("a/b", 1, digest)), MalformedRequest),
        ((FileEntry("a/b/c", 1, digest), FileEntry("a/b", 1, digest)), MalformedRequest),
        ((FileEntry("A/x", 1, digest), FileEntry("a/y", 1, digest)), NameCollision),
        ((FileEntry("a/B/x", 1, digest), FileEntry("a/b", 1, digest)), NameCollision),
        ((FileEntry("x", 2**53, digest),), MalformedRequest),
        ((FileEntry("../x", 1, digest),), UnsafeName),
        ((FileEntry("/x", 1, digest),), UnsafeName),
        ((FileEntry("x", -1, digest),), MalformedRequest),
        ((FileEntry("x", 1),), MalformedRequest),
        ((FileEntry("x", 1, b"\x01"),), MalformedRequest),
    ):
        with pytest.raises(error):
            world.judge(FilesSubject(files), policy())


def test_a_list_without_a_root_is_named_by_its_digest_in_any_order() -> None:
    world = World()
    files = entries(MODEL)
    forwards = world.judge(FilesSubject(files), policy()).to_bytes()
    assert forwards == world.judge(FilesSubject(tuple(reversed(files))), policy()).to_bytes()
    assert parse_canonical(forwards, 1 << 20)["subject"]["id"].startswith("list:")


def test_files_that_contradict_the_root_beside_them_allow_nothing() -> None:
    """Whoever gives both has computed both from one folder; where they disagree, one of them is of something else."""
    world = World()
    world.publish()
    trusted = policy(accept=["exact", "subset", "superset"], extra_files=["**"])
    root = root_of(MODEL)
    assert world.judge(FilesSubject(entries(MODEL), root), trusted).outcome == "allow"
    for files in (
        {**MODEL, "config.json": b"other"},
        {**MODEL, "more.py": b"more"},
        {"config.json": MODEL["config.json"]},
        {"unrelated": b"unrelated"},
    ):
        verdict = world.judge(FilesSubject(entries(files), root), trusted)
        assert (verdict.outcome, codes(verdict)) == ("unknown", ["match-not-accepted"]), files


def test_a_cid_and_a_sha256_of_different_bytes_are_no_question() -> None:
    world = World()
    world.publish()
    (file,) = entries({"config.json": MODEL["config.json"]})
    with pytest.raises(MalformedRequest, match="different bytes"):
        world.judge(FilesSubject((replace(file, sha256=bytes(32)),)), policy(accept=["subset"]))


def test_a_manifest_that_declares_another_sha256_than_the_bytes_have_is_refused_where_that_was_computed() -> None:
    world = World()
    files = MODEL | {"large.bin": bytes((1 << 20) + 1)}
    world.publish(files=files)
    subject = folder(files)
    assert world.judge(subject, policy()).outcome == "allow"
    computed = tuple(replace(file, sha256=b"\x01" * 32) if file.path == "large.bin" else file for file in subject.files)
    verdict = world.judge(replace(subject, files=computed), policy())
    assert verdict.outcome == "refuse"
    (reason,) = (reason for reason in verdict.reasons if reason.code == "file-hash-mismatch")
    assert reason.file == "large.bin"
    assert "declares another SHA-256" in reason.sentence
    by_cid = tuple(replace(file, sha256=None) for file in computed)
    assert world.judge(replace(subject, files=by_cid), policy()).outcome == "allow"


def test_what_a_strangers_manifest_declares_of_the_same_bytes_refuses_nothing() -> None:
    world = World()
    world.publish()
    world.publish(MALLORY, name="other")
    lying = next(claim for claim in world.releases.values() if claim.record.release.publisher == MALLORY)
    assert lying.manifest is not None
    wrong = tuple(file.model_copy(update={"sha256": "01" * 32}) for file in lying.manifest.files)
    world.releases[lying.release_id] = replace(lying, manifest=lying.manifest._replace(files=wrong))
    assert world.judge(folder(MODEL), policy()).outcome == "allow"
    assert "file-hash-mismatch" in codes(world.judge(folder(MODEL), policy(MALLORY)))
