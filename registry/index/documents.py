"""Reads the documents that the chain names by digest: manifests, their tables of files, terms, training data.

Every byte is held against a digest on chain before it counts, so that the source need not be trusted. What a source
does not have is asked for again, after pauses that grow; what is wrong in itself stays wrong.
"""

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from sqlalchemy import update

from registry.chain.records import Deployment
from registry.content.store import BlockSource
from registry.errors import ProvenanceError
from registry.index.database import Database
from registry.index.fair_queue import in_turns
from registry.index.manifest_reader import ManifestReader
from registry.index.reading import DocumentKind, Done, Due, read_in_turns
from registry.index.schema import COUNTED, terms_documents
from registry.index.terms_reader import TermsReader
from registry.index.training_reader import TrainingDataReader
from registry.policy.catalogue import catalogue

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 100
_LOOK_AGAIN: Final = 1.0
"""Seconds until it is looked what else is due, where it is not said otherwise."""


class DocumentReader:
    """Reads what is due for one deployment. Several processes may: who is second changes nothing.

    `source` None means that there is nowhere to read from; catalogue terms are known all the same.
    """

    def __init__(
        self,
        database: Database,
        deployment: Deployment,
        source: BlockSource | None,
        *,
        known_terms: Iterable[bytes] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._key = database.deployment_key(deployment)
        self._source = source
        self._now = now
        training_data = TrainingDataReader(database, self._key, now)
        terms = TermsReader(database, self._key, now)
        manifests = ManifestReader(database, deployment, training_data, now)
        self._kinds: tuple[DocumentKind, ...] = (manifests, terms, training_data)
        if known_terms is None:
            known_terms = [entry.document for entry in catalogue().values()]
        terms.keep_known(known_terms)

    def step(self) -> int:
        """Try some of the documents that are due, once. How many were found to be available or invalid for good."""
        first = iter((self._due(self._now(), None),))
        return self._read(lambda: next(first, []), lambda: False).settled

    def catch_up(self, first: Iterable[bytes] = (), seconds: float | None = None) -> int:
        """Try every document that is due, once. How many were found to be available or invalid for good.

        The documents of the releases in `first` come before all others, whoever else has released how much; the
        others are tried for `seconds` (None: until all were).
        """
        settled = 0
        ids = list(first)
        if ids:
            settled += self._until_none_is_due(ids, None)
        return settled + self._until_none_is_due(None, None if seconds is None else time.monotonic() + seconds)

    def ask_again(self, digests: Iterable[bytes]) -> int:
        """Read these documents now, however long their pause is still to be: by their digest, terms by their id.

        How many were found to be available or invalid for good.
        """
        wanted = sorted(set(digests))
        with self._database.write() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                for table in COUNTED:
                    connection.execute(
                        update(table)
                        .where(table.c.deployment == self._key, table.c.digest.in_(part))
                        .values(retry_at=0.0)
                    )
                connection.execute(
                    update(terms_documents).where(terms_documents.c.terms_id.in_(part)).values(retry_at=0.0)
                )
        return self.catch_up()

    def run(self, stop: threading.Event, wake: threading.Event, poll_seconds: float = 1.0) -> None:
        """Read until `stop` is set; `wake` is set by whoever knows that there is more to read, and by who stops."""
        while not stop.is_set():
            wake.clear()
            try:
                if self._read(lambda: self._due(self._now(), None), stop.is_set, poll_seconds).tried:
                    continue
            except ProvenanceError as error:
                _log.warning("%s: %s", error.code, error.message)
            except Exception:  # noqa: BLE001 - nor does what nobody thought of end who reads
                _log.exception("Documents cannot be read just now.")
            wake.wait(poll_seconds)

    def _until_none_is_due(self, ids: list[bytes] | None, deadline: float | None) -> int:
        """What fails is due again later than this began, so that there is an end."""
        began, ends = self._now(), math.inf if deadline is None else deadline
        return self._read(lambda: self._due(began, ids), lambda: time.monotonic() >= ends, _LOOK_AGAIN).settled

    def _read(
        self, look: Callable[[], Iterable[Due]], over: Callable[[], bool], look_again: float | None = None
    ) -> Done:
        return Done() if self._source is None else read_in_turns(self._source, look, over, look_again)

    def _due(self, due_by: float, ids: list[bytes] | None) -> list[Due]:
        """What is due of all, or of some releases: of each publisher the first of each kind, then the next."""
        of_kinds = [[Due(kind, row) for row in kind.due(due_by, ids)] for kind in self._kinds]
        mixed = (due for turn in itertools.zip_longest(*of_kinds) for due in turn if due is not None)
        return list(in_turns(mixed))
