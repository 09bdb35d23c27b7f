"""What should stop a publish is found, and sound files are left alone."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts.digest import digest_artifact
from registry.artifacts.preflight import preflight

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
    }
    assert found(tmp_path, files) == []


def test_a_git_lfs_pointer(tmp_path: Path) -> None:
    assert found(tmp_path, {"model.safetensors": LFS, "x": LFS.replace("\n", "\r\n")}) == [
        ("git-lfs-pointer", "model.safetensors"),
        ("git-lfs-pointer", "x"),
    ]


def test_a_download_that_was_not_finished(tmp_path: Path) -> None:
    assert found(tmp_path, {"a/model.bin.incomplete": b"..."}) == [("incomplete-download", "a/model.bin.incomplete")]


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
