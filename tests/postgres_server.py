"""A real PostgreSQL for tests: a server of its own in a temporary folder, reached by a Unix socket alone.

PostgreSQL refuses to run as root: there it runs as `nobody`, from a copy that `nobody` can read where it was unpacked
into this project's folder. Text is ordered by ICU's rules for English, as on many servers and unlike SQLite, so that
nothing here passes by the order of bytes alone.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "jit": "off",
}


class Postgres:
    """A running server, and its socket's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made = 0
        self._free: list[str] = []

    @contextmanager
    def databases(self) -> Iterator[Callable[[], str]]:
        """Gives URLs of empty databases, which are emptied for others when the block ends: that is quicker than new
        ones."""
        taken: list[str] = []
        try:
            yield lambda: self._take(taken)
        finally:
            for name in taken:
                with self.connect() as connection:
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
                    )
                with self.connect(name) as connection:
                    connection.execute("DROP SCHEMA public CASCADE")
                    connection.execute("CREATE SCHEMA public")
            self._free += taken

    def _take(self, taken: list[str]) -> str:
        if self._free:
            taken.append(self._free.pop())
        else:
            self._made += 1
            taken.append(f"index_{self._made}")
            with self.connect() as connection:
                connection.execute(f"CREATE DATABASE {taken[-1]}")  # type: ignore[call-overload]
        return f"postgresql://postgres@/{taken[-1]}?host={self.folder}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """A connection as the server's owner, outside of transactions."""
        return psycopg.connect(f"host={self.folder} user=postgres dbname={database}", autocommit=True)


@contextmanager
def running_postgres(programs: Path) -> Iterator[Postgres]:
    """A server with its data in a temporary folder, until the block ends or this process does."""
    folder = Path(tempfile.mkdtemp(prefix="provenance-postgres-"))  # not pytest's, which `nobody` cannot enter
    prefix: list[str | Path] = []
    programs = programs.resolve()
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        programs = _readable(programs, folder)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        prefix = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": _libraries(programs)}
    data, log = folder / "data", folder / "log"
    try:
        asked = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-locale"]
        asked += ["--locale-provider=icu", "--icu-locale=en"] if _major(programs, environment) >= 15 else []
        with log.open("wb") as output:
            made = subprocess.run(
                [*prefix, programs / "initdb", *asked, "-D", data],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=folder,
            )
            if made.returncode:
                pytest.fail(f"PostgreSQL made no data folder: {log.read_text()}")
            dying = ["--pdeathsig", "QUIT"] if sys.platform == "linux" else []
            settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
            command = [*(prefix or (["setpriv"] if dying else [])), *dying, programs / "postgres"]
            process = subprocess.Popen(
                [*command, "-D", data, "-k", folder, *settings],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=folder,
            )
        try:
            server = Postgres(folder)
            _wait_until_ready(process, server, log)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _readable(programs: Path, folder: Path) -> Path:
    """Programs that `nobody` may run: the machine's own, or a copy of those that were unpacked into the project."""
    root = next((parent for parent in programs.parents if parent.parent.name == "postgres"), None)
    if root is None or ".tools" not in programs.parts:
        return programs
    copy = folder / "root"
    shutil.copytree(root, copy, symlinks=True, ignore=shutil.ignore_patterns("libLLVM*", "bitcode", "doc", "locale"))
    return copy / programs.relative_to(root)


def _libraries(programs: Path) -> str:
    """The folders of libraries that were unpacked beside the programs."""
    found = [place for parent in programs.parents for place in parent.glob("usr/lib/*-linux-*")]
    return os.pathsep.join(str(place) for place in found if Path("/usr/lib") not in place.parents)


def _major(programs: Path, environment: dict[str, str]) -> int:
    said = subprocess.run([programs / "postgres", "--version"], env=environment, capture_output=True, text=True)
    return int(said.stdout.split()[2].split(".")[0])


def _wait_until_ready(process: "subprocess.Popen[bytes]", server: Postgres, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start: {log.read_text()}")
            time.sleep(0.05)
        else:
            return
