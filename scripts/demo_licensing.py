"""The part of the demo about who may act and who may use: a delegate signs, a stranger relays, a grant permits."""

import json
from pathlib import Path
from typing import Any, Protocol

Document = dict[str, Any]


class Commands(Protocol):
    """Runs `provenance` as one of the local accounts."""

    def run(self, account: str, *arguments: str, code: int = 0) -> Document:
        """The JSON of a command, which must end with `code`."""


class Lines(Protocol):
    """Says what was done."""

    def line(self, what: str, outcome: str = "") -> None:
        """A line with its time."""


def licensing(stack: Commands, report: Lines, model: Path, scratch: Path, accounts: dict[str, str]) -> None:
    """Publishes through a delegate and a relayer, then permits what the terms deny. `accounts`: names to addresses.

    Raises `AssertionError` where a step does not do what it says.
    """
    publisher, delegate, stranger = (accounts[name] for name in ("publisher-1", "publisher-2", "stranger"))
    terms = stack.run("publisher-1", "license", "register", "cc-by-nc-4.0", "--yes")
    stack.run("publisher-1", "delegate", delegate, "--scope", "publish", "--until", "30d", "--yes")
    report.line("registered the terms cc-by-nc-4.0, and made publisher-2 a delegate for 30 days")

    asked = ("publish", str(model), "--name", "licensed-vad", "--version", "1.0", "--license", "cc-by-nc-4.0")
    differs = ("--license-differs", "For research; other uses are licensed one by one.")
    signed = stack.run("publisher-2", *asked, *differs, "--publisher", publisher, "--sign-only")
    file = scratch / "signed.json"
    file.write_text(json.dumps(signed), encoding="utf-8")
    relayed = stack.run("stranger", "publish", "--submit", str(file), "--yes")
    _expect(relayed["publisher"].endswith(publisher) and relayed["actor"] == delegate, relayed)
    report.line(
        "published [bold]licensed-vad@1.0[/] (cc-by-nc-4.0) of publisher-1's",
        "[dim]delegate signed, stranger relayed[/]",
    )

    def commercial(account: str) -> str:
        answer = stack.run("publisher-1", "license", "permission", relayed["release"], "--account", account)
        state: str = answer["uses"]["commercial"]
        return state

    _expect(terms["uses"]["commercial"] == commercial(stranger) == "denied", terms)
    grant = ("grant", relayed["release"], "--to", stranger, "--use", "commercial", "--until", "90d", "--yes")
    stack.run("publisher-1", *grant)
    _expect((commercial(stranger), commercial(delegate)) == ("allowed", "denied"), "the grant is to one account")
    report.line("granted its commercial use to one account", "[green]allowed[/] [dim]to it, denied to others[/]")


def _expect(true: bool, shown: object) -> None:
    if not true:
        raise AssertionError(f"the demo's licensing went another way: {shown}")
