"""What a release and its ancestors declare of their training data, held against what the policy takes.

Only what is declared is judged, and only against: nothing here permits anything. What is not said, not read or not
known leaves the verdict undecided, or refuses where the policy asks that it be said.

Anyone may register the bytes of another's model, or a hosted one's name, and grant themselves its outputs. So the terms
of a teacher and the grants on it count only where the policy trusts its publisher to speak for teachers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from registry.artifacts.spdx import license_names
from registry.artifacts.training.document import DISCLOSURES, Dataset
from registry.artifacts.training.identity import comparable
from registry.chain.identifiers import ReleaseId
from registry.chain.records import Relation, Status
from registry.content.names import printable
from registry.policy.case import Case
from registry.policy.evidence import ClaimedRelease, DeclaredTraining
from registry.policy.lineage import USE_OF
from registry.policy.names import release_name
from registry.policy.permissions import Moment, granted, grantees_of
from registry.policy.policy import TrainingPolicy, addresses_on
from registry.policy.reasons import VerdictReason, because
from registry.policy.terms import TEACHING, Use, UseState, permits_teaching

_MOST: Final = 10
"""Data sets of one release that one code is given for."""
"""Either of these, allowed or granted, lets another learn from a model's outputs."""


@dataclass(frozen=True, slots=True)
class _About:
    """Whose verdict it is, whose data, and the way between them."""

    claim: ClaimedRelease
    release: ClaimedRelease
    path: tuple[bytes, ...]

    def because(self, code: str, dataset: str | None = None, **values: object) -> VerdictReason:
        return because(
            code,
            about=self.claim.release_id,
            asked=None,
            path=self.path,
            at_file=None,
            statement=None,
            dataset=dataset,
            release=release_name(self.release),
            **values,
        )


def training_reasons(
    claim: ClaimedRelease, ancestors: Iterable[tuple[ClaimedRelease, tuple[bytes, ...]]], case: Case
) -> list[VerdictReason]:
    """The reasons that the training data of a release and of its ancestors (each with its path) give."""
    policy = case.policy.training_data
    if policy is None:
        return []
    found: list[VerdictReason] = []
    for release, path in ((claim, ()), *ancestors):
        counts: dict[str, int] = {}
        for reason in _of_release(_About(claim, release, path), policy, case):
            counts[reason.code] = counts.get(reason.code, 0) + 1
            if counts[reason.code] <= _MOST:
                found.append(reason)
    return found


def teachers(releases: Iterable[ClaimedRelease], case: Case) -> list[ClaimedRelease]:
    """The releases that these declare to have learnt from and that speak for themselves: their documents matter."""
    policy = case.policy.training_data
    if policy is None or policy.outputs != "permitted":
        return []
    named = (one for release in releases if release.training is not None for one in release.training.teachers)
    known = (case.known[one] for one in dict.fromkeys(named) if one in case.known)
    return [teacher for teacher in known if _speaks(teacher, policy, case)]


def _of_release(about: _About, policy: TrainingPolicy, case: Case) -> Iterator[VerdictReason]:
    declared = about.release.training
    if declared is None or declared.state.state != "available":
        yield _unread(about, policy, declared)
    elif declared.croissant is not None:
        yield from _of_croissant(about, policy, *declared.croissant)
    else:
        for dataset in declared.datasets:
            yield from _of_dataset(about, dataset, policy, case)
    yield from _of_parents(about, policy, case)


def _of_parents(about: _About, policy: TrainingPolicy, case: Case) -> Iterator[VerdictReason]:
    """What the release learnt from its parents, whatever its data sets say: by the record, and by its manifest.

    Parents outside the registry declare nothing here. Without the manifest, which names them, the verdict is open.
    """
    record, manifest = about.release.record.release, about.release.manifest
    said = () if about.release.training is None else about.release.training.teachers
    for parent in record.parents:
        use = USE_OF[parent.relation]
        if use in TEACHING and parent.release_id not in said and policy.outputs != "any":
            teacher = case.known.get(parent.release_id)
            name = str(ReleaseId(parent.release_id)) if teacher is None else release_name(teacher)
            yield _outputs(about, f"{parent.relation.label}: {name}", teacher, (use,), policy, case)
    for purl, relation in () if manifest is None else manifest.external_parents:
        if USE_OF[Relation.from_label(relation)] in TEACHING and policy.outputs != "any":
            yield _outputs(about, f"{relation}: {purl}", None, TEACHING, policy, case)
        yield about.because("training-external", purl)


def _unread(about: _About, policy: TrainingPolicy, declared: DeclaredTraining | None) -> VerdictReason:
    if about.release.is_undisclosed:
        code = "training-undisclosed" if policy.disclosure is None else "training-undisclosed-refused"
        return about.because(code)
    detail = "the reason is not known." if declared is None else declared.state.detail or "the reason is not known."
    return about.because("training-unread", detail=detail)


def _of_croissant(about: _About, policy: TrainingPolicy, cid: str, url: str | None) -> Iterator[VerdictReason]:
    """A Croissant document is the description of one data set, shown in full; whose outputs it holds it cannot say."""
    for named in filter(None, (cid, url)):
        if comparable(named) in policy.refused_datasets:
            yield about.because("training-dataset-refused", named, named=named)
            return
    if policy.asks_more_than_disclosure:
        yield about.because("training-unsaid", cid)


