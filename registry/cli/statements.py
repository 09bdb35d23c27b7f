"""`provenance statement`: what an issuer signs about a subject: evaluations, audits, disputes, answers, rulings."""

from pathlib import Path
from typing import Annotated, Any

import typer

from registry.chain import actions
from registry.chain.actions import Action, SignedAction
from registry.chain.records import ZERO
from registry.chain.stated_subjects import prefixed, stated_subject_text
from registry.chain.statement_registry import Stated
from registry.chain.statements import Kind, Statement, SubjectKind
from registry.cli.acting import How, RpcUrl, SignOnly, Submit, ValidFor, act
from registry.cli.naming import account_address, subject
from registry.cli.options import Json, Yes, configured
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.cli.status import store_document
from registry.cli.times import moment, shown
from registry.content.cid import RAW, Cid
from registry.errors import InputError

statement = typer.Typer(
    help="Statements about releases, artifacts, terms, accounts and other statements.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
_Store = Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")]
_About = Annotated[
    str | None,
    typer.Option(
        metavar="SUBJECT",
        help="A CID, sha256:HEX, release:0x…, ADDRESS/NAME@VERSION, terms:0x…, eip155:CHAIN:0x…, statement:0x…, "
        "anchor:0x… or dataset:0x….",
    ),
]


@statement.command()
def make(
    kind: Annotated[
        str | None,
        typer.Option(
            help="evaluation, audit, endorsement, dispute, answer (to a dispute), ruling-upheld or ruling-dismissed."
        ),
    ] = None,
    about: _About = None,
    document: Annotated[
        Path | None, typer.Option(help="What is stated: it goes to the store, its SHA-256 on chain.")
    ] = None,
    expires: Annotated[str, typer.Option(metavar="TIME", help="Not in force from then on: a date, 90d, or never.")] = (
        "never"
    ),
    issuer: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Whose statement it is, when you are a delegate.")
    ] = None,
    sign_only: SignOnly = False,
    submit: Submit = None,
    valid_for: ValidFor = "24h",
    store: _Store = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make a statement. It proves who said what and when, never that it is true: readers choose whom they believe."""
    output = Output(as_json=as_json)
    parts = Parts(configured(store=store, rpc_url=rpc_url))
    how = How(sign_only, submit, valid_for)
    how.check(kind=kind, about=about, document=document, issuer=issuer, expires=expires != "never")

    def action() -> Action:
        if kind is None or about is None or document is None:
            raise InputError("A statement needs --kind, --about and --document.")
        what, digest = subject(about, parts.deployment)
        if not sign_only:
            _say_subject(parts, output, about, what, digest)
        who = parts.signer.address if issuer is None else account_address(issuer, parts)
        made = Statement(who, Kind.from_label(kind), what, digest, store_document(document, parts), moment(expires))
        return actions.attest(made)

    def perform(done: Action | SignedAction) -> dict[str, Any]:
        registry = parts.acting.statements
        signed = done if isinstance(done, SignedAction) else None
        values = (done.action if isinstance(done, SignedAction) else done).values[0]
        stated = Statement.from_values(values)
        identifier, new = registry.attest(stated, signed)
        return {
            "statement": f"statement:0x{identifier.hex()}",
            "subject_kind": stated.subject_kind.label,
            "subject": stated_subject_text(stated.subject_kind, stated.subject, parts.chain_id),
            "unchanged": not new,
        }

    question = "A statement stays on chain for ever, also when it is retracted. Make it?"
    done = act(parts, output, "statement make", action, how, perform, question=question, yes=yes)
    if done is not None:
        output.result(done)
        output.say(done["statement"] + "  unchanged" * done["unchanged"], style="bold green")
        output.say(f"about {done['subject']}")


@statement.command()
def retract(
    identifier: Annotated[str | None, typer.Argument(metavar="STATEMENT", help="statement:0x…")] = None,
    sign_only: SignOnly = False,
    submit: Submit = None,
    valid_for: ValidFor = "24h",
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take a statement back, for good."""
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    how = How(sign_only, submit, valid_for)
    how.check(identifier=identifier)

    def action() -> Action:
        if identifier is None:
            raise InputError("Say which statement: statement:0x….")
        return actions.retract(prefixed(identifier, "statement"))

    def perform(done: Action | SignedAction) -> dict[str, Any]:
        signed = done if isinstance(done, SignedAction) else None
        (which,) = (done.action if isinstance(done, SignedAction) else done).values
        new = parts.acting.statements.retract(which, signed)
        return {"statement": f"statement:0x{which.hex()}", "unchanged": not new}

    done = act(
        parts, output, "statement retract", action, how, perform, question="Retract it? That is for ever.", yes=yes
    )
    if done is not None:
        output.result(done)
        output.say(f"{done['statement']}  retracted" + "  unchanged" * done["unchanged"])


@statement.command(name="list")
def list_(
    about: _About = None,
    issuer: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Only this issuer's.")] = None,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """List statements, all there are up to the contract's log head. Anyone may state anything: look at the issuer.

    `provenance fetch sha256:HEX FILE` fetches the document of one, from the store or a gateway; no verdict reads it.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    registry = parts.registries.statements
    kind, digest = (None, None) if about is None else subject(about, parts.deployment)
    who = None if issuer is None else account_address(issuer, parts)
    found = [
        one
        for one in registry.statements(digest)
        if who in (None, one.record.issuer) and kind in (None, one.record.subject_kind)
    ]
    chain_id = parts.chain.chain_id
    rows = [_json(one, chain_id, in_force=registry.is_in_force(one.statement_id)) for one in found]
    output.result(rows)
    for row in rows:
        state = "in force" if row["in_force"] else "retracted" if row["retracted_at"] else "not in force"
        output.say(f"{row['kind']}  {state}", style="bold")
        output.say(f"  statement  {row['statement']}")
        output.say(f"  issuer     {row['issuer']}")
        output.say(f"  about      {row['subject']}")
        output.say(f"  document   {row['document']}")
        output.say(f"  made       {shown(row['timestamp'])}, expires {shown(row['expires'])}")
    if not rows:
        output.say("no statements")


def _say_subject(parts: Parts, output: Output, about: str, kind: SubjectKind, digest: bytes) -> None:
    """What the statement would be about, and whether this chain has it, before anybody pays for it."""
    shown_as = stated_subject_text(kind, digest, parts.chain_id)
    match kind:
        case SubjectKind.RELEASE:
            there = parts.registry.release_record_hash(digest) != ZERO
        case SubjectKind.STATEMENT:
            there = parts.registries.statements.statement(digest) is not None
        case SubjectKind.ANCHOR:
            there = parts.registry.anchor(digest) is not None
        case _:
            there = True  # what the chain does not record at all, or not by this id
    output.note(f"about {shown_as}" + (f" ({about})" if about != shown_as else ""))
    if not there:
        output.note(f"Warning: there is no {kind.label} {about} in this registry. Is it mistyped?")


def _json(one: Stated, chain_id: int, *, in_force: bool) -> dict[str, Any]:
    record = one.record
    return {
        "statement": f"statement:0x{one.statement_id.hex()}",
        "kind": record.kind.label,
        "issuer": f"eip155:{chain_id}:{record.issuer}",
        "made_by": record.actor,
        "subject_kind": record.subject_kind.label,
        "subject": stated_subject_text(record.subject_kind, record.subject, chain_id),
        "document": f"sha256:{record.document.hex()}",
        "document_cid": str(Cid(RAW, record.document)),
        "timestamp": record.timestamp,
        "expires": record.expires,
        "retracted_at": one.retracted_at,
        "in_force": in_force,
    }
