"""A problem of each status that routes declare: its code, and a sentence that such a problem has."""

from collections.abc import Mapping
from typing import Final

from registry import errors

PROBLEMS: Final[Mapping[int, tuple[str, str]]] = {
    400: (
        errors.InvalidIdentifier.code,
        "This is bare hex: say what it is by a prefix, such as sha256: or release:0x.",
    ),
    403: ("http.403", "This address may not read the metrics: PROVENANCE_METRICS_FROM says who may."),
    404: (errors.RecordNotFound.code, f"The registry has no release:0x{'5f' * 32} as of block 2."),
    406: (
        errors.UnsupportedFormat.code,
        "Raw blocks and CARs are served here: ask with ?format=raw or ?format=car.",
    ),
    408: (errors.RequestTooSlow.code, "The body did not come whole within 20 seconds."),
    409: (errors.BlockNotInChain.code, "The index has read up to block 2, and block 99 is not in it yet."),
    410: (errors.ContentBlocked.code, "The operator does not serve this content: a denylist names it."),
    412: (errors.NotHeld.code, "The store does not hold this block."),
    413: (errors.RequestTooLarge.code, "The body is longer than 8,388,608 bytes. Ask in smaller parts."),
    416: (errors.RangeNotSatisfiable.code, "The range begins behind the end of the block."),
    422: (errors.MalformedRequest.code, "limit: Input should be less than or equal to 1000."),
    429: (errors.TooManyRequests.code, "This client has asked more than it may for now. Ask again in 3 s."),
    502: (errors.BlockMismatch.code, "A store gave bytes that do not hash to the CID asked for."),
    503: (errors.IndexUnavailable.code, "The index has not read any block yet: it has just begun."),
}
