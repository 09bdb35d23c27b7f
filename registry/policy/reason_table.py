"""Every reason that a verdict can give: one table of codes, each with its effect, its sentence and what it means.

The effects decide: any refusal refuses; else anything undecided leaves the verdict unknown; else a permission for
every use allows. Information changes nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType

from registry.policy.reason_kind import Effect as Effect
from registry.policy.reason_kind import ReasonKind
from registry.policy.training_table import TRAINING_REASONS

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
        "publisher-unread": ReasonKind(
            _U,
            "It could not be read whether the publisher {publisher} was frozen, so nothing by it is believed.",
            "The records that were given do not say whether a publisher of a release in the lineage was frozen.",
        ),
        "compromised": ReasonKind(
            _R,
            "{release} was recorded after the key of its publisher was compromised ({since}).",
            "The publisher is frozen, and the release is later than the time since when its key is compromised.",
        ),
        "publisher-frozen": ReasonKind(
            _I,
            "{release} is by a publisher that is frozen since {frozen}; it was recorded before its key was "
            "compromised ({since}).",
            "The publisher is frozen, and the release is not later than the time since when its key is compromised.",
        ),
        "successor-trusted": ReasonKind(
            _I,
            "{release} is by {publisher}, the successor that {predecessor} named when it was frozen; the "
            "policy trusts successors.",
            "`trust_successors` is true, and a publisher counts because a frozen one that counts named it.",
        ),
        "stale": ReasonKind(
            _U,
            "The index is older than the policy takes ({max_age} s): its block is of {time}.",
            "The block of the answer is older than `max_age`, or the time of the question is not known.",
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
        "not-final": ReasonKind(
            _U,
            "{release} was recorded in block {block}, which is not {finality} yet.",
            "Permissions count from the policy's `finality` on, and no release that decides is that old.",
        ),
        "awaits-finality": ReasonKind(
            _I,
            "{release} was recorded in block {block}, which is not {finality} yet: it permits nothing so far.",
            "A release that decides is too young to permit, and another one is not. What it refuses counts.",
        ),
        "runs-code": ReasonKind(
            _R,
            "{release} runs code when it is loaded ({kinds}), and the policy lets none run.",
            "`code` is `none`, and the manifest lists what runs code among the files asked about.",
        ),
        "code-not-exact": ReasonKind(
            _U,
            "{release} runs code when it is loaded ({kinds}), and the files are not exactly its own ({kind}).",
            "`code` is `trusted`, which means a counted publisher's files exactly as they are, and code is among them.",
        ),
        "code-unread": ReasonKind(
            _U,
            "It is not known whether {release} runs code when it is loaded: {doubt}.",
            "`code` is `none`, or the match is not exact, and the manifest does not settle what runs code.",
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
        "use-granted": ReasonKind(
            _A,
            "{publisher} grants the use “{use}” of {release} to {grantee} (until: {until}).",
            "A grant in force to everyone, or to the policy's `account`, permits an asked use beyond the terms.",
        ),
        "grant-not-final": ReasonKind(
            _I,
            "A grant of the use “{use}” of {release} to {grantee} is in block {block}, which is not {finality} yet.",
            "A grant permits an asked use, and its block is not final: so far the terms alone count.",
        ),
        # what is stated about it
        "disputed": ReasonKind(
            _R,
            "{issuer} disputes {what}{disputed}.",
            "A dispute in force by an issuer under `disputes` is about the release, its files or one of them, its "
            "publisher, terms or training data.",
        ),
        "ruling-upheld": ReasonKind(
            _R,
            "A ruling by {issuer} on {what}{disputed} upheld what was disputed.",
            "A ruling in force by an account under `rulings` upheld a dispute, or is about the release itself.",
        ),
        "dispute-dismissed": ReasonKind(
            _I,
            "{issuer} disputes {what}{disputed}, which {arbiter} dismissed.",
            "A dispute that would count was dismissed by a ruling in force of an account under `rulings`.",
        ),
        "file-disputed": ReasonKind(
            _R,
            "{issuer} disputes the file {which}.",
            "A dispute in force by an issuer under `disputes` is about a file that was asked about.",
        ),
        "file-ruling-upheld": ReasonKind(
            _R,
            "A ruling by {issuer} on the file {which} upheld what was disputed.",
            "A ruling in force by an account under `rulings` upheld a dispute about a file that was asked about.",
        ),
        "file-dispute-dismissed": ReasonKind(
            _I,
            "{issuer} disputes the file {which}, which {arbiter} dismissed.",
            "A dispute about a file that was asked about was dismissed by a ruling in force of an account under "
            "`rulings`.",
        ),
        "statement-required": ReasonKind(
            _U,
            "No {kind} of {release} by an issuer that the policy names for it is in force.",
            "The policy requires a statement of this kind, and none by these issuers is in force and final.",
        ),
        "statement-found": ReasonKind(
            _I,
            "{issuer} made the {kind} of {release} that the policy requires.",
            "A statement that the policy requires is there. What its document says was not read.",
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
        "lineage-granted": ReasonKind(
            _I,
            "{release} was made by {relation} from {parent}, whose publisher had granted the use “{use}” that"
            " this needs.",
            "The parent's terms do not allow the use that made a child, and a grant to the child's publisher "
            "or to everyone did.",
        ),
        "lineage-revoked": ReasonKind(
            _R,
            "{release} was made by {relation} from {parent} after that was revoked.",
            "The parent was revoked at the end of the block in which the child was recorded, and then permits nothing.",
        ),
        "ancestor-use-denied": ReasonKind(
            _R,
            "{release} contains weights of {parent}, whose terms deny the use “{use}”.",
            "An asked use is denied by the terms of an ancestor of another publisher whose weights are in the release.",
        ),
        "ancestor-use-granted": ReasonKind(
            _I,
            "{release} contains weights of {parent}, whose terms deny the use “{use}” and whose publisher grants it.",
            "An asked use is denied by the terms of an ancestor, and granted by its publisher to the account "
            "or to everyone.",
        ),
        "ancestor-compromised": ReasonKind(
            _R,
            "{release} was made from {parent}, which was recorded after its publisher's key was compromised ({since}).",
            "The publisher of an ancestor is frozen, and the ancestor is later than the time of the compromise.",
        ),
        "ancestor-disputed": ReasonKind(
            _R,
            "{release} was made from {disputed}, and {issuer} disputes {what}{disputed}.",
            "A dispute in force by an issuer under `disputes` is about an ancestor.",
        ),
        "ancestor-ruling-upheld": ReasonKind(
            _R,
            "{release} was made from {disputed}, and a ruling by {issuer} on {what}{disputed} upheld what was"
            " disputed.",
            "A ruling in force by an account under `rulings` upheld what was disputed about an ancestor.",
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
        "more-ancestors": ReasonKind(
            _I,
            "“{kind}” holds of ancestors {count} times more.",
            "A verdict lists 16 reasons of one code about ancestors, the nearest ones.",
        ),
        # what it was trained on
        **TRAINING_REASONS,
        "limit": ReasonKind(
            _U,
            "Not everything could be looked at: {limit}.",
            "The lineage or the list of claims that count is longer than is read.",
        ),
    }
)
