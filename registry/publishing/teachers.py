"""The teachers of a release's training data and the grants that it names, held against the chain when publishing.

A teacher that is not there is a mistake and is refused, and so is one that a branch or a tag names. A grant that is not
in force now is a remark: the outputs may be of a time when it was, and whether it permitted them is judged by whoever
reads the record.
"""

from collections.abc import Callable

from registry.artifacts.pinned_package import pinned_package
from registry.artifacts.training.document import Dataset, datasets_of, parse_training_manifest
from registry.artifacts.training.forms import TrainingDocument
from registry.chain.identifiers import parse_account, parse_release_id
from registry.chain.license_registry import EVERYONE, LicenseRegistryClient
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.publishers import NEVER
from registry.chain.records import ZERO
from registry.errors import InvalidDocument, ReleaseNotFound
from registry.policy.permissions import grant_in_force
from registry.policy.terms import Use

Licenses = Callable[[], LicenseRegistryClient]
"""Opens the LicenseRegistry, which is asked only where a grant is named."""


def check_teachers(
    document: TrainingDocument, registry: ModelRegistryClient | None, licenses: Licenses | None
) -> tuple[str, ...]:
    """Remarks on the grants that are named, in sentences; none without a `registry` to ask.

    Raises ReleaseNotFound for a teacher that is not in this registry, InvalidIdentifier for a package that is not
    pinned, InvalidDocument for a grant on another chain.
    """
    if document.form != "training-data-manifest":
        return ()
    remarks = []
    for dataset in datasets_of(parse_training_manifest(document.data), document.table):
        if dataset.teacher is not None and dataset.teacher.package is not None:
            pinned_package(dataset.teacher.package)
        if registry is None or dataset.teacher is None or dataset.teacher.release is None:
            continue
        teacher = parse_release_id(dataset.teacher.release)
        if registry.release_record_hash(teacher) == ZERO:
            raise ReleaseNotFound(
                f"The teacher of “{dataset.name}”, {dataset.teacher.release}, is not in this registry. Name it by a "
                "package URL, or as a service."
            )
        if licenses is not None and dataset.grant is not None and dataset.grant.release is not None:
            remark = _of_grant(dataset, dataset.grant.grantee, teacher, licenses())
            remarks += [remark] if remark is not None else []
    return tuple(remarks)


def _of_grant(dataset: Dataset, grantee: str | None, teacher: bytes, licenses: LicenseRegistryClient) -> str | None:
    account = None if grantee is None else parse_account(grantee)
    if account is not None and account.chain_id != licenses.chain.chain_id:
        raise InvalidDocument(
            f"The grant that “{dataset.name}” names is one to {account}, and its release is on chain "
            f"{licenses.chain.chain_id}."
        )
    block = licenses.chain.latest()
    entry = licenses.grant(teacher, EVERYONE if account is None else account.address, at=block.hash)
    named = f"The grant that “{dataset.name}” names"
    if entry is None:
        return f"{named} was never given."
    if not entry.uses:
        return f"{named} was taken back."
    if entry.until <= block.timestamp:
        return f"{named} has expired."
    if not any(
        grant_in_force(entry, entry.since, use, block.timestamp, NEVER) for use in (Use.DISTIL, Use.TRAIN_ON_OUTPUTS)
    ):
        return f"{named} permits neither to distil nor to train on outputs now."
    return None
