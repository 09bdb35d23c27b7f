"""The subcommands by name: where each is, and what it does in a line. One is imported when it is asked for.

Everything that signs, hashes or speaks to a node takes more than a second to import: nobody should wait for it to read
what there is.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "digest": ("digest", "Compute an artifact's digest, which is its IPFS address."),
    "publish": ("publish", "Store an artifact and register it under your key."),
    "verify": ("verify", "Judge a model under your policy: allow, refuse or unknown."),
    "show": ("show", "Show a release, or every claim on an artifact."),
    "status": ("status", "Show the status of a release, or change it."),
    "proof": ("proofs", "Prove a release under a block hash, so that anybody can check it without a node."),
    "fetch": ("fetch", "Fetch an artifact, every block hashed."),
    "probe": ("probing", "Ask stores and gateways whether a release can still be had."),
    "store": ("stores", "Look after the store: add, list, verify, remove, write and read CARs."),
    "data": ("data", "Training data: describe it, commit to records, prove what is in the set."),
    "reserve": ("anchors", "Put your claim on an artifact ahead without naming it."),
    "anchor": ("anchors", "Put many releases on chain under one Merkle root."),
    "promote": ("anchors", "Make an anchored release a full record."),
    "grant": ("grants", "Permit uses of a release beyond its terms."),
    "delegate": ("delegates", "Let another key act for you."),
    "guardian": ("publishers", "Name who can freeze you when your key is lost or stolen."),
    "freeze": ("publishers", "End a publisher, for good."),
    "cancel": ("publishers", "Make a signature of yours worthless."),
    "deploy": ("deploying", "Put the contracts at their addresses."),
    "dev": ("serving", "Run a whole local stack: node, contracts, index, service."),
    "serve": ("serving", "Follow the chain and answer over HTTP."),
    "watch": ("watching", "Tail your publisher, artifacts and names on the chain, as JSON lines."),
    "export": ("exporting", "Write an artifact in a form that other tools read."),
    "license": ("licenses", "Licence terms: the catalogue, and what is registered."),
    "statement": ("statements", "Statements about releases, artifacts, terms and accounts."),
    "index": ("indexing", "Look after the index: how far it is, whether it is right, fold it again."),
    "deployment": ("deploying", "Check the contracts of a chain."),
}


class Commands(TyperGroup):
    """The group of all subcommands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes | {"commands": _Loaded()})

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


class _Loaded(Mapping[str, TyperCommand | TyperGroup]):
    """Each command, imported when it is asked for."""

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        found = getattr(import_module(f"registry.cli.{COMMANDS[name][0]}"), name)
        if not isinstance(found, typer.Typer):
            one = typer.Typer(rich_markup_mode=None, add_completion=False)
            one.command(name)(found)
            found = one
        command = cast(TyperCommand | TyperGroup, typer.main.get_command(found))
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)
