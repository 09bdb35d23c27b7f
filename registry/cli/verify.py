"""`provenance verify`: may these files be used? The exit code is the verdict."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from registry.artifacts.digest import Artifact
from registry.artifacts.preflight import preflight
from registry.chain.identifiers import parse_identifier
from registry.cli.digest import digest_cache, hashed
from registry.cli.judging import question_about, verdict_of
from registry.cli.naming import is_named_release
from registry.cli.options import Cache, Json, configured
from registry.cli.output import ALLOWED, REFUSED, UNKNOWN, Output
from registry.cli.parts import Parts
from registry.cli.policies import (
    Accept,
    AcceptConditional,
    Code,
    DisputesBy,
    ExtraFile,
    FinalityOption,
    ForAccount,
    License,
    Lineage,
    MaxAge,
    Otherwise,
    PolicyFile,
    RefuseDataset,
    RefuseTrainingLicense,
    Require,
    RulingsBy,
    TrainingDisclosure,
    TrainingOutputs,
    TrainingPinned,
    TrainingTeacher,
    Trust,
    TrustSuccessors,
    UseOption,
    chosen_policy,
)
from registry.errors import InvalidIdentifier, PathMissing

EXIT_CODES = {"allow": ALLOWED, "refuse": REFUSED, "unknown": UNKNOWN}
_COLOURS = {"allow": "bold green", "refuse": "bold red", "unknown": "bold yellow"}
_SHOWN = 10
_LIKE_AN_IDENTIFIER = re.compile(r"(?:[a-z0-9]+:|0x[0-9a-fA-F]{8}|[0-9a-fA-F]{32}|baf|Qm)[^/]*$")


def verify(
    what: Annotated[str, typer.Argument(help="A folder, a file, the CID of either, or sha256:HEX of a file.")],
    policy: PolicyFile = None,
    trust: Trust = None,
    trust_successors: TrustSuccessors = False,
    license: License = None,
    use: UseOption = None,
    accept_conditional: AcceptConditional = None,
    accept: Accept = None,
    extra_file: ExtraFile = None,
    account: ForAccount = None,
    lineage: Lineage = None,
    disputes_by: DisputesBy = None,
    rulings_by: RulingsBy = None,
    require: Require = None,
    code: Code = None,
    training_disclosure: TrainingDisclosure = None,
    training_pinned: TrainingPinned = False,
    refuse_dataset: RefuseDataset = None,
    refuse_training_license: RefuseTrainingLicense = None,
    training_outputs: TrainingOutputs = None,
    training_teacher: TrainingTeacher = None,
    finality: FinalityOption = None,
    max_age: MaxAge = None,
    otherwise: Otherwise = None,
    api_url: Annotated[
        str | None, typer.Option(help="Ask this service. Without it: follow the chain and judge here.")
    ] = None,
    rpc_url: Annotated[str | None, typer.Option(help="JSON-RPC address of the node, or of several (commas).")] = None,
    store: Annotated[str | None, typer.Option(help="A folder, or Kubo's RPC address.")] = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Compute each file's SHA-256 too, and refuse a manifest that declares another one for it."
        ),
    ] = False,
    cache: Cache = None,
    as_json: Json = False,
) -> int:
    """Judge a model under your policy: allow (exit 0), refuse (1) or unknown (3), with reasons."""
    output = Output(as_json=as_json)
    parts = Parts(configured(api_url=api_url, rpc_url=rpc_url, store=store, digest_cache=cache))
    chosen = chosen_policy(
        policy,
        {
            "publishers": trust,
            "licenses": license,
            "uses": use,
            "accept_conditional": accept_conditional,
            "accept": accept,
            "extra_files": extra_file,
            "lineage": lineage,
            "trust_successors": trust_successors,
            "account": account,
            "disputes": disputes_by,
            "rulings": rulings_by,
            "require": require,
            "code": code,
            "training_disclosure": training_disclosure,
            "training_pinned": training_pinned,
            "refuse_dataset": refuse_dataset,
            "refuse_training_license": refuse_training_license,
            "training_outputs": training_outputs,
            "training_teacher": training_teacher,
            "finality": finality,
            "max_age": max_age,
            "otherwise": otherwise,
        },
    )
    question, left_out = _question(what, output, deep, parts)
    verdict = verdict_of(parts, question, chosen)
    output.result({**verdict, "left_out": left_out})
    _show(verdict, output)
    for path in left_out[:_SHOWN]:
        output.say(f"  left out: {path}")
    if len(left_out) > _SHOWN:
        output.say(f"  left out: and {len(left_out) - _SHOWN} more")
    return EXIT_CODES[verdict["verdict"]]


def _question(what: str, output: Output, deep: bool, parts: Parts) -> tuple[dict[str, Any], list[str]]:
    """What is asked, as a request has it, and what was left out of it.

    A path is hashed here; its list of files finds the nearest release.
    """
    path = Path(what)
    if not _exists(path):
        if is_named_release(what):
            raise InvalidIdentifier(
                f"“{what}” is a release, and bytes are verified: give a folder, a file, or the artifact's CID, which "
                f"`provenance show {what}` tells."
            )
        _check_identifier(what)
        return {"what": what}, []
    if not parts.settings.api_url:
        parts.chain  # noqa: B018 - a node that is down is met before hours of hashing
    artifact = hashed(path, output, sha256=deep, cache=digest_cache(parts.settings))
    _warn_of_pointers(artifact, output)
    return question_about(artifact), list(artifact.left_out)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, or no name at all
        return False


def _check_identifier(what: str) -> None:
    """Raises PathMissing where nothing says that an identifier was meant, and what is wrong with one otherwise."""
    try:
        parse_identifier(what)
    except InvalidIdentifier as error:
        if _LIKE_AN_IDENTIFIER.match(what):
            raise
        raise PathMissing(
            f"There is no file or folder “{what[:500]}”, and that is no identifier either: the CID of an artifact or a "
            "file (bafy…), or sha256:HEX of a file."
        ) from error


def _warn_of_pointers(artifact: Artifact, output: Output) -> None:
    for finding in preflight(artifact):
        if finding.code == "git-lfs-pointer":
            output.say(f"{finding.message}", style="yellow")


def _claim(claim: dict[str, Any]) -> Iterator[str]:
    """A claim in a few words: how it matches, its status, its terms, and whether it counts."""
    shared = claim.get("shared")
    some = f", shares {shared['files']} of {shared['of']} files" if shared and claim["match"] != "exact" else ""
    yield claim["match"] + some
    if claim["match"] == "none":
        yield "its files are not known" if claim["manifest"] != "available" else "other files"
    yield claim["status"] + (f", {claim['status_reason']}" if claim["status"] != "active" else "")
    yield claim["license"] or ("terms not read" if claim["terms"] else "terms unknown")
    if claim.get("access") not in (None, "public"):
        yield f"access {claim['access']}"
    yield "counts" if claim["counted"] else "listed only: its publisher is not trusted"


def _show(verdict: dict[str, Any], output: Output) -> None:
    """A verdict for a person: reasons first, then what differs, then every claim."""
    output.say(verdict["verdict"], style=_COLOURS[verdict["verdict"]])
    for reason in verdict["reasons"]:
        output.say(f"  {reason['code']}: {reason['sentence']}")
    match = verdict["match"]
    for kind in ("changed", "missing", "extra"):
        entries = match[kind]
        for entry in entries[:_SHOWN]:
            output.say(f"  {kind}: {entry['path'] if kind == 'changed' else entry}")
        if len(entries) > _SHOWN:
            output.say(f"  {kind}: and {len(entries) - _SHOWN} more")
    for claim in verdict["claims"]:
        output.say(f"  claim: {claim['name']}@{claim['version']} ({'; '.join(_claim(claim))})")
    block = verdict["as_of"]["block"]
    output.say(f"  as of block {block['number']} of chain {verdict['as_of']['chain_id']}")
