"""A policy as a person gives it on the command line: a document, or an option for each of its keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from registry.chain.identifiers import TermsId
from registry.cli.options import separated
from registry.cli.times import duration
from registry.errors import InputError, InvalidPolicy, PathMissing
from registry.policy.catalogue import catalogue, catalogue_ids
from registry.policy.policy import Policy, parse_policy, parse_policy_json, parse_policy_toml
from registry.policy.terms import import_terms, parse_terms, terms_id

PolicyFile = Annotated[
    Path | None, typer.Option(help="A policy document, JSON or TOML. The options below make one without a file.")
]
Trust = Annotated[
    list[str] | None, typer.Option(metavar="ACCOUNT", help="A publisher to trust: eip155:CHAIN:0xADDRESS.")
]
TrustSuccessors = Annotated[
    bool, typer.Option("--trust-successors", help="Trust whom a frozen publisher named as its successor, too.")
]
License = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME|TERMS|FILE",
        help="An accepted licence: a name of the catalogue, terms:0x…, or a terms document. Without it any that "
        "permits.",
    ),
]
UseOption = Annotated[
    list[str] | None,
    typer.Option(
        help="run (the default), commercial, redistribute, modify, distil or train_on_outputs, separated by "
        "commas. May be given several times."
    ),
]
AcceptConditional = Annotated[
    list[str] | None,
    typer.Option(metavar="USE", help="Uses for which you meet the conditions of the licence, likewise."),
]
Accept = Annotated[list[str] | None, typer.Option(help="exact (always), subset, or superset with --extra-file.")]
ExtraFile = Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Extra files that a superset may have.")]
ForAccount = Annotated[
    str | None, typer.Option("--account", metavar="ACCOUNT", help="Who uses it: grants to this account count.")
]
Lineage = Annotated[
    str | None,
    typer.Option(help="trusted (the default): every ancestor is a trusted publisher's; declared: taken as declared."),
]
DisputesBy = Annotated[
    list[str] | None, typer.Option(metavar="ACCOUNT", help="Whose disputes count against a release.")
]
RulingsBy = Annotated[list[str] | None, typer.Option(metavar="ACCOUNT", help="Who rules on disputes.")]
Require = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND=ACCOUNT",
        help="An evaluation, audit or endorsement that must be in force, by this account or one of several (commas).",
    ),
]
Code = Annotated[
    str | None, typer.Option(help="trusted (the default), or none: nothing may run code when the model is loaded.")
]
TrainingDisclosure = Annotated[
    str | None, typer.Option(help="The least that all training data must be: summarised, committed or full.")
]
TrainingPinned = Annotated[
    bool, typer.Option("--training-pinned", help="All training data must be pinned by a digest, and every teacher.")
]
RefuseDataset = Annotated[
    list[str] | None,
    typer.Option(metavar="CID|sha256:HEX|URL", help="Training data that is refused: by Croissant, digest or address."),
]
RefuseTrainingLicense = Annotated[
    list[str] | None, typer.Option(metavar="SPDX", help="A licence of training data that is refused.")
]
TrainingOutputs = Annotated[
    str | None,
    typer.Option(help="Training on other models' outputs: any (the default), permitted by the teacher, or refused."),
]
TrainingTeacher = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ACCOUNT",
        help="Who may speak for a teacher when its outputs must be permitted. Unset: the publishers that are trusted.",
    ),
]
FinalityOption = Annotated[
    str | None, typer.Option("--finality", help="From when on permissions count: latest, safe or finalized.")
]
MaxAge = Annotated[str | None, typer.Option(metavar="DURATION", help="How old the newest block may be: 15m, 12h.")]
Otherwise = Annotated[str | None, typer.Option(help="What strangers' claims alone lead to: unknown, or refuse.")]


def chosen_policy(document: Path | None, options: Mapping[str, Any]) -> Policy | None:
    """The policy in a document, or that of the options, by the keys of `PolicyDocument` or those of `_TRAINING`; None:
    neither was given.

    Raises InputError, InvalidPolicy, PathMissing.
    """
    given = {key: _value(key, value) for key, value in options.items() if value not in (None, [], False)}
    training = {name: given.pop(key) for key, name in _TRAINING.items() if key in given}
    if training:
        given["training_data"] = training
    names = catalogue_ids(catalogue())
    if document is None:
        return parse_policy({"version": 1, **given}, names) if given else None
    if given:
        raise InputError("A policy is a document or options, not both: put the options into the document.")
    try:
        data = document.read_bytes()
    except OSError as error:
        raise InvalidPolicy(f"The policy “{document}” cannot be read: {error.strerror}.") from error
    return (parse_policy_toml if document.suffix == ".toml" else parse_policy_json)(data, names)


_TRAINING: Final = {
    "training_disclosure": "disclosure",
    "training_pinned": "pinned",
    "refuse_dataset": "refuse_datasets",
    "refuse_training_license": "refuse_licenses",
    "training_outputs": "outputs",
    "training_teacher": "teachers",
}
"""The options that are keys of `training_data`."""


def _value(key: str, value: Any) -> Any:
    match key:
        case "uses" | "accept_conditional":
            return [text.replace("-", "_") for text in separated(value)]
        case "accept":
            return separated(value)
        case "licenses":
            return [_license(text) for text in value]
        case "require":
            return [_requirement(text) for text in value]
        case "max_age":
            return duration(value)
    return value


def _requirement(text: str) -> dict[str, Any]:
    kind, equals, issuers = text.partition("=")
    if not equals:
        raise InputError(f"“{text}” is no requirement: write audit=eip155:CHAIN:0xADDRESS, for example.", given=text)
    return {"kind": kind, "issuers": issuers.split(",")}


def _license(text: str) -> str:
    """A licence as a policy names it; a terms document by the id that its canonical form has."""
    path = Path(text)
    if text in catalogue() or text.startswith("terms:") or not path.is_file():
        return text
    try:
        document = import_terms(path.read_bytes())
    except OSError as error:
        raise PathMissing(f"“{path}” cannot be read: {error.strerror}.") from error
    return str(TermsId(terms_id(document, parse_terms(document))))
