"""What should stop a publish is found, and sound files are left alone."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts.digest import digest_artifact
from registry.artifacts.preflight import preflight

ONNX = b"\x08\x09\x12\x04test\x3a\x03\x0a\x01x"
"""ir_version 9, producer_name "test", a graph of three bytes."""
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
PRIVATE_KEY = (
    "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n"
)
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEYSTORE = {"version": 3, "address": "00", "crypto": {"ciphertext": "00", "kdf": "scrypt", "mac": "00"}}


def safetensors(end: int = 8, *, header: Any = None) -> bytes:
    """A safetensors file with one tensor of `end` bytes."""
    if header is None:
        header = {"__metadata__": {"format": "pt"}, "w": {"dtype": "U8", "shape": [end], "data_offsets": [0, end]}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def found(folder: Path, files: dict[str, bytes | str]) -> list[tuple[str, str]]:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data.encode() if isinstance(data, str) else data)
    return [(finding.code, finding.path) for finding in preflight(digest_artifact(folder))]


def test_a_sound_model_has_no_findings(tmp_path: Path) -> None:
    index = json.dumps({"metadata": {}, "weight_map": {"w": "m-1.safetensors", "v": "m-2.safetensors"}})
    files: dict[str, bytes | str] = {
        "config.json": "{}",
        "m/m.safetensors.index.json": index,
        "m/m-1.safetensors": safetensors(),
        "m/m-2.safetensors": safetensors(0, header={}),
        "tokenizer.json": '{"vocab": {"sk-": 1, "hf_": 2, "AKIA": 3}}',
        ".env.example": "TOKEN=",
        "server.pem": CERTIFICATE,
        "README.md": "Set HF_TOKEN=hf_... and use git-lfs: version https://git-lfs.github.com/spec/v1",
        ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text",
        "weights.bin": b"\0AKIAIOSFODNN7EXAMPLE\0",
        "other.index.json": "[]",
        "m-00001-of-00002.gguf": b"GGUF\3\0\0\0",
        "m-00002-of-00002.gguf": b"GGUF\3\0\0\0",
        "model.ckpt.data-00000-of-00001": b"x",
        "data/train-00000-of-00002.parquet": b"PAR1",
        "data/train-00001-of-00002.parquet": b"PAR1",
        "m.onnx": ONNX,
        "venv.md": "see .venv",
    }
    assert found(tmp_path, files) == []


def test_a_git_lfs_pointer(tmp_path: Path) -> None:
    assert found(tmp_path, {"model.safetensors": LFS, "x": LFS.replace("\n", "\r\n")}) == [
        ("git-lfs-pointer", "model.safetensors"),
        ("git-lfs-pointer", "x"),
    ]


@pytest.mark.parametrize("suffix", ["incomplete", "part", "partial", "crdownload", "aria2", "PART"])
def test_a_download_that_was_not_finished(tmp_path: Path, suffix: str) -> None:
    path = f"a/model.bin.{suffix}"
    assert found(tmp_path, {path: b"..."}) == [("incomplete-download", path)]


def test_a_download_that_was_not_finished_in_what_is_left_out(tmp_path: Path) -> None:
    path = ".cache/huggingface/download/abc.incomplete"
    files: dict[str, bytes | str] = {"config.json": "{}", path: b"...", ".cache/huggingface/download/x.metadata": "x"}
    assert found(tmp_path, files) == [("incomplete-download", path)]


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        (["m-00001-of-00002.safetensors"], "m-00002-of-00002.safetensors"),
        (["d/m-00002-of-00003.gguf", "d/m-00003-of-00003.gguf"], "d/m-00001-of-00003.gguf"),
        (["c.data-00001-of-00002"], "c.data-00000-of-00002"),
        (["t-00000-of-00002.parquet"], "t-00001-of-00002.parquet"),
        (["m-00001-of-99999.bin"], "m-00004-of-99999.bin' and 9996 more"),
    ],
)
def test_a_numbered_shard_without_its_siblings(tmp_path: Path, there: list[str], missing: str) -> None:
    contents = {"safetensors": safetensors(), "gguf": b"GGUF"}
    found(tmp_path, {path: contents.get(path.rpartition(".")[2], b"x") for path in there})
    (finding,) = preflight(digest_artifact(tmp_path))
    assert (finding.code, finding.path) == ("missing-shard", there[0]) and missing in finding.message


def test_a_shard_that_an_index_names_is_told_once(tmp_path: Path) -> None:
    index = json.dumps({"weight_map": {"a": "m-00001-of-00002.bin", "b": "m-00002-of-00002.bin"}})
    files: dict[str, bytes | str] = {"m.bin.index.json": index, "m-00001-of-00002.bin": b"1"}
    assert found(tmp_path, files) == [("missing-shard", "m.bin.index.json")]


@pytest.mark.parametrize("data", [b"", b"GGU", b"<html>", safetensors()])
def test_a_gguf_file_that_is_none(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path, {"m.gguf": data}) == [("invalid-gguf", "m.gguf")]


@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"hello", ONNX[:-1], b"\x08\x09", b"\x08", b"\xff" * 20, ONNX + b"\x3a\x05"]
)
def test_an_onnx_file_that_is_none(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path, {"m.onnx": data}) == [("invalid-onnx", "m.onnx")]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"<html>"])
def test_a_config_that_is_no_json(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path, {"sub/config.json": data}) == [("invalid-json", "sub/config.json")]


def test_folders_that_a_tool_left_behind(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        ".venv/lib/a.py": "",
        ".venv/lib/__pycache__/a.pyc": b"",
        "code/__pycache__/b.pyc": b"",
        "code/b.py": "",
    }
    (tmp_path / "node_modules").mkdir()
    assert found(tmp_path, files) == [
        ("stray-folder", ".venv"),
        ("stray-folder", "code/__pycache__"),
        ("stray-folder", "node_modules"),
    ]


def test_shards_that_an_index_names(tmp_path: Path) -> None:
    index = json.dumps({"weight_map": {"a": "m-1.bin", "b": "m-2.bin", "c": "../m-3.bin"}})
    assert found(tmp_path, {"d/pytorch_model.bin.index.json": index, "d/m-1.bin": b"1", "m-3.bin": b"3"}) == [
        ("missing-shard", "d/pytorch_model.bin.index.json"),
        ("missing-shard", "d/pytorch_model.bin.index.json"),
    ]


@pytest.mark.parametrize("index", ["{", "[" * 100_000, '{"weight_map":{"a":"x","a":"y"}}'])
def test_an_index_that_cannot_be_read(tmp_path: Path, index: str) -> None:
    assert found(tmp_path, {"m.index.json": index}) == [("invalid-index", "m.index.json")]


@pytest.mark.parametrize("kept", [0, 4, 8, 20, -1])
def test_a_safetensors_file_that_is_cut_off(tmp_path: Path, kept: int) -> None:
    assert found(tmp_path, {"m.safetensors": safetensors()[:kept]}) == [("truncated-safetensors", "m.safetensors")]


def test_a_safetensors_file_whose_sizes_are_absurd(tmp_path: Path) -> None:
    huge = struct.pack("<Q", 2**63) + b"{}"
    far = safetensors(header={"w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 2**50]}})
    assert found(tmp_path, {"a.safetensors": huge, "b.safetensors": far}) == [
        ("truncated-safetensors", "a.safetensors"),
        ("truncated-safetensors", "b.safetensors"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        safetensors() + b"x",
        struct.pack("<Q", 4) + b"[[[[",
        struct.pack("<Q", 200_000) + b"[" * 200_000,
        safetensors(header=[]),
        safetensors(header={"w": {}}),
        safetensors(header={"w": {"data_offsets": [8, 0]}}),
        safetensors(header={"w": {"data_offsets": ["0", "8"]}}),
        safetensors(header={"w": {"data_offsets": [0, 4, 8]}}),
    ],
)
def test_a_safetensors_file_that_is_not_sound(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path, {"m.safetensors": data}) == [("invalid-safetensors", "m.safetensors")]


@pytest.mark.parametrize("name", [".env", ".env.production", "a/.env", "id_rsa", "id_ed25519", "k.p12", ".netrc"])
def test_secrets_by_name(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, {name: "x"}) == [("secret", name)]


@pytest.mark.parametrize(
    "text",
    [
        PRIVATE_KEY,
        PRIVATE_KEY.replace("PRIVATE", "RSA PRIVATE"),
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        json.dumps(KEYSTORE),
        json.dumps({"Crypto": KEYSTORE["crypto"]}),
        "token = 'hf_" + "aB" * 17 + "'",
        "ghp_" + "a1" * 18,
        "AKIA" + "A1" * 8,
        "sk-ant-" + "x" * 50,
    ],
)
def test_secrets_by_content(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, {"notes.txt": f"before\n{text}\nafter" if not text.startswith("{") else text}) == [
        ("secret", "notes.txt")
    ]


def test_each_finding_says_what_to_do(tmp_path: Path) -> None:
    found(tmp_path, {"m.safetensors": LFS, ".env": "x"})
    for finding in preflight(digest_artifact(tmp_path)):
        assert finding.path in finding.message
        assert finding.message.endswith(".")
