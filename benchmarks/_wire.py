"""The least that a fetch can be: a process that sends files, another that receives, hashes and writes them."""

import contextlib
import hashlib
import multiprocessing
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from _files import MIB

THREADS = 2
"""As many as a fetch asks a source for runs at once."""


@contextlib.contextmanager
def sending(folder: Path) -> Iterator[int]:
    """A process that sends each file of a folder by `sendfile(2)` to who names it by its number; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = multiprocessing.get_context("fork").Process(target=_serve, args=(server, sorted(folder.iterdir())))
        process.start()
        try:
            yield server.getsockname()[1]
        finally:
            process.terminate()
            process.join()


def receive(port: int, folder: Path, target: Path) -> None:
    """Receive every file in buffers of a MiB, hash each and write it: nothing is compared with anything."""
    files = list(enumerate(sorted(folder.iterdir())))
    threads = [
        threading.Thread(target=_take, args=(port, files[first::THREADS], target), name=f"take-{first}")
        for first in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if sum(path.stat().st_size for path in target.iterdir()) != sum(path.stat().st_size for _, path in files):
        raise SystemExit("Not every byte was received.")


def _serve(server: socket.socket, files: Sequence[Path]) -> None:
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_send, args=(connection, files), daemon=True).start()


def _send(connection: socket.socket, files: Sequence[Path]) -> None:
    with connection:
        while number := connection.recv(1):
            with files[number[0]].open("rb") as file:
                connection.sendfile(file)


def _take(port: int, files: Sequence[tuple[int, Path]], target: Path) -> None:
    buffer = memoryview(bytearray(MIB))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for number, path in files:
            connection.send(bytes((number,)))
            descriptor = os.open(target / path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                for start in range(0, path.stat().st_size, MIB):
                    leaf = buffer[: min(MIB, path.stat().st_size - start)]
                    if connection.recv_into(leaf, len(leaf), socket.MSG_WAITALL) != len(leaf):
                        raise SystemExit("The sender left in the middle of a file.")
                    hashlib.sha256(leaf).digest()
                    os.pwrite(descriptor, leaf, start)
            finally:
                os.close(descriptor)
