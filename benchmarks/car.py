"""A CAR of a GiB out of the embedded store and into a new one, against a copy of the same file: all end on the disk."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from _files import MIB, make_files, read, timed
from _harness import arguments, compare, in_turn, report

from registry.artifacts.digest import digest_artifact
from registry.content.car_files import export_file, import_car
from registry.content.cid import Cid
from registry.content.embedded import EmbeddedStore

PEER = "copy of the CAR, flushed"
LIMITS = {"store import": 0.5, "store export": 0.7}
"""At the disk's speed, with room for hashing every byte, and for the index and the folders of an import."""


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="MiB in all files together (1024)")
    parser.add_argument("--folder", type=Path, help="where the files are made (the system's temporary folder)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="car-", dir=asked.folder) as temporary:
        home = Path(temporary)
        size = make_files(home / "shards", home / "whole", asked.size)
        shutil.rmtree(home / "whole")
        store, cars = EmbeddedStore(home / "store"), home / "cars"
        artifact = digest_artifact(home / "shards", sha256=False)
        store.put_dag(artifact.dag())
        shutil.rmtree(home / "shards")
        cars.mkdir()
        car = cars / "artifact.car"
        export_file(store, artifact.root, car)

        def importing() -> float:
            prepare(cars)
            seconds = timed(lambda: take(home / "imported", car, artifact.root))
            shutil.rmtree(home / "imported")
            return seconds

        def exporting() -> float:
            prepare(cars)
            seconds = timed(lambda: export_file(store, artifact.root, home / "exported.car"))
            (home / "exported.car").unlink()
            return seconds

        def copying() -> float:
            prepare(cars)
            seconds = timed(lambda: copy(car, home / "copied.car"))
            (home / "copied.car").unlink()
            return seconds

        seconds = in_turn({"store import": importing, "store export": exporting, PEER: copying}, asked.rounds)
    rates = {name: size / taken / 1e9 for name, taken in seconds.items()}
    return report(
        [compare(name, rates[name], rates[PEER], PEER, limit=limit, unit="GB/s") for name, limit in LIMITS.items()],
        as_json=asked.json,
    )


def prepare(cars: Path) -> None:
    """The same start for each: nothing waits to be written, and the CAR is in the page cache."""
    os.sync()
    read(cars)


def take(folder: Path, car: Path, root: Cid) -> None:
    """Import a CAR, and see that it is kept."""
    with car.open("rb") as stream:
        if import_car(EmbeddedStore(folder), stream) != root:
            raise SystemExit("Another root was imported than was exported.")


def copy(source: Path, target: Path) -> None:
    """Copy the bytes, and flush them."""
    with source.open("rb") as read_from, target.open("wb") as write_to:
        shutil.copyfileobj(read_from, write_to, MIB)
        write_to.flush()
        os.fsync(write_to.fileno())


if __name__ == "__main__":
    sys.exit(main())
