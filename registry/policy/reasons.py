"""Every reason that a verdict can give: one table of codes, each with its effect, its sentence and what it means.

The effects decide: any refusal refuses; else anything undecided leaves the verdict unknown; else a permission for
every use allows. Information changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from registry.chain.identifiers import ReleaseId
from registry.policy.terms import Use


class Effect(StrEnum):
    """What a reason does to the verdict, the strongest first."""

    REFUSE = "refuse"
    UNDECIDED = "undecided"
    ALLOW = "allow"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class ReasonKind:
    """One code: `sentence` is a template, `meaning` says when it is given."""

    effect: Effect
    sentence: str
    meaning: str


_R, _U, _A, _I = Effect.REFUSE, Effect.UNDECIDED, Effect.ALLOW, Effect.INFO

REASONS: Mapping[str, ReasonKind] = MappingProxyType(
    {
        # whom the reader trusts
        "no-trusted-publisher": ReasonKind(
            _U,
            "{policy}, so nothing can be allowed; name the publishers that you trust.",
            "There is no policy, or it names no publisher on this chain. All claims are listed and none counts.",
        ),
        "only-strangers": ReasonKind(
            _U,
            "Only publishers that the policy does not name claim this as of block {block}.",
            "There are claims, and none of them is by a publisher that the policy names (for releases of that block).",
        ),
        "no-claim": ReasonKind(
            _U,
            "There is no claim in this registry as of block {block}{coverage}.",
            "Nobody claims these bytes. For lists of files and file hashes it says how many manifests were read.",
        ),
        "otherwise-refuse": ReasonKind(
            _R,
            "The policy refuses what no trusted publisher's release covers (otherwise = refuse).",
            "No claim that counts was accepted, and the policy says `otherwise: refuse`.",
        ),
        # what was compared
        "match-not-accepted": ReasonKind(
            _U,
            "The files do not match {release} in a way that the policy accepts: {kind} ({differences}).",
            "The nearest release by a trusted publisher differs in a way that the policy does not accept.",
        ),
        "file-only": ReasonKind(
            _U,
            "One file says nothing about a folder: it occurs in {release} as {files}.",
            "The subject is one file. It is said where it occurs; a lone file never allows anything.",
        ),
        "lfs-pointer": ReasonKind(
            _I,
            "“{file}” is a git-lfs pointer, not the file; run git lfs pull.",
            "A file that differs from the nearest release is exactly the git-lfs pointer to the right file.",
        ),
        # the release itself
        "revoked": ReasonKind(
            _R,
            "{release} was revoked by its publisher ({why}).",
            "A release that counts is revoked, and no active successor of the same publisher covers the same files.",
        ),
        "revoked-superseded": ReasonKind(
            _I,
            "{release} was revoked ({why}) and replaced by {successor} over the same files.",
            "A revoked release yields to its active successor, which is judged in its place.",
        ),
        "deprecated": ReasonKind(
            _I,
            "{release} is deprecated by its publisher ({why}).",
            "A release that counts is deprecated: it is still valid, and its publisher advises against it.",
        ),
        "manifest-unavailable": ReasonKind(
            _U,
            "The manifest of {release} could not be read yet: {detail}",
            "A document that the verdict needs is missing.",
        ),
        "manifest-invalid": ReasonKind(
            _U,
            "The manifest of {release} is invalid, so its claim counts for nothing: {detail}",
            "The manifest is not of its form, or disagrees with its record or its artifact.",
        ),
        "file-hash-mismatch": ReasonKind(
            _R,
            "The manifest of {release} declares another SHA-256 for “{file}” than its bytes have.",
            "By their CID the bytes are the release's, and the SHA-256 that its manifest declares is not theirs. "
            "Checked where the question gives both hashes of a file, as `provenance verify --deep` does.",
        ),
        # its terms
        "license-not-allowed": ReasonKind(
            _R,
            "{release} is under {license}, which the policy does not allow.",
            "The policy lists licences, and the terms of the release are not among them.",
        ),
        "terms-unknown": ReasonKind(
            _U,
            "{release} gives no terms, which permits nothing.",
            "The release was published without terms.",
        ),
        "terms-unavailable": ReasonKind(
            _U,
            "The terms document of {release} could not be read yet: {detail}",
            "A document that the verdict needs is missing.",
        ),
        "terms-invalid": ReasonKind(
            _U,
            "The terms document of {release} is invalid: {detail}",
            "The document is not of its form, or its id is another than the one on chain.",
        ),
        "use-allowed": ReasonKind(
            _A,
            "{release} allows the use “{use}” ({license}).",
            "The terms allow an asked use without a condition.",
        ),
        "use-conditional-accepted": ReasonKind(
            _A,
            "{release} allows the use “{use}” under conditions that the policy accepts ({license}): {conditions}",
            "The terms allow an asked use under conditions, and the policy lists the use in `accept_conditional`.",
        ),
        "use-conditional": ReasonKind(
            _U,
            "{release} allows the use “{use}” under conditions ({license}), which are accepted by listing the use in "
            "the policy's accept_conditional: {conditions}",
            "The terms allow an asked use under conditions, and `accept_conditional` does not list the use.",
        ),
        "use-unknown": ReasonKind(
            _U,
            "The terms of {release} do not settle the use “{use}” ({license}).",
            "What a licence does not settle is unknown, and unknown is never allowed.",
        ),
        "use-denied": ReasonKind(
            _R,
            "{release} denies the use “{use}” ({license}).",
            "The terms deny an asked use.",
        ),
        # what it was made from
        "lineage-conflict": ReasonKind(
            _R,
            "{release} was made by {relation} from {parent}, whose terms deny the use “{use}” that this needs.",
            "A release in the lineage was made by a use that its parent's terms deny. The shortest such path is given.",
        ),
        "lineage-conditional": ReasonKind(
            _U,
            "{release} was made by {relation} from {parent}, whose terms put conditions on the use “{use}” that this "
            "needs.",
            "The use that made a child is conditional, and `accept_conditional` does not list it.",
        ),
        "lineage-conditional-accepted": ReasonKind(
            _I,
            "{release} was made by {relation} from {parent}, under conditions on the use “{use}” that the policy "
            "accepts.",
            "The use that made a child is conditional, and `accept_conditional` lists it.",
        ),
        "lineage-unknown": ReasonKind(
            _U,
            "{release} was made by {relation} from {parent}, and it is unknown whether the use “{use}” was permitted.",
            "The parent gives no terms, its terms do not settle the use, or their document cannot be read.",
        ),
        "ancestor-use-denied": ReasonKind(
            _R,
            "{release} contains weights of {parent}, whose terms deny the use “{use}”.",
            "An asked use is denied by the terms of an ancestor of another publisher whose weights are in the release.",
        ),
        "ancestor-revoked": ReasonKind(
            _R,
            "{release} was made from {parent}, which was revoked ({why}).",
            "An ancestor is revoked, and no active successor holds the same artifact.",
        ),
        "ancestor-superseded": ReasonKind(
            _I,
            "{release} was made from {parent}, which was revoked ({why}) and replaced by {successor} over the same "
            "artifact.",
            "A revoked ancestor yields to its active successor over the same artifact.",
        ),
        "ancestor-deprecated": ReasonKind(
            _I,
            "{release} was made from {parent}, which is deprecated ({why}).",
            "An ancestor is deprecated.",
        ),
        "ancestor-untrusted": ReasonKind(
            _U,
            "{release} was made from {parent}, whose publisher the policy does not name.",
            "`lineage` is `trusted`, and an ancestor is by a stranger.",
        ),
        "ancestor-declared": ReasonKind(
            _I,
            "{release} was made from {parent}, whose publisher the policy does not name; taken as declared.",
            "`lineage` is `declared`, and an ancestor is by a stranger.",
        ),
        "ancestor-missing": ReasonKind(
            _U,
            "{release} was made from release:0x{missing}, whose record was not at hand.",
            "The records that were given do not hold an ancestor.",
        ),
        "ancestor-manifest-unavailable": ReasonKind(
            _U,
            "{release} was made from {parent}, whose manifest could not be read yet: {detail}",
            "An ancestor's manifest is missing, and with it its parents outside the registry.",
        ),
        "ancestor-manifest-invalid": ReasonKind(
            _U,
            "{release} was made from {parent}, whose manifest is invalid: {detail}",
            "An ancestor's manifest is invalid, and with it what it says of its parents.",
        ),
        "ancestor-external": ReasonKind(
            _U,
            "{parent} was made by {relation} from {purl}, which is not in this registry.",
            "`lineage` is `trusted`, and a parent is known by its package URL only.",
        ),
        "ancestor-external-declared": ReasonKind(
            _I,
            "{parent} was made by {relation} from {purl}, which is not in this registry; taken as declared.",
            "`lineage` is `declared`, and a parent is known by its package URL only.",
        ),
        "limit": ReasonKind(
            _U,
            "Not everything could be looked at: {limit}.",
            "The lineage or the list of claims that count is longer than is read.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class VerdictReason:
    """A reason as it was found. `path` leads from the release to the ancestor that it is about."""

    code: str
    sentence: str
    release: bytes | None = None
    use: Use | None = None
    path: tuple[bytes, ...] = ()
    file: str | None = None

    @property
    def effect(self) -> Effect:
        return REASONS[self.code].effect

    @property
    def order(self) -> tuple[Any, ...]:
        """The strongest first, then as the table has them, then by what they are about."""
        return (
            list(Effect).index(self.effect),
            list(REASONS).index(self.code),
            self.release or b"",
            list(Use).index(self.use) if self.use is not None else -1,
            len(self.path),
            self.path,
            self.file or "",
            self.sentence,
        )

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"code": self.code, "effect": self.effect.value, "sentence": self.sentence}
        if self.release is not None:
            document["release"] = str(ReleaseId(self.release))
        if self.use is not None:
            document["use"] = self.use.value
        if self.path:
            document["path"] = [str(ReleaseId(release)) for release in self.path]
        if self.file is not None:
            document["file"] = self.file
        return document


def because(
    code: str,
    *,
    about: bytes | None = None,
    asked: Use | None = None,
    path: tuple[bytes, ...] = (),
    at_file: str | None = None,
    **values: object,
) -> VerdictReason:
    """A reason of the table with its sentence filled in by `values`, `use` and `file`."""
    sentence = REASONS[code].sentence.format(use=asked, file=at_file, **values)
    return VerdictReason(code, sentence, about, asked, path, at_file)
