"""A signed action in words: every field of it, as a person checks what another's signature would do before paying."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from registry.chain.actions import SignedAction, read_publish
from registry.chain.anchors import Anchor, anchor_id
from registry.chain.identifiers import FileHash, ReleaseId, TermsId
from registry.chain.publishers import Scope
from registry.chain.records import ZERO, Deployment, Reason, Release, Status
from registry.chain.stated_subjects import stated_subject_text
from registry.chain.statements import Statement
from registry.chain.static import NOBODY
from registry.chain.transactions import Cost
from registry.cli.times import shown
from registry.content.cid import DAG_PB, Cid
from registry.policy.catalogue import catalogue
from registry.policy.terms import Use

Line = tuple[str, str]

_DOES: Final = {
    "Publish": "publish a release, for ever",
    "SetStatus": "change the status of a release",
    "PublishAnchor": "anchor releases, for ever",
    "WithdrawAnchor": "take an anchor back, for ever",
    "SetDelegate": "let another key act, or end that",
    "SetGuardian": "set who can freeze it",
    "Freeze": "end a publisher, for ever",
    "SetGrant": "set what a grantee may do beyond the terms",
    "Attest": "make a statement",
    "Retract": "take a statement back, for ever",
}


def signed_lines(signed: SignedAction, issuer: str | None = None) -> Iterator[Line]:
    """Labels and texts: what is done, each of its fields, who signed it, for which contract and until when.

    `issuer` is whose the statement is that a `Retract` names; it stands on the chain and not in what was signed.
    """
    kind = signed.action.primary_type
    yield "action", _DOES[kind]
    yield from _FIELDS[kind](signed, issuer)
    yield "signed by", signed.actor
    yield "valid until", shown(signed.deadline)
    yield "contract", f"{signed.action.contract} {signed.registry}"
    yield "chain", str(signed.chain_id)


def cost_line(cost: Cost) -> Line:
    """The most that a transaction may cost."""
    gwei = Decimal(cost.max_fee_per_gas) / 10**9
    for_data = f", and {coins(cost.data_fee)} for its data" * bool(cost.data_fee)
    paid_for = f"gas limit {cost.gas_limit:,} × {gwei:f} gwei{for_data}"
    return "cost", f"at most {coins(cost.maximum)} of the chain's coin ({paid_for})"


def coins(wei: int) -> str:
    """An amount of the chain's coin, exact: a bound that was rounded down is none."""
    text = f"{Decimal(wei) / 10**18:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def uses(bits: int) -> list[str]:
    """The uses that bits stand for; those that there are not are named by their number."""
    known = [use.value for place, use in enumerate(Use) if bits >> place & 1]
    beyond = bits >> len(Use) << len(Use)
    return [*known, *([f"unknown ({beyond:#x})"] if beyond else [])]


def terms_name(identifier: bytes) -> str:
    """`terms:0x…`, with its name where it is of the catalogue; `unknown` where there are none."""
    return "unknown" if identifier == ZERO else with_name(str(TermsId(identifier)))


def with_name(terms: str) -> str:
    """`terms:0x…` as somebody gave it, with its name where it is of the catalogue."""
    named = [f" ({name})" for name, entry in catalogue().items() if str(TermsId(entry.id)) == terms]
    return "".join([terms, *named])


def _publish(signed: SignedAction, _: str | None) -> Iterator[Line]:
    release, salt = read_publish(signed.action)
    yield from _release(release)
    if salt != ZERO:
        yield "reservation", "its claim counts from the reservation that it reveals"


def _release(release: Release) -> Iterator[Line]:
    yield "publisher", release.publisher
    yield "release", f"{release.name}@{release.version}"
    yield "artifact", str(Cid(DAG_PB, release.artifact))
    yield "manifest", str(FileHash(release.manifest))
    yield "terms", terms_name(release.terms)
    yield "training data", "undisclosed" if release.training_data == ZERO else str(FileHash(release.training_data))
    for parent in release.parents:
        yield "parent", f"{ReleaseId(parent.release_id)} ({parent.relation.label})"


def _status(signed: SignedAction, _: str | None) -> Iterator[Line]:
    publisher, name, version, status, reason, detail, *successor = signed.action.values[0]
    yield "publisher", publisher
    yield "release", f"{name}@{version}"
    yield "status", Status(status).label + ", for ever" * (status == Status.REVOKED)
    yield "reason", Reason(reason).label
    yield "detail", "none" if detail == ZERO else str(FileHash(detail))
    yield "successor", "@".join(successor) if any(successor) else "none"


def _anchor(signed: SignedAction, _: str | None) -> Iterator[Line]:
    anchor = Anchor(*signed.action.values[0])
    yield "publisher", anchor.publisher
    yield "anchor", f"anchor:0x{anchor_id(Deployment(signed.chain_id, signed.registry), anchor).hex()}"
    yield "releases", f"{anchor.count:,}"
    yield "root", "0x" + anchor.root.hex()
    yield "list", str(Cid(DAG_PB, anchor.list))


def _delegate(signed: SignedAction, _: str | None) -> Iterator[Line]:
    delegate, scopes, expires = signed.action.values
    yield "publisher", signed.actor
    yield "delegate", delegate
    known = [str(scope.name).lower() for scope in Scope if scopes & scope]
    beyond = scopes & ~sum(Scope)
    yield "may", ", ".join([*known, *([f"unknown ({beyond:#x})"] if beyond else [])]) or "nothing any more"
    if scopes:
        yield "until", shown(expires)


def _guardian(signed: SignedAction, _: str | None) -> Iterator[Line]:
    yield "publisher", signed.actor
    yield "guardian", _somebody(signed.action.values[0])


def _freeze(signed: SignedAction, _: str | None) -> Iterator[Line]:
    publisher, successor, since = signed.action.values
    yield "publisher", publisher
    yield "successor", _somebody(successor)
    yield "trusted until", shown(since)


def _grant(signed: SignedAction, _: str | None) -> Iterator[Line]:
    publisher, name, version, grantee, bits, begins, until, irrevocable = signed.action.values[0]
    yield "publisher", publisher
    yield "release", f"{name}@{version}"
    yield "grantee", "everyone" if grantee == NOBODY else grantee
    yield "may", ", ".join(uses(bits)) or "nothing beyond the terms any more"
    if bits:
        yield "from", shown(begins)
        yield "until", shown(until)
        yield "irrevocable", "yes: it can only be widened" if irrevocable else "no"


def _attest(signed: SignedAction, _: str | None) -> Iterator[Line]:
    statement = Statement.from_values(signed.action.values[0])
    yield "publisher", statement.issuer
    yield "statement", statement.kind.label
    yield "about", stated_subject_text(statement.subject_kind, statement.subject, signed.chain_id)
    yield "document", str(FileHash(statement.document))
    yield "expires", shown(statement.expires)


def _retract(signed: SignedAction, issuer: str | None) -> Iterator[Line]:
    yield "publisher", issuer or "not known: there is no such statement"
    yield "statement", f"statement:0x{signed.action.values[0].hex()}"


def _somebody(address: str) -> str:
    return "none" if address == NOBODY else address


_FIELDS: Final[dict[str, Callable[[SignedAction, str | None], Iterator[Line]]]] = {
    "Publish": _publish,
    "SetStatus": _status,
    "PublishAnchor": _anchor,
    "WithdrawAnchor": _anchor,
    "SetDelegate": _delegate,
    "SetGuardian": _guardian,
    "Freeze": _freeze,
    "SetGrant": _grant,
    "Attest": _attest,
    "Retract": _retract,
}
