"""What a pickle imports and calls, by its opcodes (PEP 307, PEP 3154; CPython's `pickletools`). Nothing is loaded.

The machine's stack is followed as `pickletools.dis` does it, so that the names behind STACK_GLOBAL are found through
the memo too. What stops the reading does not hide what came before: a loader would have run that as well. So opcodes
are read here as leniently as any unpickler takes them, which `pickletools.genops` does not (numbers in hexadecimal,
escapes, a last line without its end): only an opcode that does not exist, and the end of the file, stop both.
"""

import pickletools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from registry.errors import InvalidModelFile

MAX_OPCODES: Final = 5_000_000
MAX_KEPT: Final = 1 << 16
"""Bytes of a value that are kept; what is longer is read past."""
MAX_PICKLES: Final = 16
"""Pickles in a row in one file; a PyTorch file of the old form has five, and its weights after them."""
MAX_NAMES: Final = 1000

CALLS: Final = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})
"""Opcodes that call something, or set the state of an object."""
_GLOBALS: Final = frozenset({"GLOBAL", "INST"})
_EXTENSIONS: Final = frozenset({"EXT1", "EXT2", "EXT4"})
_PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
_LINES: Final = {"GLOBAL": 2, "INST": 2}
_LENGTHS: Final = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
"""Bytes of the length that stands before a value, by what pickletools says of the value."""
_OPCODES: Final = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_TEXTS: Final = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"})
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([0-7]{1,3})|(.))", re.DOTALL)
_PIECE: Final = 1 << 20
_UNKNOWN: Final = "?"


@dataclass(frozen=True, slots=True)
class PickleReport:
    """What one or more pickles import (`module.name`, sorted) and call; `problem` says why they were not read on.

    `pickles` are those that were read to their end; `limited` says that a limit of ours or the archive around
    it ended the reading, so that a loader may well read on.
    """

    imports: tuple[str, ...]
    calls: tuple[str, ...]
    pickles: int
    problem: str
    limited: bool = False

    @property
    def runs_code(self) -> bool:
        """Whether loading imports or calls anything."""
        return bool(self.imports or self.calls)


def read_pickles(stream: BinaryIO) -> PickleReport:
    """Read pickles that follow each other, from where the stream stands. Never raises for what they hold."""
    imports: set[str] = set()
    calls: set[str] = set()
    reader = _Reader(stream)
    pickles, problem, limited = 0, "", False
    while pickles < MAX_PICKLES and not problem:
        machine = _Machine(imports, calls)
        try:
            for opcode, argument in reader.opcodes():
                machine.step(opcode, argument)
        except _Limit as limit:
            problem, limited = str(limit), True
        except InvalidModelFile as error:
            problem, limited = error.message, True
        except _End as end:
            problem = str(end)
        else:
            pickles += 1
            if reader.at_end():
                break
    if len(imports) > MAX_NAMES:
        problem = f"{len(imports)} names, of which {MAX_NAMES} are listed"
    return PickleReport(tuple(sorted(imports)[:MAX_NAMES]), tuple(sorted(calls)), pickles, problem, limited)


class _Limit(Exception):
    """More than is read."""


class _End(Exception):
    """Where every unpickler ends."""