def _of_dataset(about: _About, dataset: Dataset, policy: TrainingPolicy, case: Case) -> Iterator[VerdictReason]:
    name = printable(dataset.name)
    if policy.disclosure is not None and _level(dataset.disclosure) > _level(policy.disclosure):
        yield about.because("training-disclosure", name, is_=dataset.disclosure, least=policy.disclosure)
    if policy.pinned and (not dataset.pinned or (dataset.teacher is not None and not dataset.teacher.pinnable)):
        yield about.because("training-not-pinned", name)
    if policy.refuse_datasets:
        yield from _named(about, dataset, name, policy)
    if policy.refuse_licenses:
        if dataset.license is None:
            yield about.because("training-license-unknown", name)
        elif license_names(dataset.license) & policy.refused_license_names:
            yield about.because("training-license-refused", name, license=dataset.license)
    if policy.outputs == "any":
        return
    if dataset.role == "outputs":
        named = None if dataset.teacher is None else dataset.teacher.release
        teacher = None if named is None else case.known.get(bytes.fromhex(named.removeprefix("release:0x")))
        yield _outputs(about, name, teacher, TEACHING, policy, case)
    elif dataset.obtained == "synthetic":
        yield about.because("training-synthetic", name)


def _level(disclosure: str) -> int:
    return DISCLOSURES.index(disclosure)


def _named(about: _About, dataset: Dataset, name: str, policy: TrainingPolicy) -> Iterator[VerdictReason]:
    """Whether a data set is one of those that are refused. What it does not show of itself might be theirs.

    A commitment alone does not settle which bytes they are: one set has as many as there are keys.
    """
    croissant = None if dataset.croissant is None else str(dataset.croissant)
    said = (croissant, dataset.digest, dataset.commitment, dataset.url)
    refused = [policy.refused_datasets.get(comparable(one)) for one in said if one is not None]
    named = next((one for one in refused if one is not None), None)
    settled = {"croissant": croissant, "sha256": dataset.digest, "https": dataset.url}
    if named is not None:
        yield about.because("training-dataset-refused", name, named=named)
    elif any(settled[kind] is None for kind in policy.refused_kinds):
        yield about.because("training-dataset-unknown", name)


def _outputs(
    about: _About,
    name: str,
    teacher: ClaimedRelease | None,
    uses: tuple[Use, ...],
    policy: TrainingPolicy,
    case: Case,
) -> VerdictReason:
    """Whether a release may hold what it learnt from another model's outputs, at the end of the release's block.

    Any of the `uses` permits it; what the terms deny of the first, no other does.
    """
    if policy.outputs == "refused":
        return about.because("training-outputs-refused", name)
    if teacher is None:  # nobody here speaks for a package or a hosted service
        return about.because("training-outputs-unknown", name)
    if not _speaks(teacher, policy, case):
        return about.because("training-outputs-untrusted", name, teacher=release_name(teacher))
    permits = _permits(teacher, about.release, uses, case)
    code = "training-outputs-permitted" if permits else _otherwise(teacher, uses, about)
    return about.because(code, name, teacher=release_name(teacher))


def _speaks(teacher: ClaimedRelease, policy: TrainingPolicy, case: Case) -> bool:
    """Whether the policy takes what its publisher says of a teacher for what the teacher's publisher says."""
    if policy.teachers is None:
        return case.counts(teacher)
    return teacher.record.release.publisher in addresses_on(case.evidence.as_of.deployment, policy.teachers)


def _permits(teacher: ClaimedRelease, child: ClaimedRelease, uses: tuple[Use, ...], case: Case) -> bool:
    """Its terms or a grant in force then; a publisher needs no permission from itself. A later release permits none."""
    if teacher.block_number > child.block_number or _was_revoked(teacher, child) or case.is_compromised(teacher):
        return False
    publisher = teacher.record.release.publisher
    if child.record.release.publisher == publisher:
        return True
    if not case.is_read(publisher):
        return False
    at = Moment(child.block_number, child.record.timestamp)
    grantees = grantees_of(child.record.release.publisher)
    until = case.believed_until(publisher)
    if any(granted(case.grants(teacher), grantees, use, at, until) is not None for use in uses):
        return True
    return teacher.terms is not None and permits_teaching(teacher.terms.packed_uses, uses)


def _denies(teacher: ClaimedRelease, uses: tuple[Use, ...]) -> bool:
    return teacher.terms is not None and teacher.terms.state(uses[0]) is UseState.DENIED


def _otherwise(teacher: ClaimedRelease, uses: tuple[Use, ...], about: _About) -> str:
    denied = _denies(teacher, uses)
    return "training-outputs-denied" if denied or _was_revoked(teacher, about.release) else "training-outputs-unsettled"


def _was_revoked(teacher: ClaimedRelease, child: ClaimedRelease) -> bool:
    return teacher.status.status is Status.REVOKED and teacher.status.since <= child.record.timestamp
