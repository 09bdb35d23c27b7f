"""`provenance watch`: what becomes of one's own publisher, artifacts and names on the chain, as JSON lines."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from registry.chain.followed import FollowedContracts, followed_contracts
from registry.chain.heads import open_heads
from registry.chain.records import check_name
from registry.cli.acting import RpcUrl
from registry.cli.naming import account_address
from registry.cli.options import configured
from registry.cli.output import Output
from registry.cli.parts import Parts
from registry.cli.single import alone
from registry.cli.stopping import until_stopped
from registry.content.cid import DAG_PB, Cid
from registry.errors import InputError, InvalidIdentifier, NoKey
from registry.watching.cursor import CursorFile, State
from registry.watching.tail import Tail
from registry.watching.watched import Watched


def watch(
    publisher: Annotated[
        list[str] | None, typer.Option(metavar="ACCOUNT", help="A publisher: 0x… or eip155:CHAIN:0x…; repeatable.")
    ] = None,
    artifact: Annotated[
        list[str] | None, typer.Option(metavar="CID", help="An artifact, whoever claims it; repeatable.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A name, whoever uses it; repeatable.")] = None,
    start: Annotated[
        int | None, typer.Option("--from", metavar="BLOCK", min=0, help="Tell from this block on. Unset: everything.")
    ] = None,
    cursor: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep here how far it came, and go on from there.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop at the head of the chain.")] = False,
    poll: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.05,
            max=3600,
            help="How often to ask, where no node tells of blocks. Unset: POLL_SECONDS.",
        ),
    ] = None,
    rpc_url: RpcUrl = None,
) -> None:
    """Tail your publisher, artifacts and names on the chain until Ctrl-C: one JSON object a line.

    Without --publisher, --artifact and --name it is the configured key's own address. Told are releases by or of a
    publisher, claims by anybody on an artifact that is watched or that a watched publisher released, releases of a
    name by anybody, and what becomes of these: statuses, freezes, delegates, guardians, grants, statements, anchors.

    A log that cannot be decoded is a line of kind "undecodable", a chain that changed one of kind "reorganised", after
    which all behind its block is told anew. With --cursor every line is told at least once, however it ends.
    """
    output = Output(as_json=False)
    with until_stopped(), _held(cursor):
        parts = Parts(configured(rpc_url=rpc_url))
        watched = _watched(parts, publisher or [], artifact or [], name or [])
        followed = followed_contracts(parts.registry, parts.settings.contract_addresses)
        kept = CursorFile(cursor, followed, watched)
        tail = Tail(followed, watched, _begun(kept.load(), start, followed), output.line, kept.save)
        if once:
            tail.to_head()
            return
        settings = parts.settings
        with open_heads(followed.chain, settings.rpc_url, settings.rpc_websocket, settings.head_seconds) as heads:
            tail.run(poll or settings.poll_seconds, output.error, heads)


def _watched(parts: Parts, publishers: list[str], artifacts: list[str], names: list[str]) -> Watched:
    """What is asked for. Raises `InvalidIdentifier`, `InvalidRelease`, and `InputError` for nothing."""
    if not (publishers or artifacts or names):
        try:
            return Watched(publishers=frozenset([parts.signer.address]))
        except NoKey as error:
            raise InputError(
                "Say what to watch: --publisher ACCOUNT, --artifact CID or --name NAME. Without them it is the "
                "configured key's own address, and no key is configured."
            ) from error
    for one in names:
        check_name(one)
    addresses = frozenset(account_address(one, parts) for one in publishers)
    return Watched(addresses, frozenset(map(_digest, artifacts)), frozenset(names))


def _digest(text: str) -> bytes:
    cid = Cid.parse(text)
    if cid.codec != DAG_PB:
        raise InvalidIdentifier(f"“{text[:80]}” is the CID of a file; an artifact's begins with bafybei.")
    return cid.digest


def _begun(kept: State | None, start: int | None, followed: FollowedContracts) -> State:
    """Where to go on, or to begin. Raises `InputError` for a block that is not there, or not the one begun with."""
    if kept is not None:
        if start is not None and start != kept.start:
            raise InputError(f"The cursor was begun with --from {kept.start}: leave it so, or use another cursor.")
        return kept
    head = followed.chain.latest().number
    if start is not None and start > head:
        raise InputError(f"--from {start} is beyond the head of the chain, which is block {head}.", chain_head=head)
    return State(start or 0)


@contextlib.contextmanager
def _held(cursor: Path | None) -> Iterator[None]:
    """One watcher at a time on a cursor: of two, the slower would lose what only the faster told."""
    with contextlib.ExitStack() as held:
        if cursor is not None:
            try:
                if not cursor.parent.is_dir():
                    raise InputError(f"The cursor {cursor} cannot be kept: its folder is not there.")
                held.enter_context(alone(Path(f"{cursor}.lock"), "Another `provenance watch`"))
            except OSError as error:
                raise InputError(f"The cursor {cursor} cannot be kept: {error.strerror}.") from error
        yield
