"""One process at a time on one folder: a lock that dies with its process, however that ends."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from registry.errors import FolderInUse


@contextlib.contextmanager
def alone(folder: Path, who: str) -> Iterator[None]:
    """Hold `folder` for the time of a `with` block. Raises `FolderInUse`, which names the process that holds it.

    The lock is the kernel's (flock) on `folder/lock`; the file itself stays, and means nothing without it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read(200).strip()
            raise FolderInUse(
                f"{who} runs on {folder} already (process {holder or 'unknown'}). End it first, or use another folder.",
                process=int(holder) if holder.isdigit() else None,
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
