"""What the contracts' calls cost, beside the Ethereum Attestation Service on the same node.

Less is better: `ratio` is the peer's gas to ours, `bar` the most gas that ours may take, and `limit` that as a ratio.
Views are measured from a contract that calls them first thing in a transaction, so that it pays for the call and for
everything cold; `status-view` alone is what the view itself executes, its slots cold. `anchor` is one release's share.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _bars import BARS, MISSED
from _chain import bench_chain
from _eas import PACKAGE, Eas, load
from _registries import Registries

ROOT = Path(__file__).resolve().parent.parent
COMPILER = ROOT / ".venv-contracts" / "bin" / "python"

# Our row, and the peer's. A row without a peer is of something that EAS does not have.
PEERS = (
    ("release", "attest release"),
    ("release-signed", "attestByDelegation release"),
    ("release-with-reservation", "attest release"),
    ("release-claimed-before", "attest release"),
    ("parent", "refUID of attest"),
    ("reserve", "timestamp"),
    ("status", "revoke"),
    ("terms", "attest terms"),
    ("grant", "attest grant"),
    ("grant-signed", "attestByDelegation grant"),
    ("statement", "attest statement"),
    ("statement-signed", "attestByDelegation statement"),
    ("retract", "revoke"),
    ("anchor", "attest anchor"),
    ("anchor", "multiTimestamp"),
    ("anchor", "timestamp of a root"),
    ("promote", "attest release"),
    ("status-view-contract", "getAttestation"),
    ("verify-record", "getAttestation"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One price, with a peer where there is one."""

    name: str
    ours: float
    peer: float | None
    peer_name: str | None
    ratio: float | None
    limit: float | None
    bar: float | None
    unit: str = "gas"

    @property
    def is_missed(self) -> bool:
        """Whether it costs more than it may."""
        return self.bar is not None and self.ours > self.bar


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--check", action="store_true", help="exit 1 if a bar is missed that is not known to be")
    parser.add_argument("--ours", action="store_true", help="print ours alone, as one JSON object: name and gas")
    parser.add_argument("--compiled", type=Path, help="what `scripts/snapshots.py --compiled` printed")
    asked = parser.parse_args()
    compiled = json.loads(asked.compiled.read_bytes()) if asked.compiled else compile_contracts()
    if asked.ours:
        with bench_chain(compiled) as chain:
            print(json.dumps(rounded(Registries(chain).measure())))
        return 0
    if not PACKAGE.is_dir():
        raise SystemExit("The peer is not installed. Run `python3 scripts/setup.py bench` first.")
    with bench_chain({**compiled, **load()}) as chain:
        ours, theirs = rounded(Registries(chain).measure()), rounded(Eas(chain).measure())
    rows = compare(ours, theirs)
    report(rows, as_json=asked.json)
    return 1 if asked.check and unexpected(rows) else 0


def compile_contracts() -> dict[str, Any]:
    """`abi` and `bytecode` of each contract by its name, compiled from the sources as they are."""
    if not COMPILER.is_file():
        raise SystemExit("The compiler is not set up. Run `make setup-contracts` first.")
    command: list[str | Path] = [COMPILER, ROOT / "scripts" / "snapshots.py", "--compiled"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    compiled: dict[str, Any] = json.loads(done.stdout)
    return compiled


def rounded(gas: Mapping[str, float]) -> dict[str, float]:
    """Whole numbers where they are whole, three decimals for a share of a batch."""
    return {name: int(value) if value == int(value) else round(value, 3) for name, value in gas.items()}


def compare(ours: Mapping[str, float], theirs: Mapping[str, float]) -> list[Row]:
    """A row for each of our prices, in their order, and for each peer that it has."""
    rows = []
    for name, gas in ours.items():
        bar = BARS.get(name)
        peers = [peer for own, peer in PEERS if own == name]
        for peer in peers:
            limit = None if bar is None else round(theirs[peer] / bar, 3)
            rows.append(Row(name, gas, theirs[peer], f"EAS {peer}", round(theirs[peer] / gas, 3), limit, bar))
        if not peers:
            rows.append(Row(name, gas, None, None, None, None, bar))
    return rows


def unexpected(rows: list[Row]) -> list[str]:
    """What is not as `_bars.py` says: bars that are missed, and those known as missed that are met or not there."""
    missed = {row.name for row in rows if row.is_missed}
    faults = [f"{name} costs more than its bar of {BARS[name]:,} gas." for name in sorted(missed - MISSED.keys())]
    faults += [f"{name} meets its bar: take it off the list of missed ones." for name in sorted(MISSED.keys() - missed)]
    faults += [f"{name} has a bar and is not measured." for name in sorted(BARS.keys() - {row.name for row in rows})]
    return faults


def report(rows: list[Row], *, as_json: bool) -> None:
    """Print the rows, and what is wrong with them to standard error."""
    if as_json:
        for row in rows:
            print(json.dumps(asdict(row)))
    else:
        print(f"{'gas':28}{'ours':>10}{'bar':>10}{'peer':>12}{'ratio':>8}")
        for row in rows:
            numbers = f"{_text(row.ours):>10}{_text(row.bar):>10}{_text(row.peer):>12}{_text(row.ratio, 2):>8}"
            words = [row.peer_name or "", "OVER ITS BAR" if row.is_missed else ""]
            print(f"{row.name:28}{numbers}  {'  '.join(filter(None, words))}".rstrip())
        for row in rows:
            if row.is_missed and row.name in MISSED:
                print(f"{row.name} is over its bar: {MISSED[row.name]}.")
    for fault in unexpected(rows):
        print(fault, file=sys.stderr)


def _text(value: float | None, decimals: int = 0) -> str:
    if value is None:
        return "–"
    return f"{value:,.{decimals}f}" if decimals or value == int(value) else f"{value:,.1f}"


if __name__ == "__main__":
    sys.exit(main())
