"""The terms that ship with the registry, so that a publisher types `--license apache-2.0` and nothing else.

Each entry is a terms document in `catalogue/NAME.json`, in canonical JSON. The text that it reads is beside it in
`catalogue/NAME.txt` where it is free to ship; otherwise the document says where the text is. A changed reading is
another document, hence other terms: an entry is never edited in place once it was released.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from registry.artifacts.declared_license import named, slug
from registry.artifacts.license_text import KnownLicense
from registry.artifacts.spdx import license_names
from registry.policy.terms import Terms, parse_terms, terms_id

# Tags of model cards (`license`, or `license_name` beside `license: other`) that are no name here; some mean several.
_TAGS: Mapping[str, tuple[str, ...]] = {
    "bsd": ("bsd-2-clause", "bsd-3-clause"),
    "cc": ("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
    "deepseek-license": ("deepseek",),
    "exaone": ("exaone-ai-model-1.1-nc",),
    "gpl": ("gpl-3.0",),
    "gpl-3.0-or-later": ("gpl-3.0",),
    "agpl-3.0-or-later": ("agpl-3.0",),
    "openmdw": ("openmdw-1.0",),
    "openrail": (
        "bigcode-openrail-m",
        "bigscience-bloom-rail-1.0",
        "bigscience-openrail-m",
        "creativeml-openrail-m",
        "creativeml-openrail-plus-plus-m",
    ),
    "openrail++": ("creativeml-openrail-plus-plus-m",),
    "tongyi-qianwen-license": ("tongyi-qianwen",),
}


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


def of_catalogue(terms: bytes) -> CatalogueEntry | None:
    """The entry that has this terms id."""
    return next((entry for entry in catalogue().values() if entry.id == terms), None)


def catalogue_ids(entries: Mapping[str, CatalogueEntry]) -> dict[str, bytes]:
    """The terms id that each name stands for: what a policy's `licenses` are read with."""
    return {name: entry.id for name, entry in entries.items()}


def known_licenses(entries: Mapping[str, CatalogueEntry]) -> tuple[KnownLicense, ...]:
    """The entries as what a folder's own declaration is compared with: names, tags, headings, texts."""
    return tuple(
        KnownLicense(
            name=entry.name,
            also=license_names(entry.terms.license)
            | {slug(entry.terms.title)}
            | {tag for tag, names in _TAGS.items() if entry.name in names},
            heading=entry.terms.title,
            text=None if entry.text is None else entry.text.decode("utf-8"),
        )
        for entry in entries.values()
    )


def whose_name(name: str, entries: Mapping[str, CatalogueEntry]) -> frozenset[str]:
    """The entries that a name stands for: their own, an SPDX identifier, a title or a tag. Others may not carry it."""
    return named(name, known_licenses(entries)) & entries.keys()


def names_of(terms: Terms, known: Sequence[KnownLicense]) -> frozenset[str]:
    """The names under which a folder may declare these terms: their own, and the licences of their expression."""
    own = {terms.name, slug(terms.title)} | license_names(terms.license)
    return frozenset(own).union(*(named(name, known) for name in own))
