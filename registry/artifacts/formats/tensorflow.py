"""Operations of a TensorFlow graph that run code, reach files or the network as it runs, told from their names alone.

A graph stands in a SavedModel (saved_model.proto), a MetaGraphDef (meta_graph.proto) or by itself (graph.proto), its
nodes also in functions (function.proto, node_def.proto), each as Protocol Buffers or in their text format. Which of
these a file is only its loader knows, so that it is read as all of them.

Not listed: what writes and restores variables and reads tables of words, which every saved model has.
"""

import re
from dataclasses import dataclass
from typing import BinaryIO, Final

from registry.artifacts.formats.protobuf import BYTES, Fields
from registry.errors import InvalidModelFile

OPERATIONS: Final = frozenset(
    {
        *("PyFunc", "PyFuncStateless", "EagerPyFunc", "DatasetFromGraph", "TRTEngineOp", "XlaHostCompute"),
        *("RemoteCall", "Rpc", "RpcCall", "RpcClient", "RpcServer", "TryRpc", "RegisterDataset", "RegisterDatasetV2"),
        *("ReadFile", "WriteFile", "MatchingFiles", "MatchingFilesDataset", "ExperimentalMatchingFilesDataset"),
        *("ImmutableConst", "SqlDataset", "ExperimentalSqlDataset", "CSVDataset", "CSVDatasetV2"),
        *("ExperimentalCSVDataset", "LMDBDataset", "ExperimentalLMDBDataset", "TextLineDataset", "TFRecordDataset"),
        *("TFRecordDatasetV2", "FixedLengthRecordDataset", "FixedLengthRecordDatasetV2", "DatasetToTFRecord"),
        *("ExperimentalDatasetToTFRecord", "CacheDataset", "CacheDatasetV2", "SnapshotDataset", "SnapshotDatasetV2"),
        *("SaveDataset", "SaveDatasetV2", "LoadDataset", "DistributedSave", "DataServiceDataset"),
        *("DataServiceDatasetV2", "DataServiceDatasetV3", "DataServiceDatasetV4", "WholeFileReader"),
        *("WholeFileReaderV2", "TextLineReader", "TextLineReaderV2", "TFRecordReader", "TFRecordReaderV2"),
        *("FixedLengthRecordReader", "FixedLengthRecordReaderV2", "LMDBReader", "FileSystemSetConfiguration"),
        *("CreateSummaryFileWriter", "CreateSummaryDbWriter", "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3"),
        *("DebugNanCount", "DebugNumericSummary", "DebugNumericSummaryV2", "LoadAndRemapMatrix", "RecordInput"),
        *("SnapshotDatasetReader", "SnapshotNestedDatasetReader", "XlaCustomCall", "XlaCustomCallV2"),
    }
)
"""Names of operations (tensorflow/core/ops), also of versions that newer ones no longer have."""

_PRINT: Final = "PrintV2"
"""It prints to a file where its output_stream is file://…."""
_LONGEST_PRINT: Final = 1 << 16
_LONGEST_NAME: Final = 64
_MESSAGES: Final = {
    "SavedModel": {2: "MetaGraph"},
    "MetaGraph": {2: "Graph"},
    "Graph": {1: "Node", 2: "Library"},
    "Library": {1: "Function"},
    "Function": {3: "Node"},
    "Node": {},
}
_ROOTS: Final = ("SavedModel", "MetaGraph", "Graph")
_SPACES: Final = b" \t\r\n"
_PLAIN: Final = re.compile(rb"""op:(?:"([^"\\]{0,64})"|'([^'\\]{0,64})')(?!["'])""")
_ANY: Final = re.compile(rb"op(?::[^{<]|#)")
_OVERLAP: Final = 256


@dataclass(frozen=True, slots=True)
class GraphReport:
    """What was found of OPERATIONS, sorted, and why there may be more; empty when there is not."""

    operations: tuple[str, ...]
    problem: str = ""


def read_graph(stream: BinaryIO, size: int, *, required: bool = False) -> GraphReport:
    """Look through a file of `size` bytes. What is no graph has no operations, and is a problem where it must be one.

    A graph that is not sound is none: TensorFlow does not load it.
    """
    found: set[str] = set()
    problems: list[str] = []
    for root in _ROOTS:
        fields = Fields(stream)
        walk = _Walk(fields)
        try:
            walk.run(root, size)
        except InvalidModelFile as error:
            if not fields.exhausted and (root != "SavedModel" or not required):
                continue
            problems.append(error.message)
        found |= walk.found
    return GraphReport(tuple(sorted(found)), problems[0] if problems else "")


def read_text_graph(stream: BinaryIO) -> GraphReport:
    """Look through a graph in the text format; a name in an unusual form (escaped, in parts) is a problem."""
    found: set[str] = set()
    prints = to_file = unusual = False
    before, block = b"", b"\n"
    while block:
        block = stream.read(1 << 20)
        text = before + block.translate(None, _SPACES)
        named = [(match.start(), (match[1] or match[2] or b"").decode("latin-1")) for match in _PLAIN.finditer(text)]
        found |= {name for _, name in named if name in OPERATIONS}
        prints = prints or any(name == _PRINT for _, name in named)
        to_file = to_file or b"file:" in text
        plain = {start for start, _ in named}
        whole = len(text) - _OVERLAP if block else len(text)  # a name that may be cut off is looked at once more
        unusual = unusual or any(match.start() < whole and match.start() not in plain for match in _ANY.finditer(text))
        before = text[-_OVERLAP:]
    if prints and to_file:
        found.add(_PRINT)
    return GraphReport(tuple(sorted(found)), "it names an operation in an unusual form" if unusual else "")


@dataclass(slots=True)
class _Message:
    kind: str
    start: int
    end: int
    prints: bool = False


class _Walk:
    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self.found: set[str] = set()

    def run(self, root: str, size: int) -> None:
        """Walk over a message. Raises InvalidModelFile; `found` is what was found until then."""
        fields, stack = self._fields, [_Message(root, 0, size)]
        while stack:
            message = stack[-1]
            if fields.position == message.end:
                self._close(stack.pop())
                continue
            number, kind, length = fields.field(message.end)
            if kind != BYTES:
                continue
            inner = _MESSAGES[message.kind].get(number)
            if inner is not None:
                stack.append(_Message(inner, fields.position, fields.position + length))
            elif message.kind == "Node" and number == 2 and length <= _LONGEST_NAME:
                self._operation(message, fields.take(length).decode("latin-1"))
            else:
                fields.position += length

    def _operation(self, node: _Message, name: str) -> None:
        if name in OPERATIONS:
            self.found.add(name)
        node.prints = node.prints or name == _PRINT

    def _close(self, message: _Message) -> None:
        if message.prints:
            fields = self._fields
            fields.position = message.start
            if b"file:" in fields.take(min(message.end - message.start, _LONGEST_PRINT)) or (
                message.end - message.start > _LONGEST_PRINT
            ):
                self.found.add(_PRINT)
            fields.position = message.end
