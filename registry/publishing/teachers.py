"""The teachers of a release's training data and the grants that it names, held against the chain when publishing.

A teacher that is not there is a mistake and is refused, and so is one that a branch or a tag names. A grant that is not
in force now is a remark: the outputs may be of a time when it was, and whether it permitted them is judged by whoever
reads the record. So are terms that are not the teacher's, or that do not allow it.
"""

from collections.abc import Callable, Iterator

from registry.artifacts.pinned_package import pinned_package
from registry.artifacts.training.document import Dataset, datasets_of, parse_training_manifest
from registry.artifacts.training.forms import TrainingDocument
from registry.chain.identifiers import TermsId, parse_account, parse_release_id, parse_terms_id
from registry.chain.license_registry import EVERYONE, LicenseRegistryClient
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.publishers import NEVER
from registry.chain.records import ZERO, Status
from registry.errors import InvalidDocument, ReleaseNotFound
from registry.policy.catalogue import of_catalogue
from registry.policy.permissions import grant_in_force
from registry.policy.terms import TEACHING, permits_teaching

Licenses = Callable[[], LicenseRegistryClient]
"""Opens the LicenseRegistry, which is asked only where a grant is named."""


def check_teachers(
    document: TrainingDocument, registry: ModelRegistryClient | None, licenses: Licenses | None, publisher: str
) -> tuple[str, ...]:
    """Remarks on the grants that are named, in sentences; none without a `registry` to ask.

    Raises ReleaseNotFound for a teacher that is not in this registry, InvalidIdentifier for a package that is not
    pinned, InvalidDocument for a grant on another chain.
    """
    if document.form != "training-data-manifest":
        return ()
    remarks: list[str] = []
    for dataset in datasets_of(parse_training_manifest(document.data), document.table):
        if dataset.teacher is not None and dataset.teacher.package is not None:
            pinned_package(dataset.teacher.package)
        if registry is None or dataset.teacher is None:
            continue
        if dataset.teacher.release is not None:
            _check_there(dataset, dataset.teacher.release, registry)
        if licenses is not None and dataset.grant is not None:
            remarks += _remarks(dataset, registry, licenses, publisher)
    return tuple(remarks)


def _check_there(dataset: Dataset, teacher: str, registry: ModelRegistryClient) -> None:
    if registry.release_record_hash(parse_release_id(teacher)) == ZERO:
        raise ReleaseNotFound(
            f"The teacher of “{dataset.name}”, {teacher}, is not in this registry. Name it by a package URL, or as a "
            "service."
        )


def _remarks(dataset: Dataset, registry: ModelRegistryClient, licenses: Licenses, publisher: str) -> Iterator[str]:
    """What is wrong with the permission that a data set names, be it a grant or terms."""
    named, teacher = dataset.grant, None if dataset.teacher is None else dataset.teacher.release
    if named is None:
        return
    if teacher is not None and registry.status(parse_release_id(teacher)).status is Status.REVOKED:
        yield f"The teacher of “{dataset.name}” was revoked, and permits nothing since."
    if named.terms is not None:
        yield from _of_terms(dataset.name, parse_terms_id(named.terms), teacher, registry, licenses)
    elif teacher is not None:
        yield from _of_grant(dataset.name, named.grantee, parse_release_id(teacher), licenses(), publisher)


def _of_grant(
    name: str, grantee: str | None, teacher: bytes, licenses: LicenseRegistryClient, publisher: str
) -> Iterator[str]:
    account = None if grantee is None else parse_account(grantee)
    if account is not None and account.chain_id != licenses.chain.chain_id:
        raise InvalidDocument(
            f"The grant that “{name}” names is one to {account}, and its release is on chain {licenses.chain.chain_id}."
        )
    block = licenses.chain.latest()
    entry = licenses.grant(teacher, EVERYONE if account is None else account.address, at=block.hash)
    named = f"The grant that “{name}” names"
    if account is not None and account.address != publisher:
        yield f"{named} is one to {account}, and permits nothing to the publisher, {publisher}."
    if entry is None:
        yield f"{named} was never given."
    elif not entry.uses:
        yield f"{named} was taken back."
    elif entry.until <= block.timestamp:
        yield f"{named} has expired."
    elif not any(grant_in_force(entry, entry.since, use, block.timestamp, NEVER) for use in TEACHING):
        yield f"{named} permits neither to distil nor to train on outputs now."


def _of_terms(
    name: str, terms: bytes, teacher: str | None, registry: ModelRegistryClient, licenses: Licenses
) -> Iterator[str]:
    """Terms are those that a teacher in the registry is under; their states are the catalogue's, or the chain's."""
    named = f"The terms that “{name}” names"
    found = None if teacher is None else registry.find_record(parse_release_id(teacher))
    if found is not None and found.record.release.terms != terms:
        under = found.record.release.terms
        yield f"{named} are not its teacher's, which is under {'none' if under == ZERO else TermsId(under)}."
    known = of_catalogue(terms)
    packed = licenses().registered_uses(terms) if known is None else known.terms.packed_uses
    if packed is None:
        yield f"{named} are neither in the catalogue nor registered: what they permit is not known here."
    elif not permits_teaching(packed):
        yield f"{named} allow neither to distil nor to train on outputs without a condition."
