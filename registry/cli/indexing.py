"""`provenance index`: how far the index is, whether it is what the chain says, and folding it again."""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import typer

from registry.chain.followed import followed_contracts
from registry.cli.acting import RpcUrl
from registry.cli.options import Json, configured
from registry.cli.output import REFUSED, Output, count, human_bytes
from registry.cli.parts import Parts
from registry.cli.times import shown
from registry.index import upkeep
from registry.index.database import Database, open_database
from registry.index.queries import Reader

index = typer.Typer(
    help="Look after the index: how far it is, whether it is right, fold it again.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@index.command()
def status(rpc_url: RpcUrl = None, as_json: Json = False) -> None:
    """Show how far the index has read, what is wrong with it, and how large it is.

    Documents that are waiting were not asked for yet. What it says of the chain is what the last poll found. Needs no
    node where PROVENANCE_CHAIN_ID is set.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    with _opened(parts, changes=False) as database, Reader(database, parts.deployment).snapshot() as snapshot:
        found, logs, documents = snapshot.status(), snapshot.log_heads(), snapshot.document_states()
        size = upkeep.sizes(database, parts.deployment)
        result = {
            "database": database.name,
            "block": found.block,
            "verified": found.verified,
            "chain_head": found.chain_head,
            "behind": found.behind,
            "safe": found.safe,
            "finalized": found.finalized,
            "polled_at": found.polled_at,
            "alarm": found.alarm or found.node_behind,
            "records": found.records,
            "logs": [
                {"contract": log.contract, "address": log.address, "size": log.size, "head": "0x" + log.head.hex()}
                for log in logs
            ],
            "documents": {kind: asdict(states) for kind, states in documents.items()},
            "rows": dict(size.rows),
            "bytes": {"documents": size.documents, "database": size.database},
        }
    output.result(result)
    for line in _status_lines(result):
        output.say(line)


@index.command()
def check(rpc_url: RpcUrl = None, as_json: Json = False) -> None:
    """Hold the index against the chain, and its tables against a fresh fold of its events. Changes nothing.

    Exit code 1 where they differ. A node that keeps no old states cannot tell the heads of old blocks: that is said.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    with _opened(parts, changes=False) as database:
        found = upkeep.check(database, followed_contracts(parts.registry, parts.settings.contract_addresses))
    output.result(_checked_json(found))
    for log in found.logs:
        chain = "" if log.chain is not None else ", which the node cannot tell as of that block"
        output.say(f"{_mark(log.agrees)}  {log.contract}: {count(log.events, 'record')} to the head of its log{chain}")
    for table in found.tables:
        differs = "" if table.agrees else f", and a fresh fold has other rows ({table.expected:,})"
        output.say(f"{_mark(table.agrees)}  table {table.table}: {count(table.rows, 'row')}{differs}")
    if found.agrees:
        output.say(f"The index is what the chain says as of block {found.block}.", style="green")
        return
    output.say(_advice(found), style="red")
    raise typer.Exit(REFUSED)


@index.command()
def rebuild(rpc_url: RpcUrl = None, as_json: Json = False) -> None:
    """Fold the tables again from the stored events, in one transaction: readers see the old ones until it is done.

    Events and documents stay as they are. Needs no node where PROVENANCE_CHAIN_ID is set.
    """
    output = Output(as_json=as_json)
    parts = Parts(configured(rpc_url=rpc_url))
    with _opened(parts, changes=True) as database:
        events = upkeep.rebuild(database, parts.deployment)
        output.result({"database": database.name, "events": events})
        output.say(f"{count(events, 'event')} folded again.")


@contextlib.contextmanager
def _opened(parts: Parts, *, changes: bool) -> Iterator[Database]:
    """An index that is there; only a command that changes it brings an older one up to date, others say it is one."""
    database = open_database(parts.settings.database_location, upgrade=changes, make=False)
    try:
        yield database
    finally:
        database.close()


def _status_lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"index      {found['database']}"
    if found["block"] < 0:
        yield "block      none read yet"
    else:
        yield f"block      {found['block']}, held against the contracts up to block {found['verified']}"
    if found["chain_head"] is not None:
        polled = shown(int(found["polled_at"]))
        yield f"chain      block {found['chain_head']}, {count(found['behind'], 'block')} ahead, asked {polled}"
        yield f"finality   safe {_number(found['safe'])}, finalized {_number(found['finalized'])}"
    yield f"alarm      {found['alarm'] or 'none'}"
    for log in found["logs"]:
        yield f"log        {log['contract']:<18}  {count(log['size'], 'record')}"
    for kind, states in found["documents"].items():
        shown_states = ", ".join(f"{number:,} {state}" for state, number in states.items())
        yield f"documents  {kind.replace('_', ' '):<18}  {shown_states}"
    yield f"size       {human_bytes(found['bytes']['database'])}"


def _number(block: int | None) -> str:
    return "not told" if block is None else f"block {block}"


def _checked_json(found: upkeep.Checked) -> dict[str, Any]:
    return {
        "agrees": found.agrees,
        "block": found.block,
        "damage": found.damage,
        "logs": [
            {
                "contract": log.contract,
                "size": log.events,
                "agrees": log.agrees,
                "stored": _hex(log.stored),
                "computed": _hex(log.computed),
                "chain": _hex(log.chain),
            }
            for log in found.logs
        ],
        "tables": [
            {"table": table.table, "rows": table.rows, "expected": table.expected, "agrees": table.agrees}
            for table in found.tables
        ],
    }


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else "0x" + digest.hex()


def _mark(agrees: bool) -> str:
    return "right" if agrees else "WRONG"


def _advice(found: upkeep.Checked) -> str:
    if found.damage is not None:
        return f"The stored events are damaged ({found.damage}). Delete the index: it is made again from the chain."
    if not all(log.agrees for log in found.logs):
        return (
            "The stored events do not lead to the heads of the contracts' logs. Delete the index: it is made again "
            "from the chain; if it is so again, use another node."
        )
    return "The tables are not the fold of the events. `provenance index rebuild` folds them again."
