"""What of a model runs code is listed, under whatever name and in whatever wrapping, and what runs none is not."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from model_files import archive, codes, describe, message, onnx, onnx_tensor
from test_pickle import Runs

from registry.artifacts.digest import digest_artifact
from registry.artifacts.formats import archive as archive_module
from registry.artifacts.formats import pickle as pickle_module
from registry.artifacts.model import DescribedModel, describe_model
from registry.artifacts.named_imports import MAX_CONFIG

EVIL = pickle.dumps(Runs())
TORCH = archive({"m/data.pkl": EVIL, "m/version": b"3\n", "m/data/0": bytes(64)})


def running(described: DescribedModel) -> list[tuple[str, str]]:
    return [(one.path, one.kind) for one in described.section.runs_code]


def array(description: str) -> bytes:
    """A NumPy array of that description, and a pickle for its elements."""
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(description)) + description.encode() + EVIL


def old_tar(data: bytes) -> bytes:
    """A tar archive from before the word `ustar`."""
    out = io.BytesIO()
    member = tarfile.TarInfo("pickle")
    member.size = len(data)
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as made:
        made.addfile(member, io.BytesIO(data))
    raw = bytearray(out.getvalue())
    raw[257:265], raw[148:156] = bytes(8), b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    with tarfile.open(fileobj=io.BytesIO(bytes(raw)), mode="r:") as read:
        assert read.getnames() == ["pickle"]
    return bytes(raw)


def two_lists(named: dict[str, bytes], last: dict[str, bytes]) -> bytes:
    """A ZIP archive with two lists of members: at the place that its end names, and before its end."""
    first, second = archive(named), archive(last)
    place, length = struct.unpack("<16xI2x", first[-22:])[0], struct.unpack("<12xI6x", second[-22:])[0]
    return first[:-22] + second[:-22] + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, length, place, 0)


KERAS_2 = (
    b'{"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {"function": ["4wE"]}}]}}'
)
KERAS_3 = (
    b'{"module": "keras", "class_name": "Sequential", "config": {"layers": [%s]}, "registered_name": "Sequential"}'
)
DENSE = b'{"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": null}'
OTHERS = b'{"module": "subprocess", "class_name": "function", "config": "run", "registered_name": "function"}'

SAVED = message((1, 1), (2, message((2, message((1, message((2, "PyFunc"))))))))
HDF5 = b"\x89HDF\r\n\x1a\n"
HIDDEN = b"cos\nsystem\n(S'exit 1'\ntR"  # runs, and has no end by which it would be known as a pickle


class TestRunsCode:
    @pytest.mark.parametrize(
        ("path", "data", "kinds"),
        [
            ("modeling.py", "print()", ["python"]),
            ("cache/x.pyc", b"\0", ["python"]),
            ("lib/op.so.1", b"", ["native-library"]),
            ("op.dll", b"", ["native-library"]),
            ("innocent.txt", b"\x7fELF" + bytes(100), ["native-library"]),
            ("innocent.json", b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0", ["native-library"]),
            ("mz.txt", b"MZ" + bytes(100), []),
            ("model.pkl", EVIL, ["pickle"]),
            ("plain.pkl", pickle.dumps({"a": 1}), []),
            ("broken.pkl", b"\xff\xff", ["pickle"]),
            ("compressed.joblib", gzip.compress(EVIL, mtime=0), ["pickle"]),
            ("pytorch_model.bin", EVIL, ["pickle"]),
            ("pytorch_model0.bin", pickle.dumps(Runs(), 0), ["pickle"]),
            ("weights.bin", bytes(range(256)), []),
            ("innocent.txt", EVIL, ["pickle"]),
            ("torch.pt", TORCH, ["pickle"]),
            ("behind.pt", b"anything before it" + TORCH, ["pickle"]),
            ("torch.renamed", TORCH, ["pickle"]),
            ("model.ckpt", bytes(257) + b"ustar" + bytes(300), ["pickle"]),
            ("script.pt", archive({"m/code/__torch__.py": b"", "m/constants.pkl": pickle.dumps(())}), ["torchscript"]),
            ("package.zip", archive({"a/b.py": b"", "a/c.so": b""}), ["native-library", "python"]),
            ("objects.npy", b"\x93NUMPY\1\0\x13\0{'descr': '|O', } \n" + EVIL, ["pickle"]),
            ("numbers.npy", b"\x93NUMPY\1\0\x13\0{'descr': '<f4',} \n" + EVIL, []),
            ("o.npz", archive({"a.npy": b"\x93NUMPY\1\0\x13\0{'descr': '|O', } \n" + EVIL}), ["pickle"]),
            ("m.h5", b"\x89HDF" + bytes(1 << 20) + b'{"class_name": "Lambda", "config": 1}', ["keras-lambda"]),
            ("m.keras", archive({"config.json": b'{"class_name": "Lambda"}'}), ["keras-lambda"]),
            ("m.keras", archive({"config.json": b'{"class_name": "Dense"}'}), []),
            ("m.onnx", onnx(onnx_tensor("w", (1,), location="../../etc/passwd")), ["onnx-external"]),
        ],
    )
    def test_by_kind(self, tmp_path: Path, path: str, data: bytes | str, kinds: list[str]) -> None:
        described = describe(tmp_path, {path: data})
        assert running(described) == [(path, kind) for kind in kinds]
        assert described.findings == ()

    @pytest.mark.parametrize(
        ("path", "data", "kind"),
        [
            ("first.bin", b"I0x10\n0" + HIDDEN, "pickle"),
            ("escaped.bin", b"V\\u006fs\nV\\u0073ystem\n\x93(Vid\ntR", "pickle"),
            ("long.bin", b"V" + b"a" * 70_000 + b"\n0" + HIDDEN, "pickle"),
            ("hyphen.bin", b"cmy-module\nx\n", "pickle"),
            ("unknown.dat", b"\x80\x02I0x10\n0" + HIDDEN, "pickle"),
            ("old.pdparams", HIDDEN, "pickle"),
            ("no.suffix", HIDDEN + b".", "pickle"),
            ("pickle.npy", HIDDEN, "pickle"),
            ("quoted.npy", array("{'descr': \"|O\"}"), "pickle"),
            ("escaped.npy", array("{'descr': '\\x7cO'}"), "pickle"),
            ("named.npy", array("{'descr': 'object'}"), "pickle"),
            ("fields.npy", array("{'descr': [('a', '<f4'), ('b', 'O')]}"), "pickle"),
            ("empty.npy", b"PK\5\6" + bytes(18) + archive({"a": array("{'descr': 'O'}")}), "pickle"),
            ("a.npz", archive({"a": array("{'descr': '|O'}")}), "pickle"),
            ("storage.npz", archive({"data/0": array("{'descr': '|O'}")}), "pickle"),
            ("folder.npz", archive({"data/": array("{'descr': '|O'}")}), "pickle"),
            ("old.pt", old_tar(EVIL), "pickle"),
            ("m.nemo", gzip.compress(b"x", mtime=0), "pickle"),
            ("m.pkl.gz", gzip.compress(EVIL, mtime=0), "pickle"),
            ("inner.mar", archive({"model.pt": TORCH}), "pickle"),
            ("weights.zip", archive({"pytorch_model.bin": HIDDEN}), "pickle"),
            ("lists.pt", two_lists({"m/data.pkl": EVIL}, {"m/data.pkl": b"N."}), "pickle"),
            ("m.h5", b"\x89HDF" + b'{"class_n\\u0061me": "L\\u0061mbda"}', "keras-lambda"),
            ("m.keras", archive({"config.json": b'{"class_name": "Lamb\\u0064a"}'}), "keras-lambda"),
            ("m.keras", archive({"config.json": b'{"module": "subprocess", "class_name": "run"}'}), "auto_map"),
            ("package.pt", archive({"m/data.pkl": b"N.", "data/0": EVIL}), "pickle"),
            ("old.keras", HDF5 + b'{"class_name": "Lambda"}', "keras-lambda"),
            ("hdf5", HDF5 + b'{"class_name": "Lambda"}', "keras-lambda"),
            ("keras_metadata.pb", b'\x0a\x40{"class_name": "Lambda"}', "keras-lambda"),
            ("op", b"\0asm\1\0\0\0", "native-library"),
            ("net.engine", b"anything", "native-library"),
            ("net.TRT", b"", "native-library"),
            ("engine.bin", b"ftrt" + bytes(100), "native-library"),
            ("1/saved_model.pb", SAVED, "tensorflow-op"),
            ("saved_model.pb", SAVED[:-1], "tensorflow-op"),
            ("Frozen.PB", SAVED, "tensorflow-op"),
            ("graph.pbtxt", b"node { op: 'WriteFile' }", "tensorflow-op"),
            ("model.json", KERAS_2, "keras-lambda"),
            ("architecture.txt", KERAS_2, "keras-lambda"),
            ("model.JSON", KERAS_3 % b'{"class_name": "__lambda__", "config": {"value": 1}}', "keras-lambda"),
            ("model.json", KERAS_2.replace(b'"Lambda"', b"\n\t" * 400 + b'"L\\u0061mbda"'), "keras-lambda"),
            ("model.json", KERAS_2.replace(b'": "Lam', b'_nam\\u0065": 1, "\\u0063lass_name": "Lam'), "keras-lambda"),
            ("model.json", KERAS_2.decode().encode("utf-16"), "keras-lambda"),
            ("model.json", b" " * (1 << 20) + KERAS_2, "keras-lambda"),
            ("model.json", b" " * ((1 << 20) - 70) + KERAS_2.replace(b"Lambda", b"Lambd\\u0061"), "keras-lambda"),
            ("model.json", KERAS_3 % OTHERS, "auto_map"),
            ("m.h5", HDF5 + bytes((1 << 20) - 30) + KERAS_3 % OTHERS, "auto_map"),
            ("m.h5", HDF5 + KERAS_3 % OTHERS.replace(b"subprocess", b"a." * 300), "auto_map"),
            ("m.keras", archive({"config.json": KERAS_3 % OTHERS.replace(b": ", b":" + b" " * 400)}), "auto_map"),
            ("model.json", KERAS_3 % (DENSE + b', {"a": 1, "a": NaN}, ' + OTHERS), "auto_map"),
            ("model.json", b" " * MAX_CONFIG + KERAS_3 % OTHERS, "auto_map"),
        ],
    )
    def test_it_does_not_hide(self, tmp_path: Path, path: str, data: bytes, kind: str) -> None:
        assert running(describe(tmp_path, {path: data})) == [(path, kind)]

    @pytest.mark.parametrize("limit", ["MAX_OPCODES", "MAX_INFLATED"])
    def test_what_is_too_long_to_be_read_is_listed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
    ) -> None:
        monkeypatch.setattr(pickle_module if limit == "MAX_OPCODES" else archive_module, limit, 1000)
        data = b"N0" * 1000 + HIDDEN
        described = describe(tmp_path, {"m": data if limit == "MAX_OPCODES" else archive({"m": data})})
        assert running(described) == [("m", "pickle")]

    @pytest.mark.parametrize(
        ("path", "data"),
        [
            ("fields.npy", array("{'descr': [('a', '<f4'), ('b', '|S3', (2,)), ('O', [('c', '<M8[ns]')])]}")),
            ("shaped.npy", array("{'descr': ('<f8', (3,))}")),
            ("words.txt", b"cats\nand dogs\nare animals.\n"),
            ("floats.bin", b"\x82\x07\xff"),
            ("data.gz", gzip.compress(EVIL, mtime=0)),
            ("document.docx", archive({"word/document.xml": b"<x/>"})),
            ("m.keras", archive({"config.json": b'{"module": "keras.layers", "class_name": "Dense"}'})),
            ("model.json", KERAS_3 % DENSE),
            ("m.h5", HDF5 + (KERAS_3 % DENSE + bytes(100)) * 6000),
            ("saved_model.pb", SAVED.replace(b"PyFunc", b"MatMul")),
            ("other.pb", SAVED[:-1]),
            ("config.pbtxt", b'name: "triton" instance_group [{ kind: KIND_CPU }]'),
            ("vocab.json", b'{"Lambda": 1, "__lambda__": 2, "class_name": 3, "config": 4, "module": 5}'),
            ("classes.json", b'[{"class_name": "A", "module": "b"}, {"class_name": "C", "config": {}}, "Lambda"]'),
        ],
    )
    def test_what_runs_nothing_is_not_listed(self, tmp_path: Path, path: str, data: bytes) -> None:
        assert running(describe(tmp_path, {path: data})) == []

    def test_what_it_imports_is_said_the_unusual_first(self, tmp_path: Path) -> None:
        harmless = b"".join(b"ctorch.nn\nA%d\n" % i for i in range(20))
        described = describe(tmp_path, {"model.bin": harmless + b"cos\nsystem\n(S'x'\ntR."})
        (one,) = described.section.runs_code
        assert one.detail.startswith("imports os.system, torch.nn.A0, ")
        assert one.detail.endswith("and 13 more; opcodes REDUCE")

    @pytest.mark.parametrize(
        ("path", "value", "entries"),
        [
            (
                "config.json",
                {"auto_map": {"AutoModel": "owner/repo--modeling.X"}},
                [("auto_map", "owner/repo--modeling.X")],
            ),
            ("deep/tokenizer_config.json", {"a": [{"auto_map": {"T": ["t.A", None]}}]}, [("auto_map", "t.A")]),
            ("config.json", {"custom_pipelines": {"p": {"impl": "p.P"}}}, [("auto_map", "p.P")]),
            ("adapter_config.json", {"trust_remote_code": True}, [("trust_remote_code", "")]),
            ("config.json", {"trust_remote_code": False, "auto_map": {}}, []),
            ("modules.json", [{"type": "sentence_transformers.models.Pooling"}], []),
            ("modules.json", [{"type": "custom.Transformer"}], [("auto_map", "custom.Transformer")]),
            ("data.json", {"auto_map": {"AutoModel": "x.Y"}}, []),
            ("Config.JSON", {"auto_map": {"AutoModel": "x.Y"}}, [("auto_map", "x.Y")]),
            ("adapter_config.json", {"auto_mapping": {"parent_library": "evil"}}, [("auto_map", "evil")]),
            ("adapter_config.json", {"auto_mapping": {"parent_library": "transformers.models.x"}}, []),
            (
                "model_index.json",
                {"_class_name": ["pipe", "P"], "unet": ["diffusers", "U"], "vae": ["mine", "V"], "x": [None, None]},
                [("auto_map", "mine.V, pipe.P")],
            ),
        ],
    )
    def test_what_configurations_make_a_loader_import(
        self, tmp_path: Path, path: str, value: Any, entries: list[tuple[str, str]]
    ) -> None:
        described = describe(tmp_path, {path: json.dumps(value)})
        assert [(one.kind, one.detail) for one in described.section.runs_code] == entries

    def test_a_key_twice_does_not_hide_it(self, tmp_path: Path) -> None:
        described = describe(tmp_path, {"config.json": '{"auto_map": {}, "auto_map": {"A": "x.Y"}}'})
        assert running(described) == [("config.json", "auto_map")]

    @pytest.mark.parametrize("before", ['"a": 1, "a": 2', '"a": NaN', '"a": "\\ud800"'])
    def test_what_loaders_take_for_json_does_not_hide_it(self, tmp_path: Path, before: str) -> None:
        described = describe(tmp_path, {"config.json": f'{{{before}, "auto_m\\u0061p": {{"A": "x.Y"}}}}'})
        assert running(described) == [("config.json", "auto_map")]


class TestArchives:
    def test_a_member_that_cannot_be_read_is_listed(self, tmp_path: Path) -> None:
        damaged = bytearray(archive({"m/data.pkl": EVIL}))
        damaged[damaged.index(EVIL) + len(EVIL) - 1] ^= 1  # its CRC does not agree any more
        assert "CRC" in describe(tmp_path, {"m.pt": bytes(damaged)}).section.runs_code[0].detail

    def test_a_bomb_is_not_inflated(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive_module, "MAX_INFLATED", 1 << 20)
        monkeypatch.setattr(archive_module, "MAX_RATIO", 100)
        steep = archive({"m/data.pkl": bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
        wide = archive(
            {f"m/{i}.pkl": b"\x80\x04B" + struct.pack("<I", 1 << 18) + bytes(1 << 18) + b"." for i in range(9)}
        )
        described = describe(tmp_path, {"steep.pt": steep, "wide.pt": wide})
        steep_one, wide_one = described.section.runs_code
        assert "grow more" in steep_one.detail and "came out" in wide_one.detail

    def test_an_archive_that_is_cut_off_is_a_finding(self, tmp_path: Path) -> None:
        described = describe(tmp_path, {"m.pt": TORCH[:-30], "n.docx": TORCH[:-30]})
        assert codes(described) == [("invalid-archive", "m.pt"), ("invalid-archive", "n.docx")]
        assert running(described) == [("m.pt", "pickle")]

    def test_another_compression_is_listed(self, tmp_path: Path) -> None:
        described = describe(tmp_path, {"m.pt": archive({"m/data.pkl": EVIL}, zipfile.ZIP_LZMA)})
        assert "method 14" in described.section.runs_code[0].detail

    def test_a_list_of_members_is_bounded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive_module, "MAX_DIRECTORY", 100)
        described = describe(tmp_path, {"m.pt": archive({f"{i:040d}": b"" for i in range(9)})})
        assert "list of members" in described.section.unread[0].reason
        monkeypatch.setattr(archive_module, "MAX_DIRECTORY", 1 << 20)
        monkeypatch.setattr(archive_module, "MAX_MEMBERS", 3)
        assert "9 members" in describe_model(digest_artifact(tmp_path)).section.unread[0].reason


def test_nothing_is_left_open_or_loaded(tmp_path: Path) -> None:
    described = describe(tmp_path, {"evil.pkl": EVIL, "m.pt": TORCH})
    assert len(described.section.runs_code) == 2
    assert io.BytesIO(EVIL).read() == (tmp_path / "evil.pkl").read_bytes()
