"""The named normalisations of a record. Each is fixed for ever: a proof made years later applies the same one."""

import unicodedata

from registry.artifacts.canonical import canonical, parse_json
from registry.artifacts.commitments.commitment import Normalisation
from registry.errors import InvalidDocument, InvalidRecord

LONGEST_RECORD = 64 << 20
"""Bytes of a record that is held in memory: a line, or a row."""


def normalised(record: bytes, how: Normalisation) -> bytes:
    """The bytes of a record that are hashed.

    `bytes`: as they are. `text-nfc`: UTF-8 in Unicode's form NFC (UAX #15), as this Python's Unicode data has it.
    `json-rfc8785`: canonical JSON of the value that the record holds. An integer beyond 2^53 - 1 that it would write
    as another one is refused: records that differ in it would be the same. Raises InvalidRecord.
    """
    if how == "bytes":
        return record
    if how == "text-nfc":
        try:
            return unicodedata.normalize("NFC", record.decode("utf-8")).encode()
        except UnicodeDecodeError as error:
            raise InvalidRecord(f"It is not UTF-8 (byte {error.start}), which text-nfc needs.") from None
    try:
        return canonical(parse_json(record, LONGEST_RECORD, exact=True))
    except InvalidDocument as error:
        raise InvalidRecord(f"It is not JSON that can be hashed in one form. {error.message}") from None
