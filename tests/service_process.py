"""`provenance serve` as a process of its own, which may be killed and started again."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
from geth_node import free_port

START_SECONDS = 150
"""How long one may take to start on a machine that does much else."""

_ROOT = Path(__file__).resolve().parents[1]


class ServiceProcess:
    """Runs from its start to its end, on one port and with one home; ends with the `with` block."""

    def __init__(self, home: Path, **settings: object) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROVENANCE_")}
        given = {f"PROVENANCE_{name.upper()}": str(value) for name, value in {"home": home, **settings}.items()}
        self._environment = kept | {"PYTHONPATH": str(_ROOT)} | given

    def __enter__(self) -> "ServiceProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it; it takes a while until it answers."""
        command = [sys.executable, "-m", "registry.cli.main", "serve", "--port", str(self._port)]
        self._process = subprocess.Popen(
            command, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    def kill(self) -> None:
        """SIGKILL: nothing of it runs any more."""
        self._process.kill()
        self._process.wait()

    def is_ready(self) -> bool:
        """Whether it says so."""
        assert self._process.poll() is None
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=10).status_code == 200
        except httpx.TransportError:
            return False
