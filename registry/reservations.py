"""Reservations that this home holds: the secret salts behind commitments on chain, until a release reveals them.

A salt is written down before its commitment is sent, so that a crash between the two loses nothing.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from registry.chain.anchors import RESERVATION_PERIOD, reservation
from registry.chain.identifiers import parse_address
from registry.chain.model_registry import ModelRegistryClient
from registry.chain.records import Deployment
from registry.errors import InvalidIdentifier, InvalidSettings

_MARGIN = 300
"""Seconds before the end of a reservation from which on it is no longer counted on."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A claim on an artifact (32 bytes) that `publisher` has put ahead. `salt` stays secret until it is revealed."""

    publisher: str
    artifact: bytes
    salt: bytes

    def commitment(self, deployment: Deployment) -> bytes:
        """What is on chain of it."""
        return reservation(deployment, self.publisher, self.artifact, self.salt)


class Reservations:
    """The reservations in a folder, one file each, for one deployment."""

    def __init__(self, folder: Path, deployment: Deployment) -> None:
        self._folder = folder / f"{deployment.chain_id}-{deployment.model_registry}"
        self._deployment = deployment

    def find(self, registry: ModelRegistryClient, publisher: str, artifact: bytes) -> tuple[Reservation, int] | None:
        """The earliest reservation of this claim that can still be revealed, and since when it counts; else None."""
        now = registry.chain.latest().timestamp
        found = []
        for path in sorted(self._folder.glob("*.json")):
            one = _read(path)
            if one is None or (one.publisher, one.artifact) != (publisher, artifact):
                continue
            since = registry.reserved_at(one.commitment(self._deployment))
            if since and now <= since + RESERVATION_PERIOD - _MARGIN:
                found.append((one, since))
        return min(found, key=lambda pair: pair[1], default=None)

    def reserve(self, registry: ModelRegistryClient, publisher: str, artifact: bytes) -> tuple[Reservation, int]:
        """Reserve a claim, or find it reserved: the reservation, and since when it counts (seconds since the epoch)."""
        there = self.find(registry, publisher, artifact)
        if there is not None:
            return there
        one = self._unsent(registry, publisher, artifact) or Reservation(publisher, artifact, secrets.token_bytes(32))
        self._write(one)
        return one, registry.reserve(publisher, artifact, one.salt)

    def _unsent(self, registry: ModelRegistryClient, publisher: str, artifact: bytes) -> Reservation | None:
        """One that an earlier run wrote down and did not send."""
        for path in sorted(self._folder.glob("*.json")):
            one = _read(path)
            if (
                one is not None
                and (one.publisher, one.artifact) == (publisher, artifact)
                and not registry.reserved_at(one.commitment(self._deployment))
            ):
                return one
        return None

    def _write(self, one: Reservation) -> None:
        path = self._folder / f"{one.commitment(self._deployment).hex()}.json"
        if path.exists():
            return
        document = {"publisher": one.publisher, "artifact": one.artifact.hex(), "salt": one.salt.hex()}
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.touch(mode=0o600)
            part.write_text(json.dumps(document) + "\n", encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise InvalidSettings(f"The reservation cannot be kept in {self._folder}: {error.strerror}.") from error


def _read(path: Path) -> Reservation | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        one = Reservation(
            parse_address(document["publisher"]), bytes.fromhex(document["artifact"]), bytes.fromhex(document["salt"])
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError, InvalidIdentifier):
        return None
    return one if len(one.artifact) == len(one.salt) == 32 else None
