"""The data of a `ReleasePublished` event to its record: pure, and strict, in as few steps as Python allows.

Words 0 to 3 are the record's, 4 the offset of the release, which begins at word 5; offsets count from there. Where
Solidity leaves no choice (padding, and offsets that are always the same) one mask over the first 14 words tells.
"""

from struct import Struct
from typing import Final

from registry.chain.records import (
    MAX_PARENTS,
    Parent,
    Record,
    Relation,
    Release,
    check_release,
    parents_hash,
    record_hash_of,
    release_hash_of,
    release_id_of,
    text_hash,
)
from registry.chain.static import WORD, checksummed

PUBLISHER: Final = slice(5 * WORD, 6 * WORD)
"""Where the publisher's word is, which is a topic too."""
_RELEASE: Final = 5 * WORD
_DIGESTS: Final = 8 * WORD
_NAME: Final = 13 * WORD
_SHORTEST: Final = 16 * WORD
# seq, timestamp, actor, since; publisher, offset of the version, digests, offset of the parents, length of the name
_HEAD: Final = Struct(">24xQ24xQ12x20s24xQ44x20s56xQ32s32s32s32s24xQ24xQ")
_UINT48, _ADDRESS, _LENGTH, _WHOLE = 26, 12, 24, WORD
_FIXED_BYTES: Final = (
    *(_UINT48, _UINT48, _ADDRESS, _UINT48, _WHOLE),
    *(_ADDRESS, _WHOLE, _LENGTH, 0, 0, 0, 0, _LENGTH, _LENGTH),
)
"""How many bytes at the start of each word cannot be otherwise: they are zero, but for two words that are offsets."""
_MASK: Final = int.from_bytes(b"".join((b"\xff" * count).ljust(WORD, b"\0") for count in _FIXED_BYTES), "big")
_EXPECTED: Final = int.from_bytes(
    b"".join({4: _RELEASE, 6: _DIGESTS}.get(place, 0).to_bytes(WORD, "big") for place in range(len(_FIXED_BYTES))),
    "big",
)
_ZEROS: Final = bytes(WORD)


def read_release(chain_id: int, registry: str, data: bytes) -> tuple[bytes, Record, bytes]:
    """The release id, the record and its hash. Raises `ValueError`, or `InvalidRelease` for what no contract takes."""
    if len(data) < _SHORTEST:
        raise ValueError("its data is too short")
    if int.from_bytes(data[: _HEAD.size], "big") & _MASK != _EXPECTED:
        raise ValueError("its encoding is not canonical")
    seq, timestamp, actor, since, publisher, version_at, *digests, parents_at, length = _HEAD.unpack_from(data)
    name, place = _text(data, _NAME + WORD, length)
    version_place = place + WORD
    version, end = _text(data, version_place, int.from_bytes(data[place:version_place], "big"))
    if version_at != place - _RELEASE or parents_at != end - _RELEASE:
        raise ValueError("its encoding is not canonical")
    parents = _parents(data, end)
    artifact, manifest, terms, training_data = digests
    account = checksummed(publisher)
    release = Release(account, name, version, artifact, manifest, terms, training_data, parents)
    check_release(release)
    word, texts = data[PUBLISHER], text_hash(name) + text_hash(version)
    identifier = release_id_of(chain_id, registry, word, texts)
    hashed = release_hash_of(word, texts, data[_DIGESTS : _DIGESTS + 4 * WORD], parents_hash(parents))
    record = Record(seq, timestamp, checksummed(actor), since, release)
    return identifier, record, record_hash_of(data[: 4 * WORD], hashed)


def _text(data: bytes, start: int, length: int) -> tuple[str, int]:
    """ASCII text, and where the word after it begins, which is there too."""
    last = start + length
    end = last + -last % WORD
    if end + WORD > len(data):
        raise ValueError("its data is too short")
    if data[last:end] != _ZEROS[: end - last]:
        raise ValueError("its padding is not zero")
    return data[start:last].decode("ascii"), end


def _parents(data: bytes, start: int) -> tuple[Parent, ...]:
    count, first = int.from_bytes(data[start : start + WORD], "big"), start + WORD
    if count > MAX_PARENTS:
        raise ValueError("it names too many parents")
    if len(data) != first + 2 * WORD * count:
        raise ValueError("its data has another length than its fields")
    return tuple(
        Parent(data[place : place + WORD], Relation(int.from_bytes(data[place + WORD : place + 2 * WORD], "big")))
        for place in range(first, len(data), 2 * WORD)
    )
