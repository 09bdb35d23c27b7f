"""`provenance proof`: what the registry holds of a release as of a block, proven so that no node need be believed."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.artifacts.named_file import read_named
from registry.chain.identifiers import ReleaseId, parse_release_id
from registry.chain.listed import as_listed
from registry.chain.proving import prove_release
from registry.chain.records import Record
from registry.chain.state_proof import Proven, StateProof, check_state_proof
from registry.cli.acting import RpcUrl
from registry.cli.naming import identify_release, is_named_release, named_release
from registry.cli.options import Json, configured
from registry.cli.output import UNKNOWN, Output, count
from registry.cli.parts import Parts
from registry.cli.times import shown
from registry.errors import InputError, StateProofRefused
from registry.proofs import LONGEST_PROOF, parse_state_proof, write_state_proof

proof = typer.Typer(
    help="Prove a release under a block hash, and check such a proof without a node.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

_HASH = re.compile(r"0x[0-9a-f]{64}", re.ASCII)
_TAGS = ("latest", "safe", "finalized")


@proof.command()
def state(
    release: Annotated[str, typer.Argument(help="release:0x… or ADDRESS/NAME@VERSION.")],
    block: Annotated[
        str, typer.Option(metavar="BLOCK", help="Hash or number of a block; latest, safe or finalized.")
    ] = "finalized",
    rpc_url: RpcUrl = None,
) -> None:
    """Print the proof of what the registry holds of a release as of a block. Send it to whoever is to `check` it.

    It shows the record with its hash in the contract's storage, or that there is none; its status; and head and size
    of the registry's log. Most nodes can prove their newest 128 blocks only: chain.state-not-kept otherwise.
    """
    output = Output(as_json=False)
    parts = Parts(configured(rpc_url=rpc_url))
    wanted = _block(block)
    identifier = identify_release(parts, release)
    found = parts.registry.find_record(identifier)
    record = None if found is None else found.record
    made, proven = prove_release(parts.chain, parts.deployment, identifier, record, wanted)
    sys.stdout.buffer.write(write_state_proof(made) + b"\n")
    sys.stdout.flush()
    for line in _lines(made, proven):
        output.note(line)
    output.note(f"It holds for whoever believes that 0x{proven.block.hash.hex()} is a block of the chain.")


@proof.command()
def check(
    file: Annotated[Path, typer.Argument(help="What `provenance proof state` printed; - for standard input.")],
    block_hash: Annotated[
        str,
        typer.Option(
            metavar="0xHASH", help="The hash of the block, from somebody you believe: your own node, a light client."
        ),
    ],
    release: Annotated[
        str | None,
        typer.Option(metavar="RELEASE", help="release:0x… or ADDRESS/NAME@VERSION: the release that must be meant."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a proof against the hash of a block. Asks no node, no index and no service.

    Exit code 0: the release is recorded as shown; 3: the proof holds, and shows that there is no such release; 2 with
    chain.proof-refused: the proof does not hold. Look at the status too: a revoked release is recorded.
    """
    output = Output(as_json=as_json)
    if not _HASH.fullmatch(block_hash):
        raise InputError("The hash of a block is written 0x and 64 hexadecimal digits, in lower case.")
    data = sys.stdin.buffer.read(LONGEST_PROOF + 2) if str(file) == "-" else read_named(file, LONGEST_PROOF + 1)
    found = parse_state_proof(data.removesuffix(b"\n"))
    _check_meant(found, Parts(configured()), release)
    proven = check_state_proof(found, bytes.fromhex(block_hash[2:]))
    output.result(_as_json(found, proven))
    for line in _lines(found, proven):
        output.say(line)
    if proven.record is None:
        raise typer.Exit(UNKNOWN)


def _block(text: str) -> bytes | int | str:
    if _HASH.fullmatch(text):
        return bytes.fromhex(text[2:])
    if text in _TAGS:
        return text
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    raise InputError(f"“{text[:80]}” is no block: give its hash, its number, or latest, safe or finalized.")


def _check_meant(found: StateProof, parts: Parts, release: str | None) -> None:
    """Anyone can deploy a registry and prove what is in it: it must be the one that is configured here."""
    registry, chain_id = parts.address("ModelRegistry"), parts.settings.chain_id
    if found.deployment.model_registry != registry or chain_id not in (None, found.deployment.chain_id):
        expected = registry if chain_id is None else f"{registry} on chain {chain_id}"
        raise StateProofRefused(
            f"This proof is of the registry {found.deployment.model_registry} on chain {found.deployment.chain_id}, "
            f"and not of {expected}, which is configured here.",
            at="registry",
        )
    if release is None:
        return
    named = is_named_release(release)
    if (named_release(release, found.deployment) if named else parse_release_id(release)) != found.release_id:
        raise StateProofRefused(f"This proof is of {ReleaseId(found.release_id)}, and not of {release}.", at="release")


def _as_json(found: StateProof, proven: Proven) -> dict[str, Any]:
    block = proven.block
    return {
        "release": str(ReleaseId(found.release_id)),
        "registry": f"eip155:{found.deployment.chain_id}:{found.deployment.model_registry}",
        "block": {"number": block.number, "hash": "0x" + block.hash.hex(), "timestamp": block.timestamp},
        "record": None if proven.record is None else _record_json(proven.record, found.deployment.chain_id),
        "status": None
        if proven.record is None
        else {"status": proven.status.label, "reason": proven.reason.label, "since": proven.since or None},
        "log": {"head": "0x" + proven.head.hex(), "size": proven.size},
    }


def _record_json(record: Record, chain_id: int) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "timestamp": record.timestamp,
        "since": record.since,
        "actor": f"eip155:{chain_id}:{record.actor}",
        "publisher": f"eip155:{chain_id}:{record.release.publisher}",
        **as_listed(record.release),
    }


def _lines(found: StateProof, proven: Proven) -> Iterator[str]:
    block = proven.block
    as_of = f"as of block {block.number} ({shown(block.timestamp)})"
    if proven.record is None:
        yield f"{ReleaseId(found.release_id)} is not in the registry {as_of}."
    else:
        release = proven.record.release
        yield f"{release.publisher}/{release.name}@{release.version} is record {proven.record.seq} {as_of}."
        for label, value in list(as_listed(release).items())[2:6]:
            yield f"  {label.replace('_', ' '):<15}{value or 'none'}"
        since = f" since {shown(proven.since)} ({proven.reason.label})" if proven.since else ""
        yield f"  {'status':<15}{proven.status.label}{since}"
    yield f"The log of the registry has {count(proven.size, 'record')} then, and its head is 0x{proven.head.hex()}."
