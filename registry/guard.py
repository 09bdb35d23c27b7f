"""A guard for loaders: the files that were judged are the files that are loaded.

    with guard("my-model", policy) as folder:
        model = AutoModel.from_pretrained(folder)

What is yielded is a private copy below `PROVENANCE_HOME`, read-only, which was hashed after it was made and holds the
files of the artifact and nothing else: whoever changes the folder that was named, before or after, changes nothing of
it. Files share their blocks on disk with the originals where the file system can.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from registry.artifacts.digest import digest_artifact
from registry.artifacts.scan import scan
from registry.chain.identifiers import parse_identifier
from registry.cli.judging import question_about, verdict_of
from registry.cli.parts import Parts
from registry.cli.policies import chosen_policy
from registry.content.cid import DAG_PB, Cid
from registry.content.reader import fetch_artifact
from registry.content.scratch import Draft, open_regular
from registry.content.store import BlockSource
from registry.errors import (
    DestinationNotEmpty,
    FileChanged,
    FolderInUse,
    InvalidIdentifier,
    NotAllowed,
    ProvenanceError,
    StoreFull,
    StoreUnavailable,
)
from registry.policy.catalogue import catalogue, catalogue_ids
from registry.policy.policy import Policy, parse_policy
from registry.settings import Settings, load_settings

_PIECE: Final = 8 << 20
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextlib.contextmanager
def guard(
    what: str | os.PathLike[str],
    policy: Policy | Mapping[str, Any] | str | os.PathLike[str],
    *,
    settings: Settings | None = None,
) -> Iterator[Path]:
    """A folder that holds exactly what the policy allows, for as long as the `with` block lasts.

    `what` is a folder, a file or the CID of an artifact, which is fetched from the store and the gateways of the
    settings. What reads as such a CID is never a folder that happens to be called so; `./bafybei…` is one. `policy` is
    a policy, the document of one, or a file that holds it (TOML by its ending, else JSON). A base and its adapter are
    two guards of one policy.

    Raises:
        NotAllowed: the verdict, in `details["verdict"]`, is refuse or unknown. Nothing is left on disk.
            What was fetched before a break is kept, for the next guard of the same artifact.
        ProvenanceError: the files or the registry cannot be read.
    """
    parts = Parts(load_settings() if settings is None else settings)
    asked = _policy(policy)
    with _private_folder(parts.settings.home_folder / "guarded") as private:
        path = Path(what)
        if not _is_root(os.fspath(what)) and _exists(path):
            folder = private / (Path(os.path.abspath(path)).name or "artifact")
            _copy(path, folder)
        else:
            root = _root(os.fspath(what))
            _check(verdict_of(parts, {"what": str(root)}, asked), asked)  # before anything is fetched
            folder = private / str(root)
            with parts.sources() as sources:
                _fetch(sources, root, folder)
        _set_modes(folder, files=0o400, folders=0o500)
        _check(verdict_of(parts, question_about(digest_artifact(folder, sha256=False)), asked), asked)
        yield folder


def _policy(given: Policy | Mapping[str, Any] | str | os.PathLike[str]) -> Policy:
    """Raises InvalidPolicy."""
    if isinstance(given, Policy):
        return given
    if isinstance(given, str | os.PathLike):
        return chosen_policy(Path(given), {}) or Policy()
    return parse_policy(given if isinstance(given, dict) else dict(given), catalogue_ids(catalogue()))


def _check(verdict: Mapping[str, Any], policy: Policy) -> None:
    """Raises NotAllowed unless the verdict on this policy is allow."""
    if verdict["verdict"] == "allow" and verdict["policy"] == f"sha256:{policy.digest.hex()}":
        return
    why = " ".join(reason["sentence"] for reason in verdict["reasons"] if reason["effect"] in ("refuse", "undecided"))
    raise NotAllowed(f"The verdict on {verdict['subject']['id']} is {verdict['verdict']}. {why}", verdict=dict(verdict))


def _root(what: str) -> Cid:
    found = parse_identifier(what)
    if not isinstance(found, Cid) or found.codec != DAG_PB:
        raise InvalidIdentifier(f"“{what[:80]}” is no folder, no file and no CID of an artifact (bafybei…).")
    return found


def _is_root(what: str) -> bool:
    try:
        _root(what)
    except ProvenanceError:
        return False
    return True


def _fetch(sources: Sequence[BlockSource], root: Cid, folder: Path) -> None:
    """Fetch an artifact by way of a place that the next process knows, too, so that it goes on after a break.

    Whatever lies there is hashed once it is in its private folder, as all is.
    """
    known = folder.parent.parent / str(root)
    try:
        if not known.is_dir():
            fetch_artifact(sources, root, known)
        known.rename(folder)
    except (FolderInUse, DestinationNotEmpty, FileNotFoundError):  # another process fetches the same
        fetch_artifact(sources, root, folder)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, or no name at all
        return False


def _copy(source: Path, target: Path) -> None:
    """The files of an artifact, without what an artifact leaves out, in a new folder."""
    found = scan(source)
    with _translated(target):
        target.mkdir()
        for name in found.empty_directories:
            (target / name).mkdir(parents=True, exist_ok=True)
    for entry in found.entries:
        try:
            descriptor = open_regular(entry.source)
        except OSError as error:  # also what is no file any more: it was one when the folder was looked through
            raise FileChanged(f"“{entry.source}” cannot be read: {error.strerror}.", path=entry.path) from error
        try:
            with _translated(target), Draft(target.parent) as draft:
                if not draft.clone(descriptor):
                    _copy_bytes(descriptor, draft.descriptor)
                draft.name(target / entry.path)
        finally:
            os.close(descriptor)


def _copy_bytes(source: int, target: int) -> None:
    with os.fdopen(os.dup(source), "rb") as reading, os.fdopen(os.dup(target), "wb") as writing:
        shutil.copyfileobj(reading, writing, _PIECE)


@contextlib.contextmanager
def _translated(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = StoreFull if error.errno in _FULL else StoreUnavailable
        raise kind(f"A private copy cannot be written to {target.parent}: {error.strerror}.") from error


def _set_modes(folder: Path, *, files: int, folders: int) -> None:
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            os.chmod(os.path.join(place, name), files)
        os.chmod(place, folders)


@contextlib.contextmanager
def _private_folder(below: Path) -> Iterator[Path]:
    """A new folder that nobody else may enter, which goes at the end. What a dead process left there goes first.

    Whoever holds the lock beside a folder uses it.
    """
    with _translated(below / "new"):
        below.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(below, 0o700)
    for lock in below.glob("*.lock"):
        _clear(lock)
    lock, held = _locked(below)
    try:
        folder = lock.with_suffix("")
        with _translated(folder):
            folder.mkdir(mode=0o700)
        yield folder
    finally:
        _remove(lock)
        os.close(held)


def _locked(below: Path) -> tuple[Path, int]:
    while True:
        lock = below / f"{secrets.token_hex(8)}.lock"
        with _translated(lock):
            held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(held, fcntl.LOCK_EX)
        if lock.exists():  # nobody took it for that of a dead one between the two
            return lock, held
        os.close(held)


def _clear(lock: Path) -> None:
    """Remove a folder that nobody uses any more, with its lock."""
    with contextlib.suppress(OSError):
        held = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock)
        finally:
            os.close(held)


def _remove(lock: Path) -> None:
    folder = lock.with_suffix("")
    if folder.exists():
        _set_modes(folder, files=0o600, folders=0o700)
        shutil.rmtree(folder)
    lock.unlink(missing_ok=True)