class _Reader:
    """Opcodes with their arguments, from a stream that only goes on; of a long argument the start alone is kept."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._peeked = b""
        self._count = 0

    def opcodes(self) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
        """The opcodes of one pickle, up to its STOP. Raises _End, and _Limit."""
        while True:
            code, self._peeked = self._peeked or self._stream.read(1), b""
            if not code:
                raise _End("it ends in the middle of a pickle")
            opcode = _OPCODES.get(code)
            if opcode is None:
                raise _End(f"not a pickle beyond this point: {code!r} is no opcode")
            self._count += 1
            if self._count > MAX_OPCODES:
                raise _Limit(f"more than {MAX_OPCODES} opcodes")
            yield opcode, self._argument(opcode)
            if opcode.name == "STOP":
                return

    def at_end(self) -> bool:
        self._peeked = self._peeked or self._stream.read(1)
        return not self._peeked

    def _argument(self, opcode: pickletools.OpcodeInfo) -> Any:
        """A number as such, a text as such, the two lines of a name as a pair; other values are of no interest."""
        name, kind = opcode.name, opcode.arg
        if kind is None:
            return None
        if kind.n == pickletools.UP_TO_NEWLINE:
            lines = [self._line() for _ in range(_LINES.get(name, 1))]
            if name in _LINES:
                return tuple(line.decode("utf-8", "replace") for line in lines)
            return _line_value(name, lines[0])
        if kind.n not in _LENGTHS:
            return int.from_bytes(self._value(kind.n), "little")
        value = self._value(int.from_bytes(self._value(_LENGTHS[kind.n]), "little"))
        return value.decode("utf-8", "replace") if name in _TEXTS else None

    def _value(self, count: int) -> bytes:
        kept, left = b"", count
        while left:
            piece = self._stream.read(min(left, _PIECE))
            if not piece:
                raise _End(f"it ends in the middle of a value of {count} bytes")
            kept += piece[: MAX_KEPT - len(kept)]
            left -= len(piece)
        return kept

    def _line(self) -> bytes:
        """A line without its end, which the last of a file may lack: unpicklers drop its last byte then."""
        kept = piece = self._stream.readline(MAX_KEPT)
        while len(piece) == MAX_KEPT and not piece.endswith(b"\n"):
            piece = self._stream.readline(MAX_KEPT)
        return kept[:-1]


def _line_value(name: str, line: bytes) -> Any:
    """The text of STRING and UNICODE with its escapes, the number of PUT and GET."""
    if name == "UNICODE":
        return line.decode("raw-unicode-escape", "replace")
    if name == "STRING":
        return _ESCAPE.sub(_unescaped, line.strip()[1:-1]).decode("utf-8", "replace")
    if name in _PUTS | _GETS:
        try:
            return int(line)
        except ValueError:
            return None
    return None


def _unescaped(found: re.Match[bytes]) -> bytes:
    hexadecimal, octal, other = found.groups()
    if other is not None:
        return bytes(other)
    return bytes(((int(hexadecimal, 16) if hexadecimal else int(octal, 8)) & 0xFF,))


class _Machine:
    """The unpickler's stack and memo, as far as texts are on them: everything else is None."""

    def __init__(self, imports: set[str], calls: set[str]) -> None:
        self._imports = imports
        self._calls = calls
        self._stack: list[Any] = []
        self._memo: dict[int | None, Any] = {}

    def step(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Take one opcode. An underflow is not an error here: it makes names unknown."""
        name, stack = opcode.name, self._stack
        if name in CALLS:
            self._calls.add(name)
        if name in _GLOBALS:
            self._import(*argument)
        elif name == "STACK_GLOBAL":
            self._import(*(value if isinstance(value, str) else _UNKNOWN for value in (stack[-2:] or [None])))
        elif name in _EXTENSIONS:
            self._import("copyreg", f"extension {argument}")
        if name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1] if stack else None
        elif name in _PUTS:
            self._memo[argument] = stack[-1] if stack else None
        elif name in _GETS:
            stack.append(self._memo.get(argument))
        elif name == "DUP":
            stack.append(stack[-1] if stack else None)
        else:
            self._pop(opcode)
            text = argument if isinstance(argument, str) and name not in _GLOBALS else None
            stack.extend(_MARK if pushed is pickletools.markobject else text for pushed in opcode.stack_after)

    def _pop(self, opcode: pickletools.OpcodeInfo) -> None:
        stack, before = self._stack, opcode.stack_before
        if pickletools.markobject in before or (opcode.name == "POP" and stack and stack[-1] is _MARK):
            while stack and stack.pop() is not _MARK:
                pass
            before = before[: before.index(pickletools.markobject)] if pickletools.markobject in before else []
        if before:
            del stack[-len(before) :]

    def _import(self, module: str, name: str = _UNKNOWN) -> None:
        # Bounded and printable, since it is shown; a thousand names more than are listed are kept at most.
        if len(self._imports) <= 2 * MAX_NAMES:
            text = f"{module}.{name}"[:200]
            self._imports.add(text if text.isprintable() else ascii(text)[1:-1][:200])


_MARK: Final = object()
