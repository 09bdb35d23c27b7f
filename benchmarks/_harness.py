"""The common form of benchmarks: peers measured in turn in the same run, medians, one JSON object a line or a table."""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison. `ratio` is ours to the peer's, above 1 is better; `limit` is the least ratio that is accepted."""

    name: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    limit: float
    unit: str


def compare(name: str, ours: float, peer: float, peer_name: str, *, limit: float, unit: str) -> Result:
    """A comparison of two rates, where more is better."""
    return Result(name, round(ours, 3), round(peer, 3), peer_name, round(ours / peer, 3), limit, unit)


def within(name: str, bar: float, found: float, unit: str, *, bar_name: str = "its bar", limit: float = 1.0) -> Result:
    """A figure that must not be above its bar, or is better below a peer's: the ratio is that to the figure."""
    return Result(name, round(found, 4), round(bar, 4), bar_name, round(bar / found, 3), limit, unit)


def in_turn(experiments: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Run all experiments one after another, `rounds` times over, so that a slow minute meets each; their medians."""
    measured: dict[str, list[float]] = {name: [] for name in experiments}
    for _ in range(rounds):
        for name, experiment in experiments.items():
            measured[name].append(experiment())
    return {name: statistics.median(values) for name, values in measured.items()}


def arguments(description: str | None, *, rounds: int = 3) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes; `rounds` is how many there are when nothing is said."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"measure this many times, in turn ({rounds})")
    return parser


def report(results: Sequence[Result], *, as_json: bool) -> int:
    """Print the results; 1 when a ratio is below its limit, else 0."""
    for result in results:
        if as_json:
            print(json.dumps(asdict(result)))
    if not as_json:
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}")
        print(f"{'':62}{'ours':>9}{'peer':>9}{'ratio':>8}{'limit':>8}")
        for result in results:
            name = f"{result.name} / {result.peer_name}"
            values = f"{result.ours:9.2f}{result.peer:9.2f}{result.ratio:8.2f}{result.limit:8.2f}"
            print(f"{name:62}{values}  {result.unit}{'' if result.ratio >= result.limit else '  BELOW ITS LIMIT'}")
    missed = [result for result in results if result.ratio < result.limit]
    for result in missed:
        print(f"{result.name} against {result.peer_name}: {result.ratio} is below {result.limit}.", file=sys.stderr)
    return 1 if missed else 0
