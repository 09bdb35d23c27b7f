"""OpenSSF Model Signing (model-signing 1.1.1): its statement about an artifact, its root digest, and its signatures.

The root is the sha2-256 of the files' SHA-256 in a row, in the order of their paths part by part. **It does not bind
names**: files that are renamed without changing their order keep it. It finds a release; it never stands for an
artifact digest.

The statement and the root are pure functions of an artifact. A signature is verified by the `model-signing` library,
which is an extra (`oms`), and what it signs is then compared with the artifact file by file.
"""

import base64
import binascii
import contextlib
import hashlib
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from registry.artifacts.canonical import parse_json
from registry.artifacts.digest import Artifact
from registry.artifacts.statement import Oms
from registry.errors import InvalidDocument, InvalidManifest, InvalidModelSignature, PathMissing, SetupError

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"
IGNORED: Final = (".git", ".gitattributes", ".github", ".gitignore")
"""What model-signing leaves out at the top of a folder unless it is told otherwise."""
NAMES_NOT_BOUND: Final = "it binds the files' bytes and their order, not their names"
"""Said wherever a root is shown."""
MAX_BUNDLE: Final = 64 << 20
"""Bytes of the longest signature that is read."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose signature is asked for: one of a public key, certificates, or a Sigstore identity with its issuer."""

    key: Path | None = None
    certificates: tuple[Path, ...] = ()
    identity: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that holds: by what, whose, the root that it signs, what it leaves out, and its bytes."""

    method: str
    identity: str
    issuer: str | None
    root: bytes
    ignored: tuple[str, ...]
    bundle: bytes


def oms_root(artifact: Artifact, ignored: Sequence[str] = IGNORED) -> bytes:
    """The root that model-signing gives the folder, 32 bytes. Needs the SHA-256 of every file."""
    return _root([digest for _, digest in _resources(artifact, ignored)])


def oms_statement(artifact: Artifact, name: str) -> dict[str, Any]:
    """The statement that model-signing would sign for a folder of this name, as JSON.

    What the registry leaves out of an artifact is named as ignored beside what model-signing ignores by itself.
    """
    ignored = (*IGNORED, *(path for path in artifact.left_out if path not in IGNORED))
    resources = _resources(artifact, ignored)
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": _root([digest for _, digest in resources]).hex()}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": sorted(ignored),
            },
            "resources": [{"name": path, "algorithm": "sha256", "digest": digest.hex()} for path, digest in resources],
        },
    }


def oms_json(oms: Oms) -> dict[str, Any]:
    """The root and its signature as they are shown, which says that names are not bound."""
    signature = None if oms.signature is None else oms.signature.model_dump(mode="json", exclude_none=True)
    return {"root": f"oms:{oms.root}", "binds_names": False, "ignored": list(oms.ignored), "signature": signature}


def verify_signature(folder: Path, artifact: Artifact, signature: Path, signer: Signer) -> Verified:
    """Verify a signature over a folder, which was hashed into `artifact`.

    Raises InvalidModelSignature when it does not hold, is another's, or signs other files than the artifact has;
    SetupError without the library; PathMissing.
    """
    try:
        with signature.open("rb") as stream:
            bundle = stream.read(MAX_BUNDLE + 1)
    except OSError as error:
        raise PathMissing(f"“{signature}” cannot be read: {error.strerror}.") from error
    statement = _payload(bundle)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary, "model.sig")  # the library reads what was read here, whatever becomes of the file
        copy.write_bytes(bundle)
        method, identity = _verify(folder, copy, signer)
    root, ignored = _compare(statement, artifact)
    return Verified(method, identity, signer.issuer, root, ignored, bundle)


def _verify(folder: Path, signature: Path, signer: Signer) -> tuple[str, str]:
    """By the library: it hashes the folder itself. Answers the method, and whose signature it is."""
    try:
        from model_signing import verifying
    except ImportError as error:
        raise SetupError(
            "Model signatures are verified by the package model-signing, which is not installed. "
            "Install the extra `oms` of this package: pip install 'model-provenance-registry[oms]'."
        ) from error
    given = (
        signer.key is not None,
        bool(signer.certificates),
        signer.identity is not None or signer.issuer is not None,
    )
    if sum(given) != 1 or (given[2] and not (signer.identity and signer.issuer)):
        raise InvalidModelSignature(
            "Say whose signature it is: --signature-key, --signature-certificate, or --signature-identity with "
            "--signature-issuer."
        )
    config = verifying.Config()
    try:
        if signer.key is not None:
            config.use_elliptic_key_verifier(public_key=signer.key)
            method, identity = "key", f"sha256:{hashlib.sha256(signer.key.read_bytes()).hexdigest()}"
        elif signer.certificates:
            config.use_certificate_verifier(certificate_chain=signer.certificates)
            chain = b"".join(path.read_bytes() for path in signer.certificates)
            method, identity = "certificate", f"sha256:{hashlib.sha256(chain).hexdigest()}"
        else:
            config.use_sigstore_verifier(identity=signer.identity, oidc_issuer=signer.issuer)
            method, identity = "sigstore", str(signer.identity)
        with contextlib.redirect_stdout(sys.stderr):  # it prints warnings
            config.verify(folder, signature)
    except Exception as error:
        reason = str(error)[:500] or type(error).__name__
        raise InvalidModelSignature(f"This is no valid signature of the folder: {reason}.") from error
    return method, identity


def _payload(bundle: bytes) -> Any:
    """The statement inside a Sigstore bundle (a DSSE envelope), unverified."""
    try:
        envelope = parse_json(bundle, MAX_BUNDLE)["dsseEnvelope"]
        return parse_json(base64.b64decode(envelope["payload"], validate=True), MAX_BUNDLE)
    except (InvalidDocument, KeyError, TypeError, binascii.Error, ValueError) as error:
        raise InvalidModelSignature("The signature is not a Sigstore bundle with a statement in it.") from error


def _compare(statement: Any, artifact: Artifact) -> tuple[bytes, tuple[str, ...]]:
    """The root and the ignored paths of a statement that names exactly the artifact's files with their SHA-256."""
    try:
        (subject,) = statement["subject"]
        root = bytes.fromhex(subject["digest"]["sha256"])
        serialization = statement["predicate"]["serialization"]
        form = serialization["method"], serialization["hash_type"]
        ignored = tuple(str(path) for path in serialization.get("ignore_paths", ()))
        signed = {item["name"]: bytes.fromhex(item["digest"]) for item in statement["predicate"]["resources"]}
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidModelSignature("The signature's statement is not of the form that is read here (v1.0).") from error
    if form != ("files", "sha256"):
        raise InvalidModelSignature(f"The signature is over {form[0]} by {form[1]}; only files by sha256 are compared.")
    ours = {file.path: file.sha256 for file in artifact.files if not _is_ignored(file.path, (*IGNORED, *ignored))}
    if signed != ours:
        differing = sorted({name for name, _ in signed.items() ^ ours.items()})
        raise InvalidModelSignature(
            f"The signature is over other files than the artifact has: {', '.join(differing[:5])}.",
            files=differing[:50],
        )
    if not signed:
        raise InvalidModelSignature("The signature is over no file at all.")
    if _root([signed[name] for name in sorted(signed, key=_order)]) != root:
        raise InvalidModelSignature("The signature's root is not that of the files that it lists.")
    return root, ignored


def _resources(artifact: Artifact, ignored: Sequence[str]) -> list[tuple[str, bytes]]:
    found = []
    for file in sorted(artifact.files, key=lambda file: _order(file.path)):
        if file.sha256 is None:
            raise InvalidManifest(f"Model Signing needs the SHA-256 of every file, and {file.path!r} has none.")
        if not _is_ignored(file.path, ignored):
            found.append((file.path, file.sha256))
    return found


def _is_ignored(path: str, ignored: Sequence[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(one) for one in ignored)


def _order(path: str) -> tuple[str, ...]:
    """How model-signing orders: paths part by part, as pathlib compares them."""
    return tuple(path.split("/"))


def _root(digests: Sequence[bytes]) -> bytes:
    return hashlib.sha256(b"".join(digests)).digest()
