"""Package URLs that name one state of a model: a revision that nobody can make mean another (purl-spec, types)."""

import re
from typing import Final

from packageurl import PackageURL

from registry.errors import InvalidIdentifier

_COMMIT: Final = re.compile(r"[0-9a-f]{7,40}", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_OF_GIT: Final = ("huggingface", "github", "gitlab", "bitbucket")
_OF_IMAGES: Final = ("docker", "oci")
_MOVING: Final = ("latest", "main", "master", "head")
"""Versions that nowhere name one state."""


def is_pinned(package: str) -> bool:
    """Whether a package URL has a version that cannot move: of a git repository a commit, of an image its digest."""
    try:
        pinned_package(package)
    except InvalidIdentifier:
        return False
    return True


def pinned_package(text: str) -> str:
    """A package URL in its canonical form. Raises InvalidIdentifier for one that is not pinned."""
    try:
        purl = PackageURL.from_string(text)
    except ValueError as error:
        raise InvalidIdentifier(f"“{text}” is no package URL: {error}.") from error
    if not purl.version:
        raise InvalidIdentifier(f"“{text}” is not pinned: add @ and the revision, pkg:huggingface/org/name@COMMIT.")
    if purl.type in _OF_GIT and not _COMMIT.fullmatch(purl.version):
        raise InvalidIdentifier(
            f"“{text}” is not pinned: “{purl.version}” is a branch or a tag, which can move. Give the commit, 7 to 40 "
            "hexadecimal characters, as the model's page shows it under “Files and versions”."
        )
    if purl.type in _OF_IMAGES and not _DIGEST.fullmatch(purl.version):
        raise InvalidIdentifier(f"“{text}” is not pinned: “{purl.version}” is a tag, which can move. Give sha256:HEX.")
    if purl.version.lower() in _MOVING:
        raise InvalidIdentifier(f"“{text}” is not pinned: “{purl.version}” can move. Give the version.")
    return purl.to_string()
