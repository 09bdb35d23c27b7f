"""OpenSSF Model Signing: our statement and root are those of its library, and its signatures are held against ours.

What needs the library is left out where it is not installed (`python3 scripts/setup.py bench` brings it).
"""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry.artifacts.digest import digest_artifact
from registry.errors import InvalidModelSignature, PathMissing
from registry.standards.oms import Signer, oms_root, oms_statement, verify_signature

FILES = {
    "a/b.bin": b"1" * 5000,
    "a-b.bin": b"2",  # before a/b.bin by its bytes, after it by its parts
    "ä.txt": b"3",
    "config.json": b"{}",
    ".hidden/x": b"4",
    ".gitattributes": b"*.bin filter=lfs",
    ".github/w.yml": b"5",
    "sub/.gitattributes": b"6",
}


def write(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write(tmp_path / "model")


def test_the_root_is_of_the_digests_in_the_order_of_the_paths_parts(model: Path) -> None:
    order = (".hidden/x", "a/b.bin", "a-b.bin", "config.json", "sub/.gitattributes", "ä.txt")
    expected = hashlib.sha256(b"".join(hashlib.sha256(FILES[path]).digest() for path in order)).digest()
    assert oms_root(digest_artifact(model)) == expected
    statement = oms_statement(digest_artifact(model), "model")
    assert [one["name"] for one in statement["predicate"]["resources"]] == list(order)
    assert statement["subject"] == [{"name": "model", "digest": {"sha256": expected.hex()}}]


def test_the_root_does_not_bind_names(tmp_path: Path) -> None:
    first = digest_artifact(write(tmp_path / "1", {"a": b"1", "b": b"2"}))
    second = digest_artifact(write(tmp_path / "2", {"k/a": b"1", "z": b"2"}))
    assert oms_root(first) == oms_root(second) and first.root != second.root


@pytest.mark.oms
class TestAgainstTheLibrary:
    def test_the_root_and_the_statement_are_the_librarys(self, model: Path) -> None:
        from google.protobuf import json_format
        from model_signing import hashing
        from model_signing._signing import signing

        config = hashing.Config().set_ignored_paths(paths=[])
        theirs = json.loads(json_format.MessageToJson(signing.Payload(config.hash(model)).statement.pb))
        theirs["predicate"]["serialization"]["ignore_paths"].sort()
        assert oms_statement(digest_artifact(model), "model") == theirs
        assert oms_root(digest_artifact(model)).hex() == theirs["subject"][0]["digest"]["sha256"]

    @pytest.fixture
    def keys(self, tmp_path: Path) -> tuple[Any, Path]:
        return key_pair(tmp_path / "key.pub")

    def test_the_librarys_verifier_accepts_our_statement_once_it_is_signed(
        self, model: Path, keys: tuple[Any, Path], tmp_path: Path
    ) -> None:
        from model_signing import verifying

        (model / ".DS_Store").write_bytes(b"left out by the registry")
        signature = signed(oms_statement(digest_artifact(model), "model"), *keys, tmp_path / "model.sig")
        verifying.Config().use_elliptic_key_verifier(public_key=keys[1]).verify(model, signature)
        (model / "config.json").write_bytes(b"[]")
        with pytest.raises(ValueError, match=r"config\.json"):
            verifying.Config().use_elliptic_key_verifier(public_key=keys[1]).verify(model, signature)

    def test_a_signature_of_the_library_is_verified(self, model: Path, keys: tuple[Any, Path], tmp_path: Path) -> None:
        from cryptography.hazmat.primitives import serialization
        from model_signing import hashing, signing

        pem = keys[0].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (tmp_path / "key").write_bytes(pem)
        signature = model / "model.sig"
        config = hashing.Config().set_ignored_paths(paths=["model.sig"])
        signing.Config().use_elliptic_key_signer(private_key=tmp_path / "key").set_hashing_config(config).sign(
            model, signature
        )
        artifact = digest_artifact(model)
        verified = verify_signature(model, artifact, signature, Signer(key=keys[1]))
        assert verified.method == "key" and verified.bundle == signature.read_bytes()
        assert verified.identity == "sha256:" + hashlib.sha256(keys[1].read_bytes()).hexdigest()
        assert verified.root == oms_root(artifact, verified.ignored) and "model.sig" in verified.ignored

    def test_a_signature_that_is_anothers_or_over_other_files_is_refused(
        self, model: Path, keys: tuple[Any, Path], tmp_path: Path
    ) -> None:
        artifact = digest_artifact(model)
        signature = signed(oms_statement(artifact, "model"), *keys, tmp_path / "model.sig")
        _, other = key_pair(tmp_path / "other.pub")
        with pytest.raises(InvalidModelSignature, match="no valid signature"):
            verify_signature(model, artifact, signature, Signer(key=other))
        with pytest.raises(InvalidModelSignature, match="no valid signature"):
            verify_signature(model, artifact, signature, Signer(key=tmp_path / "none"))
        (model / "more").write_bytes(b"")
        with pytest.raises(InvalidModelSignature, match="more"):
            verify_signature(model, digest_artifact(model), signature, Signer(key=keys[1]))

    @pytest.mark.parametrize(
        ("edit", "said"),
        [
            (lambda s: s["predicate"]["serialization"].update(hash_type="blake2"), "blake2|mismatch"),
            (lambda s: s["subject"][0]["digest"].update(sha256="00" * 32), "inconsistent"),
            (lambda s: s["predicate"]["resources"].pop(), "inconsistent|Extra"),
            (lambda s: s.update(predicateType="https://example.com"), "Predicate type"),
        ],
    )
    def test_a_statement_of_another_form_is_refused(
        self, model: Path, keys: tuple[Any, Path], tmp_path: Path, edit: Callable[[Any], Any], said: str
    ) -> None:
        statement = oms_statement(digest_artifact(model), "model")
        edit(statement)
        signature = signed(statement, *keys, tmp_path / "model.sig")
        with pytest.raises(InvalidModelSignature, match=said):
            verify_signature(model, digest_artifact(model), signature, Signer(key=keys[1]))

    def test_a_signature_over_nothing_is_refused(self, model: Path, keys: tuple[Any, Path], tmp_path: Path) -> None:
        statement = oms_statement(digest_artifact(model), "model")
        statement["predicate"] |= {"resources": []}
        statement["predicate"]["serialization"]["ignore_paths"] = ["."]
        statement["subject"][0]["digest"]["sha256"] = hashlib.sha256().hexdigest()
        signature = signed(statement, *keys, tmp_path / "model.sig")
        with pytest.raises(InvalidModelSignature, match="no file at all"):
            verify_signature(model, digest_artifact(model), signature, Signer(key=keys[1]))

    @pytest.mark.parametrize(
        "signer", [Signer(), Signer(identity="a"), Signer(issuer="b"), Signer(Path("k"), (Path("c"),))]
    )
    def test_whose_it_is_has_to_be_said(
        self, model: Path, keys: tuple[Any, Path], tmp_path: Path, signer: Signer
    ) -> None:
        signature = signed(oms_statement(digest_artifact(model), "model"), *keys, tmp_path / "model.sig")
        with pytest.raises(InvalidModelSignature, match="whose signature"):
            verify_signature(model, digest_artifact(model), signature, signer)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"dsseEnvelope": {"payload": "!"}}', b'{"dsseEnvelope": []}'])
def test_what_is_no_bundle_is_refused(model: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.sig").write_bytes(data)
    with pytest.raises(InvalidModelSignature, match="not a Sigstore bundle"):
        verify_signature(model, digest_artifact(model), tmp_path / "model.sig", Signer(key=tmp_path / "k"))


def test_a_signature_that_is_not_there(model: Path, tmp_path: Path) -> None:
    with pytest.raises(PathMissing):
        verify_signature(model, digest_artifact(model), tmp_path / "none", Signer(key=tmp_path / "k"))


def key_pair(public: Path) -> tuple[Any, Path]:
    """A key, and its public half written down as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return key, public


def signed(statement: Any, key: Any, public: Path, path: Path) -> Path:
    """A Sigstore bundle over a statement: a DSSE envelope, signed as its specification says."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    payload, kind = json.dumps(statement).encode(), "application/vnd.in-toto+json"
    message = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    signature = key.sign(message, ec.ECDSA(hashes.SHA256()))
    bundle = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hashlib.sha256(public.read_bytes()).hexdigest()}},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    path.write_text(json.dumps(bundle))
    return path
