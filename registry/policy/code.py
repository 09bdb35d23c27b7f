"""What runs code when the model is loaded, as its manifest lists it, against what the policy lets run."""

from collections import Counter
from collections.abc import Mapping

from registry.policy.evidence import ClaimedRelease
from registry.policy.facts import CountedCode, ListedCode
from registry.policy.matching import Match
from registry.policy.names import release_name
from registry.policy.policy import MatchKind, Policy
from registry.policy.reasons import VerdictReason, because


def code_reasons(claim: ClaimedRelease, match: Match, policy: Policy) -> list[VerdictReason]:
    """Why the code of a release may not run, or why it is not known to be harmless.

    With `code = "trusted"` what a counted publisher's release brings along may run as long as the files are exactly
    its own, and with `"none"` nothing may: then also what could not be read counts as if it might.
    """
    if policy.code == "trusted" and match.kind is MatchKind.EXACT:
        return []
    if claim.manifest is None:
        return []  # said already: without its manifest a release permits nothing
    kinds, doubt = _code(claim, match)
    name = release_name(claim)
    if policy.code == "none" and match.kind is MatchKind.SUPERSET:
        doubt = doubt or "files that are not the release's are beside it"
    if kinds:
        code = "runs-code" if policy.code == "none" else "code-not-exact"
        listed = ", ".join(f"{kind} × {count}" for kind, count in sorted(kinds.items()))
        return [because(code, about=claim.release_id, release=name, kinds=listed, kind=match.kind)]
    return [because("code-unread", about=claim.release_id, release=name, doubt=doubt)] if doubt else []


def _code(claim: ClaimedRelease, match: Match) -> tuple[Mapping[str, int], str]:
    """What runs code by its kind, of the files that are there, and what is not known of it."""
    if claim.manifest is None:
        return {}, "its manifest was not read"
    absent = frozenset(match.missing)
    match claim.manifest.code:
        case ListedCode(runs, paths):
            found = Counter(kind for path, kind in runs if path not in absent)
            unread = [path for path in paths if path not in absent]
            return found, f"“{unread[0]}” could not be read when it was published" if unread else ""
        case CountedCode(kinds):
            return kinds, "its list of what could not be read is in a document of its own"
        case None:
            return {}, "its manifest does not say what its files hold"
