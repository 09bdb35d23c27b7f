"""Sets of records as tests commit to them, and the root that a definition gives."""

import hashlib
from dataclasses import replace
from pathlib import Path

from registry.artifacts.commitments.building import Asked, Committed, commit
from registry.artifacts.commitments.commitment import Commitment, entry_of, leaf_hash
from registry.artifacts.commitments.kept import KeptSet
from registry.artifacts.commitments.proofs import Proof
from registry.artifacts.commitments.sources import source_file


def lines(tmp_path: Path, found: list[bytes], name: str = "records.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(b"".join(record + b"\n" for record in found))
    return path


def committed(tmp_path: Path, *files: Path, key: bytes | None = None, **how: object) -> Committed:
    asked = Asked(tuple(source_file(file) for file in files), "line", "bytes", key)
    return commit(replace(asked, **how), tmp_path / "kept")


def reference(found: list[bytes], key: bytes | None = None) -> bytes:
    """The root as the definition of RFC 6962, section 2.1, has it, word for word."""

    def mth(hashes: list[bytes]) -> bytes:
        if len(hashes) == 1:
            return hashes[0]
        split = 1 << (len(hashes) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + mth(hashes[:split]) + mth(hashes[split:])).digest()

    return mth(sorted({hashlib.sha256(b"\x00" + entry_of(record, key)).digest() for record in found}))


def proven(tmp_path: Path, commitment: Commitment, record: bytes, key: bytes | None = None) -> Proof:
    with KeptSet(tmp_path / "kept", commitment.root) as kept:
        return kept.prove(leaf_hash(entry_of(record, key)))
