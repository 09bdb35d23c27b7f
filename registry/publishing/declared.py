"""The licence asked for, held against what the files of the artifact say of theirs."""

from collections.abc import Mapping, Sequence

from registry.artifacts.declared_license import Declaration, contradicting, declared_licenses, stated_licenses
from registry.artifacts.digest import Artifact
from registry.artifacts.manifest import DeclaredLicense, LicenseDiffers
from registry.errors import InputError, LicenseContradiction
from registry.policy.catalogue import catalogue, known_licenses, names_of
from registry.policy.terms import Terms
from registry.publishing.asked import Asked

MAX_REASON = 500
"""Characters of a reason that a manifest records."""


def compare_licenses(
    artifact: Artifact,
    asked: Asked,
    terms: Terms | None,
    code_terms: Terms | None,
    stated: Sequence[tuple[str, Mapping[str, str]]],
) -> tuple[tuple[Declaration, ...], LicenseDiffers | None]:
    """What the artifact declares, and what the manifest records where that differs from the terms.

    A model card and a GGUF header (`stated`) speak of the weights; a licence file may be that of the code. Without
    terms nothing is contradicted.
    """
    reason = asked.license_differs
    if reason is not None and not (reason.strip() and len(reason) <= MAX_REASON and reason.isprintable()):
        raise InputError(f"--license-differs takes a reason of one line, 1 to {MAX_REASON} characters.")
    known = known_licenses(catalogue())
    declared = (*declared_licenses(artifact, known), *stated_licenses(stated, known))
    if terms is None:
        if reason is not None:
            raise InputError("--license-differs says why the terms differ: name them with --license.")
        return declared, None
    weights = names_of(terms, known)
    either = weights if code_terms is None else weights | names_of(code_terms, known)
    differing = tuple(one for one in declared if contradicting([one], weights if one.of_weights else either))
    if not differing:
        if reason is not None:
            raise InputError(
                f"--license-differs has nothing to say: nothing in the folder contradicts {terms.name}. Leave it out."
            )
        return declared, None
    if reason is None:
        listed = " ".join(f"{one.path} says: {one.says}." for one in differing[:10])
        raise LicenseContradiction(
            f"Not published: {listed} The licence asked for is {terms.name}. Correct one of them, or say why they "
            "differ with --license-differs REASON, which the manifest records.",
            license=terms.name,
            declared=[{"path": one.path, "says": one.says} for one in differing],
        )
    files = tuple(DeclaredLicense(path=one.path, says=one.says) for one in differing)
    return declared, LicenseDiffers(reason=reason.strip(), declared=files)
