"""What a caller asks about, from the text of a request: an identifier, a list of files, or both."""

from collections.abc import Mapping, Sequence
from typing import Any

from registry.chain.identifiers import FileHash, OmsRoot, parse_identifier
from registry.content.cid import DAG_PB, Cid
from registry.errors import InvalidIdentifier, MalformedRequest
from registry.policy.evidence import ArtifactSubject, FileEntry, FilesSubject, FileSubject, Subject


def parse_subject(what: str | None, files: Sequence[Mapping[str, Any]] | None) -> Subject:
    """The subject of a question.

    `what` is the CID of an artifact or a file, or `sha256:HEX` of a file. `files` have `path`, `size` and `cid` or
    `sha256`; with both, `what` is the root of the same folder.

    Raises InvalidIdentifier, MalformedRequest.
    """
    if files is not None:
        if not files:
            raise MalformedRequest("The list of files is empty: there is nothing to ask about.")
        return FilesSubject(tuple(_entry(file) for file in files), None if what is None else _root(what))
    if what is None:
        raise MalformedRequest("Say what to verify: an identifier as `what`, or a list of `files`.")
    match parse_identifier(what):
        case Cid(codec=codec) as cid:
            return ArtifactSubject(cid) if codec == DAG_PB else FileSubject(cid=cid)
        case FileHash(digest):
            return FileSubject(sha256=digest)
        case OmsRoot():
            raise InvalidIdentifier(
                "A root of OpenSSF Model Signing is no subject of a verdict: it binds the files' bytes and their "
                "order, not their names. It finds releases (provenance show oms:HEX, GET /v1/oms/oms:HEX): verify the "
                "CID of one."
            )
    raise InvalidIdentifier(
        f"“{what[:80]}” names no bytes. Verify the CID of an artifact or a file, or sha256:HEX of a file."
    )


def _root(text: str) -> Cid:
    found = parse_identifier(text)
    if not isinstance(found, Cid) or found.codec != DAG_PB:
        raise InvalidIdentifier("Beside a list of files, `what` is the CID of the same folder (bafybei…).")
    return found


def _entry(file: Mapping[str, Any]) -> FileEntry:
    cid, sha256 = file.get("cid"), file.get("sha256")
    if cid is None and sha256 is None:
        raise MalformedRequest(f"The file “{file['path'][:200]}” has neither a cid nor a sha256.")
    return FileEntry(
        path=file["path"],
        size=file["size"],
        sha256=None if sha256 is None else _sha256(sha256),
        cid=None if cid is None else _cid(cid),
    )


def _cid(text: str) -> Cid:
    found = parse_identifier(text)
    if not isinstance(found, Cid):
        raise InvalidIdentifier(f"“{text[:80]}” is no CID.")
    return found


def _sha256(text: str) -> bytes:
    """The key says what it is: `provenance digest --json` and other tools write it as bare hex there."""
    found = parse_identifier(text if ":" in text else f"sha256:{text}")
    if not isinstance(found, FileHash):
        raise InvalidIdentifier(f"“{text[:80]}” is no SHA-256 of a file, which is written sha256:HEX.")
    return found.digest
