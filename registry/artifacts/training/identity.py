"""When two names of a data set are one: what a digest, a CID or an address is compared by.

An address is written in many ways that lead to one place (RFC 3986, section 6). Whoever refuses a data set refuses
it however it is written, so that these differences count as none, and neither do capital letters, which most hosts
of data sets ignore in names.
"""

import contextlib
import unicodedata
from urllib.parse import SplitResult, unquote, urlsplit

_HTTPS = "https://"


def comparable(identifier: str) -> str:
    """What an identifier is compared by: an address in one form, any other as it is."""
    if not identifier.startswith(_HTTPS):
        return identifier
    try:
        return _HTTPS + _place(urlsplit(identifier.replace("\\", "/")))
    except ValueError:  # a host or a port that is none
        return identifier


def _place(parts: SplitResult) -> str:
    host = unquote(parts.hostname or "").rstrip(".")
    with contextlib.suppress(UnicodeError):  # no name of the DNS: compared as it is
        host = host.encode("idna").decode("ascii")
    port = "" if parts.port in (None, 443) else f":{parts.port}"
    steps: list[str] = []
    for step in unquote(parts.path).split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    query = f"?{unquote(parts.query)}" if parts.query else ""
    return unicodedata.normalize("NFKC", "/".join([host + port, *steps]) + query).casefold()
