"""Ponder, the indexer that dApps use most, reading the same releases into a table with the same columns and indexes.

It keeps them in PGlite, its default, a PostgreSQL in the same process; `ponder start` is what its authors say to run in
production. All other settings are its defaults.
"""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from registry.chain.devnode import DevNode, free_port
from registry.chain.model_registry import ModelRegistryClient

ROOT = Path(__file__).resolve().parent.parent
APP = Path(__file__).resolve().parent / "ponder"
NODE = ROOT / ".venv" / "bin" / "node"
PROGRAM = APP / "node_modules" / "ponder" / "dist" / "esm" / "bin" / "ponder.js"
ARTIFACT = ROOT / "registry" / "chain" / "artifacts" / "ModelRegistry.json"
SCHEMA = "backfill"  # also in its API
_BEGINS = "Started backfill indexing"
_READY = "Started returning 200 responses /ready"  # before, it says the same of /health
_SECONDS = 1_800


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What a run took: `process` seconds with its start-up, `indexing` without; and the bytes of all its tables."""

    process: float
    indexing: float
    releases: int
    bytes: int


def backfilled(node: DevNode, registry: ModelRegistryClient, last: int) -> Backfilled:
    """Run it on a new database, from the registry's first block to `last`, until it says that it is ready."""
    if not PROGRAM.exists():
        raise SystemExit("Ponder is not installed: python3 scripts/setup.py bench brings it.")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        settings = {
            "BACKFILL_ADDRESS": registry.address,
            "BACKFILL_ARTIFACT": str(ARTIFACT),
            "BACKFILL_CHAIN": str(registry.chain.chain_id),
            "BACKFILL_DATABASE": folder,
            "BACKFILL_FIRST": str(registry.from_block),
            "BACKFILL_LAST": str(last),
            "BACKFILL_RPC": node.url,
            "PONDER_TELEMETRY_DISABLED": "1",
        }
        command = [NODE, PROGRAM, "--root", APP, "--log-format", "json", "start", "--schema", SCHEMA]
        started = time.time()
        process = subprocess.Popen(
            [*command, "--port", str(port), "--hostname", "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | settings,
            start_new_session=True,  # .venv/bin/node runs the real one: both are ended, by their group
        )
        watch = threading.Timer(_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
        watch.start()
        try:
            times = _times(process)
            found = requests.get(f"http://127.0.0.1:{port}/found", timeout=60).json()
        finally:
            watch.cancel()
            os.killpg(process.pid, signal.SIGKILL)  # what it wrote is not wanted any more
            process.communicate()
    ready = times[_READY]
    return Backfilled(ready - started, ready - times[_BEGINS], int(found["releases"]), int(found["bytes"]))


def _times(process: "subprocess.Popen[bytes]") -> dict[str, float]:
    """When it said what, in epoch seconds, up to its being ready. Ends the benchmark when it does not get there."""
    times: dict[str, float] = {}
    said: list[str] = []
    for line in process.stdout or ():
        said.append(line.decode(errors="replace").rstrip())
        entry = _entry(line)
        what = f"{entry.get('msg', '')} {entry.get('endpoint', '')}".strip()
        times.setdefault(what, entry.get("time", 0) / 1000)
        if _READY in times:
            return times
    raise SystemExit("\n".join(["Ponder ended before it was ready:", *said[-5:]]))


def _entry(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
