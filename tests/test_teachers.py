"""Training data that names a teacher is held against a real chain before the release is published."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from newcomers import address_of, newcomer, pass_time

from registry.artifacts.digest import digest_artifact
from registry.artifacts.training.document import TRAINING_DATA_TYPE
from registry.chain.deployment import Registries
from registry.chain.devnode import DevNode
from registry.chain.identifiers import Account, ReleaseId, TermsId
from registry.chain.license_registry import EVERYONE
from registry.chain.licenses import Grant
from registry.chain.records import ZERO, Reason, Release, Status
from registry.errors import InvalidDocument, InvalidIdentifier, ReleaseNotFound
from registry.policy.terms import Use, parse_terms, terms_id
from registry.publishing import Asked, Plan, prepare
from tests.policy.world import terms_document

DIGEST = b"\7" * 32
PERIOD = {"from": "2024-09-01", "to": "2024-09-30"}


@pytest.fixture
def teacher(node: DevNode) -> Registries:
    return newcomer(node.chain)


@pytest.fixture
def student(node: DevNode) -> Registries:
    return newcomer(node.chain)


def published(registries: Registries, name: str = "teacher", terms: bytes = ZERO) -> bytes:
    return registries.models.publish(Release(address_of(registries), name, "1", DIGEST, DIGEST, terms)).release_id


def permit(registries: Registries, grantee: str, **changes: Any) -> None:
    uses = 1 << list(Use).index(Use.TRAIN_ON_OUTPUTS)
    now = registries.models.chain.latest().timestamp
    times: dict[str, Any] = {"uses": uses, "from_": 0, "until": now + 10_000, "irrevocable": False} | changes
    registries.licenses.set_grant(
        published(registries), Grant(address_of(registries), "teacher", "1", grantee, **times)
    )


def planned(student: Registries, folder: Path, dataset: dict[str, Any]) -> Plan:
    model = folder / "model"
    model.mkdir(exist_ok=True)
    (model / "config.json").write_text("{}")
    document = folder / "training-data.json"
    dataset = {"name": "answers", "role": "outputs", "disclosure": "full"} | dataset
    document.write_text(json.dumps({"type": TRAINING_DATA_TYPE, "datasets": [dataset]}))
    asked = Asked("student", "1", training_data=document)
    artifact = digest_artifact(model)
    return prepare(artifact, asked, student.models, address_of(student), licenses=lambda: student.licenses)


def named(teacher: bytes, grantee: Account | None = None) -> dict[str, Any]:
    release = str(ReleaseId(teacher))
    return {
        "teacher": {"release": release},
        "grant": {"release": release} | ({} if grantee is None else {"grantee": str(grantee)}),
    }


def test_a_teacher_that_does_not_exist_is_refused(teacher: Registries, student: Registries, tmp_path: Path) -> None:
    missing = {"teacher": {"release": str(ReleaseId(b"\1" * 32))}}
    with pytest.raises(ReleaseNotFound, match="The teacher of “answers”, release:0x0101"):
        planned(student, tmp_path, missing)
    there = planned(student, tmp_path, {"teacher": {"release": str(ReleaseId(published(teacher)))}})
    assert there.release.training_data != bytes(32) and there.remarks == ()
    service = {"provider": "Example AI", "model": "large", "snapshot": "large-2024-08-06", "period": PERIOD}
    assert planned(student, tmp_path, {"teacher": {"service": service}}).remarks == ()


def test_a_teacher_that_a_branch_names_is_refused(student: Registries, tmp_path: Path) -> None:
    for revision, pinned in (("main", False), ("v1.0", False), ("0e9e39f", True)):
        dataset = {"teacher": {"package": f"pkg:huggingface/owner/name@{revision}"}}
        if pinned:
            assert planned(student, tmp_path, dataset).remarks == ()
            continue
        with pytest.raises(InvalidIdentifier, match=f"“{revision}” is a branch or a tag"):
            planned(student, tmp_path, dataset)


def test_a_grant_is_remarked_on_unless_it_is_in_force(teacher: Registries, student: Registries, tmp_path: Path) -> None:
    release = published(teacher)
    account = Account(student.models.chain.chain_id, address_of(student))

    def remarks(grantee: Account | None = account) -> tuple[str, ...]:
        return planned(student, tmp_path, named(release, grantee)).remarks

    assert remarks() == ("The grant that “answers” names was never given.",)
    permit(teacher, account.address)
    assert remarks() == ()
    assert remarks(None) == ("The grant that “answers” names was never given.",)  # that one would be to everyone
    permit(teacher, account.address, uses=1 << list(Use).index(Use.RUN))
    assert remarks() == ("The grant that “answers” names permits neither to distil nor to train on outputs now.",)
    permit(teacher, account.address, uses=0, until=0)
    assert remarks() == ("The grant that “answers” names was taken back.",)


def test_a_grant_to_somebody_else_or_of_a_revoked_teacher_is_remarked_on(
    teacher: Registries, student: Registries, tmp_path: Path
) -> None:
    release = published(teacher)
    other = Account(student.models.chain.chain_id, address_of(teacher))
    permit(teacher, other.address)
    (elsewhere,) = planned(student, tmp_path, named(release, other)).remarks
    assert f"is one to {other}, and permits nothing to the publisher, {address_of(student)}" in elsewhere
    permit(teacher, EVERYONE)
    assert planned(student, tmp_path, named(release)).remarks == ()
    teacher.models.set_status("teacher", "1", Status.REVOKED, Reason.LICENSING)
    (revoked,) = planned(student, tmp_path, named(release)).remarks
    assert revoked == "The teacher of “answers” was revoked, and permits nothing since."


def test_terms_that_are_named_are_held_against_the_teachers(
    teacher: Registries, student: Registries, tmp_path: Path
) -> None:
    open_, closed = terms_document("open"), terms_document("closed", train_on_outputs="denied", distil="conditional")
    ids = [terms_id(document, parse_terms(document)) for document in (open_, closed)]
    releases = [published(teacher, f"under-{place}", terms) for place, terms in enumerate(ids)]

    def remarks(release: bytes, terms: bytes) -> tuple[str, ...]:
        dataset = {"teacher": {"release": str(ReleaseId(release))}, "grant": {"terms": str(TermsId(terms))}}
        return planned(student, tmp_path, dataset).remarks

    says = "The terms that “answers” names"
    unknown = f"{says} are neither in the catalogue nor registered: what they permit is not known here."
    assert remarks(releases[0], ids[0]) == (unknown,)
    for document, terms in zip((open_, closed), ids, strict=True):
        teacher.licenses.register_terms(terms, sha256(document).digest(), parse_terms(document).packed_uses)
    assert remarks(releases[0], ids[0]) == ()
    denied = f"{says} allow neither to distil nor to train on outputs without a condition."
    assert remarks(releases[1], ids[1]) == (denied,)
    assert remarks(releases[1], ids[0]) == (f"{says} are not its teacher's, which is under {TermsId(ids[1])}.",)
    assert remarks(published(teacher), ids[0]) == (f"{says} are not its teacher's, which is under none.",)
    package = {"teacher": {"package": "pkg:pypi/name@1"}, "grant": {"terms": str(TermsId(ids[1]))}}
    assert planned(student, tmp_path, package).remarks == (denied,)


def test_a_grant_that_expired_is_remarked_on(
    node: DevNode, teacher: Registries, student: Registries, tmp_path: Path
) -> None:
    release = published(teacher)
    account = Account(node.chain.chain_id, address_of(student))
    permit(teacher, account.address)
    pass_time(node.chain, 10_001)
    remarks = planned(student, tmp_path, named(release, account)).remarks
    assert remarks == ("The grant that “answers” names has expired.",)


def test_a_grant_on_another_chain_is_refused(teacher: Registries, student: Registries, tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match="is one to eip155:5:"):
        planned(student, tmp_path, named(published(teacher), Account(5, address_of(student))))
