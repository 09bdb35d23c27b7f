"""Operations of a graph are found in whatever message it stands, and in its text, and nothing else is one."""

import io
from pathlib import Path

import pytest
from model_files import message, varint

from registry.artifacts.formats import protobuf
from registry.artifacts.formats.tensorflow import GraphReport, read_graph, read_text_graph

CORPUS = Path(__file__).resolve().parents[3] / "fuzz" / "corpus" / "tensorflow"


def node(operation: str, name: str = "n", *attributes: tuple[str, str]) -> bytes:
    values = [(5, message((1, key), (2, message((2, value))))) for key, value in attributes]
    return message((1, name), (2, operation), (3, "input"), *values)


def graph(*nodes: bytes, functions: tuple[bytes, ...] = ()) -> bytes:
    library = message(*((1, message((1, message((1, "f"))), *((3, one) for one in functions))),)) if functions else b""
    return message(*((1, one) for one in nodes), (2, library), (3, 1))


def saved(*graphs: bytes) -> bytes:
    return message((1, 1), *((2, message((1, message((5, "2.21"))), (2, one))) for one in graphs))


PLAIN = node("Const"), node("MatMul"), node("SaveV2"), node("RestoreV2"), node("StatefulPartitionedCall")


def look(data: bytes, *, required: bool = False) -> GraphReport:
    return read_graph(io.BytesIO(data), len(data), required=required)


class TestWhatTensorFlowWrites:
    """A function that calls Python, writes a file and prints to one, as version 2.21 writes it."""

    FOUND = GraphReport(("EagerPyFunc", "PrintV2", "WriteFile"))

    def test_as_a_graph(self) -> None:
        assert look((CORPUS / "tensorflow-2.21.graph").read_bytes()) == self.FOUND

    def test_as_a_saved_model(self) -> None:
        found = look((CORPUS / "tensorflow-2.21.saved").read_bytes(), required=True)
        assert found == GraphReport(("EagerPyFunc", "WriteFile"))  # it was told to leave out what prints

    def test_as_text(self) -> None:
        with (CORPUS / "tensorflow-2.21.text").open("rb") as stream:
            assert read_text_graph(stream) == self.FOUND


class TestGraph:
    @pytest.mark.parametrize(
        "data",
        [
            graph(*PLAIN, node("WriteFile"), node("EagerPyFunc")),
            message((1, message((1, "1.0"))), (2, graph(node("WriteFile"), node("EagerPyFunc")))),
            saved(graph(*PLAIN, node("WriteFile"), node("EagerPyFunc"))),
            saved(graph(*PLAIN), graph(node("WriteFile"), functions=(node("EagerPyFunc"),))),
            saved(graph(message((2, "Const"), (2, "WriteFile")), node("EagerPyFunc"))),
            b"\x53\x08\x07\x54" + saved(graph(node("WriteFile"), b"\x9b\x06\x9c\x06" + node("EagerPyFunc"))),
        ],
        ids=["frozen graph", "MetaGraphDef", "SavedModel", "functions", "field twice", "groups"],
    )
    def test_operations_are_found_wherever_a_graph_stands(self, data: bytes) -> None:
        assert look(data) == GraphReport(("EagerPyFunc", "WriteFile"))

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            graph(*PLAIN),
            saved(graph(*PLAIN, functions=PLAIN)),
            saved(graph(node("Const", "PyFunc", ("WriteFile", "ReadFile")))),
            saved(graph(node("PyFunc" * 20))),
            b"no message at all",
        ],
        ids=["empty", "graph", "saved", "names and values", "long", "noise"],
    )
    def test_all_else_is_passed_over(self, data: bytes) -> None:
        assert look(data) == GraphReport(())

    def test_printing_to_a_file_is_found(self) -> None:
        to_file = node("PrintV2", "n", ("output_stream", "file:///etc/profile"))
        assert look(graph(node("PrintV2", "n", ("output_stream", "stderr")), node("Const"))) == GraphReport(())
        assert look(graph(to_file, node("PyFunc"))) == GraphReport(("PrintV2", "PyFunc"))
        assert look(graph(node("PrintV2", "n" * (1 << 16)))) == GraphReport(("PrintV2",))

    def test_a_saved_model_is_to_be_sound(self) -> None:
        whole = saved(graph(node("PyFunc")), graph(*PLAIN))
        assert look(whole, required=True) == GraphReport(("PyFunc",))
        assert look(whole[:-1]) == GraphReport(())
        assert look(whole[:-1], required=True) == GraphReport(("PyFunc",), "it ends in the middle of a field")

    def test_what_has_too_many_fields_is_not_passed_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protobuf, "MAX_FIELDS", 100)
        report = look(graph(node("PyFunc"), *PLAIN * 20))
        assert report == GraphReport(("PyFunc",), "it has more than 100 fields")

    def test_a_large_constant_is_not_read(self) -> None:
        constant = message((1, "n"), (2, "Const"), (5, bytes(1 << 20)))
        assert look(graph(constant, node("ReadFile"))) == GraphReport(("ReadFile",))

    def test_a_length_leads_nowhere(self) -> None:
        assert look(b"\x0a" + varint(2**63) + b"\x12\x06PyFunc") == GraphReport(())


class TestText:
    @pytest.mark.parametrize(
        "text",
        [
            'node { name: "n" op: "PyFunc" }',
            "meta_graphs { graph_def { node { op\t:\n'PyFunc' } } }",
            'node { op: "Const" }' + " " * (1 << 20) + 'node { op: "PyFunc" }',
            "x" * ((1 << 20) - 4) + ' op: "PyFunc" }',
            'node { op: "Const" }' * 60_000 + 'node { op: "PyFunc" }',
        ],
        ids=["plain", "single quotes", "far", "across blocks", "long"],
    )
    def test_operations_are_found(self, text: str) -> None:
        assert read_text_graph(io.BytesIO(text.encode())) == GraphReport(("PyFunc",))

    @pytest.mark.parametrize(
        "text",
        [
            r'node { op: "Py\106unc" }',
            'node { op: "Py" "Func" }',
            'node { op: # a remark\n "PyFunc" }',
            'node { op # a remark\n : "PyFunc" }',
            ("x" * (1 << 20))[: -len('op: "Py\\1')] + r'op: "Py\106unc"',
        ],
        ids=["escaped", "in parts", "a remark", "a remark before", "at the end of a block"],
    )
    def test_an_unusual_form_is_told(self, text: str) -> None:
        assert read_text_graph(io.BytesIO(text.encode())).problem == "it names an operation in an unusual form"

    def test_all_else_is_passed_over(self) -> None:
        text = 'stripped_op_list { op { name: "PyFunc" } } node { name: "PyFunc" op: "Const" attr { key: "x" } }'
        assert read_text_graph(io.BytesIO(text.encode())) == GraphReport(())
        assert read_text_graph(io.BytesIO(b'item { name: "WriteFile" id: 1 }')) == GraphReport(())
