"""How a release is written for people: its publisher's address always stands before its name."""

from registry.policy.evidence import ClaimedRelease


def model_name(claim: ClaimedRelease) -> str:
    """`0xAddress/name`: a name means nothing without its publisher."""
    return f"{claim.record.release.publisher}/{claim.record.release.name}"


def release_name(claim: ClaimedRelease) -> str:
    """`0xAddress/name@version`."""
    return f"{model_name(claim)}@{claim.record.release.version}"
