"""What the benchmarks of artifacts share: files to hash and to store, peers that do it, what the machine can do."""

import contextlib
import hashlib
import json
import mmap
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

FILES = 4
MIB = 1 << 20
KUBO = Path(__file__).resolve().parent.parent / ".tools/kubo/ipfs"
_SIGN = """
import sys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
import model_signing
model, key, signature = sys.argv[1:]
private = ec.generate_private_key(ec.SECP256R1())
with open(key, "wb") as stream:
    stream.write(private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
with open(key + ".pub", "wb") as stream:
    stream.write(private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
model_signing.signing.Config().use_elliptic_key_signer(private_key=key).sign(model, signature)
"""
_VERIFY = """
import sys, time
import model_signing
model, key, signature = sys.argv[1:]
start = time.perf_counter()
model_signing.verifying.Config().use_elliptic_key_verifier(public_key=key + ".pub").verify(model, signature)
print(time.perf_counter() - start)
"""


def make_files(shards: Path, whole: Path, mebibytes: int) -> int:
    """Files of bytes that nothing can compress or share, and one file of the same bytes; the bytes of all shards."""
    shards.mkdir()
    whole.mkdir()
    with (whole / "model.bin").open("wb") as together:
        for number in range(FILES):
            with (shards / f"model-{number:05d}-of-{FILES:05d}.bin").open("wb") as stream:
                for _ in range(mebibytes // FILES):
                    block = os.urandom(MIB)
                    stream.write(block)
                    together.write(block)
    return (whole / "model.bin").stat().st_size


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def sha256(folder: Path) -> None:
    """Plain SHA-256 of each file, in one thread."""
    for path in folder.iterdir():
        with path.open("rb") as stream:
            hashlib.file_digest(stream, "sha256")


def sha256_in_two_threads(folder: Path) -> None:
    """Plain SHA-256 of each file, the files in two threads: what the machine can read and hash."""
    waiting = iter(sorted(folder.iterdir()))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                path = next(waiting, None)
            if path is None:
                return
            with path.open("rb", buffering=0) as stream:
                hashlib.file_digest(stream, "sha256")

    _together([work, work])


def sha256_of_memory(size: int, *, threads: int) -> None:
    """SHA-256 of `size` bytes that lie in memory, a MiB again and again: what the machine can hash and read nothing."""

    def work() -> None:
        block, whole = bytes(MIB), hashlib.sha256()
        for _ in range(size // MIB // threads):
            whole.update(block)

    _together([work] * threads)


def read(folder: Path) -> None:
    """Read each file once, so that the page cache has it: a system that is short of memory lets go of it again."""
    for path in folder.iterdir():
        with path.open("rb", buffering=0) as stream:
            buffer = bytearray(MIB)
            while stream.readinto(buffer):
                pass


def hash_and_copy(folder: Path, target: Path) -> None:
    """Read, hash and copy each file past the page cache a MiB at a time, and nothing else, with three threads a core.

    It is what the machine can, with the bytes on disk at the end.
    """
    target.mkdir()
    with contextlib.ExitStack() as opened:
        pieces: list[tuple[int, int, int]] = []
        copies: list[int] = []
        for path in sorted(folder.iterdir()):
            size = path.stat().st_size
            source = os.open(path, os.O_RDONLY)
            copy = os.open(target / path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_DIRECT)
            opened.callback(os.close, source)
            opened.callback(os.close, copy)
            os.posix_fallocate(copy, 0, size)
            copies.append(copy)
            pieces += [(source, copy, start) for start in range(0, size, MIB)]
        waiting, lock = iter(pieces), threading.Lock()

        def work() -> None:
            buffer = memoryview(mmap.mmap(-1, MIB))
            while True:
                with lock:
                    piece = next(waiting, None)
                if piece is None:
                    return
                source, copy, start = piece
                count = os.preadv(source, [buffer], start)
                hashlib.sha256(buffer[:count]).digest()
                os.pwrite(copy, buffer[:count], start)

        _together([work] * (3 * (os.cpu_count() or 1)))
        for copy in copies:
            os.fsync(copy)


def _together(works: Iterable[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def sign(folder: Path, beside: Path) -> None:
    """Sign a model with OpenSSF Model Signing, with a new key, so that it can be verified."""
    command = [sys.executable, "-c", _SIGN, str(folder), str(beside / "key"), str(beside / f"{folder.name}.sig")]
    subprocess.run(command, check=True, capture_output=True)
    (beside / "key").rename(beside / f"{folder.name}.key")
    (beside / "key.pub").rename(beside / f"{folder.name}.key.pub")


def verify_signature(folder: Path, beside: Path) -> float:
    """Seconds that Model Signing takes to verify in a process of its own, imports apart."""
    paths = [str(folder), str(beside / f"{folder.name}.key"), str(beside / f"{folder.name}.sig")]
    done = subprocess.run([sys.executable, "-c", _VERIFY, *paths], check=True, capture_output=True, text=True)
    return float(done.stdout)


def command(home: Path, *words: str | Path) -> None:
    """Run a command that is installed beside this Python, ours or a peer's: a whole process, as users run it."""
    environment = os.environ | {"PROVENANCE_HOME": str(home)}
    program = Path(sys.executable).with_name(str(words[0]))
    subprocess.run([program, *words[1:]], env=environment, check=True, capture_output=True)


def ipfs(repository: Path, *command: str) -> str:
    """What Kubo prints for a command, without a daemon."""
    environment = os.environ | {"IPFS_PATH": str(repository)}
    done = subprocess.run([KUBO, *command], env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def new_repository(repository: Path, *, flushing: bool = False) -> None:
    """A repository with our profile, at ports of its own, that may refer to files in place. `flushing`: each block is
    on disk when it is added; by default Kubo leaves that to the system."""
    ipfs(repository, "init", "--profile=test,unixfs-v1-2025")
    config = json.loads((repository / "config").read_text())
    config["Experimental"]["FilestoreEnabled"] = True
    if flushing:
        for mount in config["Datastore"]["Spec"]["mounts"]:
            if mount.get("type") == "flatfs":
                mount["sync"] = True
    (repository / "config").write_text(json.dumps(config))


@contextlib.contextmanager
def daemon(repository: Path) -> Iterator[None]:
    """A daemon of a repository, offline, that is ready."""
    (repository / "api").unlink(missing_ok=True)
    environment = os.environ | {"IPFS_PATH": str(repository)}
    with subprocess.Popen(
        [KUBO, "daemon", "--offline"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            if not any("Daemon is ready" in line for line in process.stdout or ()):
                raise SystemExit("Kubo's daemon did not start.")
            yield
        finally:
            process.terminate()
