"""What a Croissant document must be before anybody reads on: of its kind, and with its context in it.

Nothing here follows an address. A document whose context lies elsewhere means what that place says today, and whoever
reads it would have to ask there: it is refused.
"""

from typing import Any, Final

from registry.errors import InvalidDocument

_CROISSANT: Final = "mlcommons.org/croissant/"
_LITERAL: Final = frozenset({"data", "examples", "cr:data", "cr:examples"})
"""Keys whose values are records of the data set, as JSON that is no JSON-LD."""


def conforms_to_croissant(value: dict[str, Any]) -> bool:
    """Whether it says that it is Croissant, of whatever version."""
    declared = value.get("conformsTo", value.get("dct:conformsTo", value.get("http://purl.org/dc/terms/conformsTo")))
    for item in declared if isinstance(declared, list) else [declared]:
        text = item.get("@id") if isinstance(item, dict) else item
        if isinstance(text, str) and text.removeprefix("https://").removeprefix("http://").startswith(_CROISSANT):
            return True
    return False


def check_croissant(value: dict[str, Any]) -> None:
    """Raises InvalidDocument unless it is a named JSON-LD `Dataset` with its own context."""
    kinds = value.get("@type")
    names = {
        str(kind).rpartition("/")[2].rpartition(":")[2] for kind in (kinds if isinstance(kinds, list) else [kinds])
    }
    if "@context" not in value or "Dataset" not in names:
        raise InvalidDocument("A Croissant document is JSON-LD with an @context, and its @type is sc:Dataset.")
    if not isinstance(value.get("name"), str) or not value["name"]:
        raise InvalidDocument("A Croissant document has a name.")
    _check_contexts(value, inside=False)


def _check_contexts(value: Any, *, inside: bool) -> None:
    """That every context stands here, and leads to no other one (JSON-LD 1.1, sections 3.1 and 4.1.10).

    `inside` a context no key holds records: a term called `data` is defined like any. Each value is looked at once; the
    depth is bounded by the reader of JSON.
    """
    if isinstance(value, list):
        for inner in value:
            _check_contexts(inner, inside=inside)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "@context":
                for one in inner if isinstance(inner, list) else [inner]:
                    if not isinstance(one, dict | None):
                        raise _remote(one)
                _check_contexts(inner, inside=True)
            elif key == "@import" and inside:
                raise _remote(inner)
            elif inside or key not in _LITERAL:
                _check_contexts(inner, inside=inside)


def _remote(context: Any) -> InvalidDocument:
    return InvalidDocument(
        f"This Croissant document takes its context from {_shown(context)}. Nothing is fetched: write the context into "
        "the document, as Croissant's own examples do."
    )


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else type(value).__name__
    return f"“{text[:120]}{'…' if len(text) > 120 else ''}”"
