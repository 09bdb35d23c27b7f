"""How a release is written for people: its publisher's address always stands before its name."""

from datetime import UTC, datetime

from registry.chain.publishers import NEVER
from registry.policy.evidence import ClaimedRelease

_LAST = 253402300799  # 9999-12-31T23:59:59Z


def model_name(claim: ClaimedRelease) -> str:
    """`0xAddress/name`: a name means nothing without its publisher."""
    return f"{claim.record.release.publisher}/{claim.record.release.name}"


def release_name(claim: ClaimedRelease) -> str:
    """`0xAddress/name@version`."""
    return f"{model_name(claim)}@{claim.record.release.version}"


def time_text(seconds: int) -> str:
    """A time for people, UTC."""
    if seconds == NEVER:
        return "for good"
    return (
        datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if seconds <= _LAST else f"{seconds} s"
    )
