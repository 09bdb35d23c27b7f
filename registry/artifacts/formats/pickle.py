"""What a pickle imports and calls, by its opcodes (PEP 307, PEP 3154; CPython's `pickletools`). Nothing is loaded.

The machine's stack is followed as `pickletools.dis` does it, so that the names behind STACK_GLOBAL are found through
the memo too. What stops the reading does not hide what came before: a loader would have run that as well.
"""

import pickletools
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, Final, cast

from registry.errors import InvalidModelFile

MAX_OPCODES: Final = 5_000_000
MAX_VALUE: Final = 64 << 20
"""Bytes of the longest value in a pickle that is read; arrays of numbers are values."""
MAX_LINE: Final = 1 << 16
MAX_PICKLES: Final = 16
"""Pickles in a row in one file; a PyTorch file of the old form has five, and its weights after them."""
MAX_NAMES: Final = 1000

CALLS: Final = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})
"""Opcodes that call something, or set the state of an object."""
_GLOBALS: Final = frozenset({"GLOBAL", "INST"})
_EXTENSIONS: Final = frozenset({"EXT1", "EXT2", "EXT4"})
_PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GETS: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})
_UNKNOWN: Final = "?"


@dataclass(frozen=True, slots=True)
class PickleReport:
    """What one or more pickles import (`module.name`, sorted) and call; `problem` says why they were not read on.

    `pickles` are those that were read to their end.
    """

    imports: tuple[str, ...]
    calls: tuple[str, ...]
    pickles: int
    problem: str

    @property
    def runs_code(self) -> bool:
        """Whether loading imports or calls anything."""
        return bool(self.imports or self.calls)


def read_pickles(stream: BinaryIO) -> PickleReport:
    """Read pickles that follow each other, from where the stream stands. Never raises for what they hold."""
    imports: set[str] = set()
    calls: set[str] = set()
    bounded = _Bounded(stream)
    pickles, problem = 0, ""
    while pickles < MAX_PICKLES and not problem:
        opcodes = _Machine(imports, calls)
        try:
            for opcode, argument, _ in pickletools.genops(cast(IO[bytes], bounded)):
                opcodes.step(opcode, argument)
                bounded.count()
        except _Limit as limit:
            problem = str(limit)
        except InvalidModelFile as error:
            problem = error.message
        except (ValueError, OverflowError, MemoryError) as error:
            problem = f"not a pickle beyond this point: {error}"[:200]
        else:
            pickles += 1
            if bounded.at_end():
                break
    if len(imports) > MAX_NAMES:
        problem = f"{len(imports)} names, of which {MAX_NAMES} are listed"
    return PickleReport(tuple(sorted(imports)[:MAX_NAMES]), tuple(sorted(calls)), pickles, problem)


class _Limit(Exception):
    """More than is read."""


class _Bounded:
    """A stream for genops, which would ask for as many bytes as a pickle says."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._peeked = b""
        self._opcodes = 0

    def read(self, count: int) -> bytes:
        if not 0 <= count <= MAX_VALUE:
            raise _Limit(f"a value of {count} bytes, and {MAX_VALUE} is the most that is read")
        start, self._peeked = self._peeked[:count], self._peeked[count:]
        return start + self._stream.read(count - len(start)) if count > len(start) else start

    def readline(self) -> bytes:
        start, self._peeked = self._peeked, b""
        line = start if start.endswith(b"\n") else start + self._stream.readline(MAX_LINE)
        if len(line) >= MAX_LINE:
            raise _Limit(f"a line of {MAX_LINE} bytes or more")
        # genops takes ASCII and its escapes only, and unpicklers take more: no text may end the reading
        return line.replace(b"\\", b"/").decode("latin-1").encode("ascii", "replace")

    def at_end(self) -> bool:
        self._peeked = self._peeked or self._stream.read(1)
        return not self._peeked

    def count(self) -> None:
        self._opcodes += 1
        if self._opcodes > MAX_OPCODES:
            raise _Limit(f"more than {MAX_OPCODES} opcodes")


class _Machine:
    """The unpickler's stack and memo, as far as texts are on them: everything else is None."""

    def __init__(self, imports: set[str], calls: set[str]) -> None:
        self._imports = imports
        self._calls = calls
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Take one opcode. An underflow is not an error here: it makes names unknown."""
        name, stack = opcode.name, self._stack
        if name in CALLS:
            self._calls.add(name)
        if name in _GLOBALS:
            self._import(*str(argument).split(" ", 1))
        elif name == "STACK_GLOBAL":
            self._import(*(value if isinstance(value, str) else _UNKNOWN for value in (stack[-2:] or [None])))
        elif name in _EXTENSIONS:
            self._import("copyreg", f"extension {argument}")
        if name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1] if stack else None
        elif name in _PUTS:
            self._memo[int(argument)] = stack[-1] if stack else None
        elif name in _GETS:
            stack.append(self._memo.get(int(argument)))
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
