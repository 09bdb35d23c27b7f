"""Fields of Protocol Buffers (protobuf.dev, “Encoding”) in a stream, one after another, by whoever knows the messages.

Nothing is built and nothing is held but a block: what is not asked for is passed over, whatever its size.
"""

from typing import BinaryIO, Final

from registry.errors import InvalidModelFile

MAX_FIELDS: Final = 5_000_000
"""Fields that are read of one file."""
VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)
"""The kinds of a field. A group is of no use any more, and passed over as protobuf's own readers do."""

_BLOCK: Final = 1 << 16


class Fields:
    """Where a walk over a stream is. Every method raises InvalidModelFile for what is not sound."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._start = 0
        self._block = b""
        self._read = 0
        self.position = 0

    @property
    def exhausted(self) -> bool:
        """Whether it ended because there were too many fields, and not because one was unsound."""
        return self._read > MAX_FIELDS

    def field(self, end: int) -> tuple[int, int, int]:
        """The next field of a message that ends at `end`: its number and kind, and its value or, of bytes, their
        length; the position is at the first of these."""
        number, kind, value = self._field(end)
        depth = int(kind == GROUP)
        while depth:
            _, inner, length = self._field(end)
            self.position += length if inner == BYTES else 0
            depth += (inner == GROUP) - (inner == GROUP_END)
        if kind == GROUP_END:
            raise InvalidModelFile("it has the end of a group that did not begin")
        return number, kind, value

    def _field(self, end: int) -> tuple[int, int, int]:
        self._read += 1
        if self.exhausted:
            raise InvalidModelFile(f"it has more than {MAX_FIELDS} fields")
        key = self.varint(end)
        number, kind = key >> 3, key & 7
        if number == 0 or number >= 1 << 29:
            raise InvalidModelFile("it has a field of a number that Protocol Buffers do not allow")
        if kind == VARINT:
            return number, kind, self.varint(end)
        if kind == BYTES:
            length = self.varint(end)
            if length > end - self.position:
                raise InvalidModelFile("it ends in the middle of a field")
            return number, kind, length
        if kind in (FIXED32, FIXED64):
            self.position += 4 if kind == FIXED32 else 8
            if self.position > end:
                raise InvalidModelFile("it ends in the middle of a field")
        elif kind not in (GROUP, GROUP_END):
            raise InvalidModelFile("it has a field of a kind that Protocol Buffers do not know")
        return number, kind, 0

    def varint(self, end: int) -> int:
        """A number of up to 64 bits."""
        value = shift = 0
        while True:
            if self.position >= end or shift > 63:
                raise InvalidModelFile("it ends in the middle of a number, or a number is too long")
            index = self.position - self._start
            if not 0 <= index < len(self._block):
                self._load()
                index = 0
            byte = self._block[index]
            self.position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (2**64 - 1)
            shift += 7

    def take(self, count: int) -> bytes:
        """`count` bytes, which the caller has bounded."""
        index = self.position - self._start
        data = self._block[index : index + count] if index >= 0 else b""
        if len(data) != count:
            self._stream.seek(self.position)
            data = self._stream.read(count)
        if len(data) != count:
            raise InvalidModelFile("it ends in the middle of a field")
        self.position += count
        return data

    def _load(self) -> None:
        self._stream.seek(self.position)
        self._start, self._block = self.position, self._stream.read(_BLOCK)
        if not self._block:
            raise InvalidModelFile("it ends in the middle of a field")
