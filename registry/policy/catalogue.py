"""The terms that ship with the registry, so that a publisher types `--license apache-2.0` and nothing else.

Each entry is a terms document in `catalogue/NAME.json`, in canonical JSON. The text that it reads is beside it in
`catalogue/NAME.txt` where it is free to ship; otherwise the document says where the text is. A changed reading is
another document, hence other terms: an entry is never edited in place once it was released.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from registry.policy.terms import Terms, parse_terms, terms_id


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One licence of the catalogue: `document` is the exact bytes that `id` commits to.

    `text` is the licence's own text; None where that is not free to ship.
    """

    name: str
    document: bytes
    terms: Terms
    id: bytes
    text: bytes | None


def catalogue() -> dict[str, CatalogueEntry]:
    """Every entry by its name, in alphabetical order, read from the package's data."""
    folder = files("registry.policy").joinpath("catalogue")
    entries: dict[str, CatalogueEntry] = {}
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if not item.name.endswith(".json"):
            continue
        name = item.name.removesuffix(".json")
        document = item.read_bytes()
        terms = parse_terms(document)
        text = folder.joinpath(f"{name}.txt")
        entries[name] = CatalogueEntry(
            name, document, terms, terms_id(document, terms), text.read_bytes() if text.is_file() else None
        )
    return entries


def catalogue_ids(entries: Mapping[str, CatalogueEntry]) -> dict[str, bytes]:
    """The terms id that each name stands for: what a policy's `licenses` are read with."""
    return {name: entry.id for name, entry in entries.items()}
