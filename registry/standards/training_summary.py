"""A draft of the public summary of training content that Article 53(1)(d) of Regulation (EU) 2024/1689 asks for.

Its headings are those of the European Commission's template of 24 July 2025: general information, list of data sources,
data processing aspects. It says what a training-data manifest says and marks everything else as missing: what the
manifest leaves out is never filled in, and never taken for "no".
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from registry.artifacts.training.document import Dataset, Teacher

MISSING: Final = "*missing: the manifest does not say*"
UNDISCLOSED: Final = "*undisclosed*"

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_MODALITIES: Final = {"text": "Text", "code": "Text", "image": "Image", "audio": "Audio", "video": "Video"}
_OTHER: Final = "Other"
_LICENSED: Final = "#### 2.2.1 Datasets commercially licensed by rightsholders or their representatives"


class ModelNamed(NamedTuple):
    """The model that the summary is of, where that is known."""

    name: str | None = None
    version: str | None = None
    provider: str | None = None
    parents: tuple[str, ...] = ()


_UNNAMED: Final = ModelNamed()


def training_summary(datasets: Sequence[Dataset], model: ModelNamed = _UNNAMED) -> str:
    """The draft in Markdown. Data sets for evaluation alone trained nothing: they are named at the end, apart."""
    training = [one for one in datasets if one.role != "evaluation"]
    lines = [
        "# Public summary of training content (draft)",
        "",
        "Made from the publisher's training-data manifest, which says what the publisher declares. Fields that the "
        "manifest cannot fill are marked as missing: complete them before this is published.",
        "",
        *_general(training, model),
        *_sources(training),
        *_processing(),
        *_evaluation([one for one in datasets if one.role == "evaluation"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def missing_fields(summary: str) -> int:
    """How many fields of a draft are left to fill in."""
    return summary.count(MISSING)


def _general(training: Sequence[Dataset], model: ModelNamed) -> Iterator[str]:
    yield from ("## 1. General information", "", "### 1.1 Provider identification", "")
    yield _field("Provider name and contact details", model.provider)
    yield _field("Authorised representative name and contact details", None)
    yield from ("", "### 1.2 Model identification", "")
    version = None if model.version is None else f" {model.version}"
    yield _field("Versioned model name", None if model.name is None else f"{model.name}{version or ''}")
    yield _field("Model dependencies", ", ".join(model.parents) or None)
    yield _field("Date of placement of the model on the Union market", None)
    yield from ("", "### 1.3 Modalities, overall training data size and other characteristics", "")
    for modality in (*dict.fromkeys(_MODALITIES.values()), _OTHER):
        found = [one for one in training if modality in _modalities(one)]
        if found:
            yield f"- {modality}: {_size(found)}; in the template's own ranges: {MISSING}"
    if not training or any(not one.modalities for one in training):
        yield _field("Modalities of the data sets that name none", None)
    yield _field("Types of content", None)
    ends = [one.period.to for one in training if one.period is not None]
    whole = bool(training) and len(ends) == len(training)
    newest = max(ends, default=None)
    yield _field("Latest date of data acquisition", newest if whole else None)
    if newest is not None and not whole:
        yield f"- Latest date in the data sets that give a period: {newest}"
    languages = sorted({language for one in training for language in one.languages or ()})
    every = bool(training) and all(one.languages for one in training)
    yield _field("Linguistic characteristics", ", ".join(languages) if every else None)
    if languages and not every:
        yield f"- Languages of the data sets that name them: {_text(', '.join(languages))}"
    yield _field("Other relevant characteristics", None)
    yield ""


def _sources(training: Sequence[Dataset]) -> Iterator[str]:
    yield from ("## 2. List of data sources", "")

    def obtained(how: str) -> Callable[[Dataset], bool]:
        return lambda one: one.obtained == how and one.role != "outputs"

    yield from _source(training, "### 2.1 Publicly available datasets", obtained("public"))
    yield from ("### 2.2 Private non-publicly available datasets obtained from third parties", "")
    yield from _source(
        training,
        _LICENSED,
        obtained("licensed"),
    )
    yield from ("#### 2.2.2 Private datasets obtained from other third parties", "", _field("Used", None), "")
    yield from _source(
        training,
        "### 2.3 Data crawled and scraped from online sources",
        obtained("crawled"),
        "Names, purposes and behaviour of the crawlers",
        "Summary of the most relevant domain names",
    )
    yield from _source(
        training, "### 2.4 User data", obtained("user-data"), "The services and products whose users it is of"
    )
    synthetic = [one for one in training if one.role == "outputs" or one.obtained == "synthetic"]
    yield from _source(training, "### 2.5 Synthetic data", lambda one: one in synthetic)
    for one in synthetic:
        yield f"- Model that made “{_text(one.name)}”: {_teacher(one.teacher)}"
    if synthetic:
        yield ""
    yield from _source(training, "### 2.6 Other sources of data", obtained("other"))
    unsaid = [one for one in training if one.obtained is None and one.role != "outputs"]
    if unsaid:
        yield from ("### Data sets whose source is not said", "", _field("How they were obtained", None), "")
        yield from _table(unsaid)


def _source(
    training: Sequence[Dataset], heading: str, belongs: Callable[[Dataset], bool], *further: str
) -> Iterator[str]:
    found = [one for one in training if belongs(one)]
    yield from (heading, "")
    if found:
        yield "- Used: yes"
        yield from (_field(one, None) for one in further)
        yield ""
        yield from _table(found)
        return
    all_said = bool(training) and all(one.obtained is not None or one.role == "outputs" for one in training)
    yield "- Used: no data set of the manifest is of this kind" if all_said else _field("Used", None)
    yield ""


def _table(datasets: Sequence[Dataset]) -> Iterator[str]:
    yield "| Data set | Use | Modality | Size | Licence | Where | Period | Description |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for one in datasets:
        period = None if one.period is None else f"{one.period.from_} to {one.period.to}"
        cells = [one.name, one.role, ", ".join(one.modalities or ()), None, one.license, one.url, period, one.summary]
        shown = [MISSING if not cell else _text(cell) for cell in cells]
        shown[3] = _size([one])
        if one.disclosure == "undisclosed":
            shown[5] = shown[7] = UNDISCLOSED
        yield f"| {' | '.join(shown)} |"
    yield ""


def _processing() -> Iterator[str]:
    yield from ("## 3. Data processing aspects", "")
    for heading, fields in (
        (
            "### 3.1 Respect of reservation of rights from text and data mining exception or limitation",
            (
                "Signatory of the Code of Practice for general-purpose AI models",
                "Measures before and during it",
            ),
        ),
        ("### 3.2 Removal of illegal content", ("Measures against illegal content in the training data",)),
        ("### 3.3 Other information", ("Other relevant processing of the data",)),
    ):
        yield from (heading, "", *(_field(one, None) for one in fields), "")


def _evaluation(datasets: Sequence[Dataset]) -> Iterator[str]:
    if datasets:
        names = ", ".join(f"“{_text(one.name)}”" for one in datasets)
        yield f"For evaluation, and not for training, the manifest names {names}."


def _modalities(dataset: Dataset) -> set[str]:
    return {_MODALITIES.get(one, _OTHER) for one in dataset.modalities or ()}


def _size(datasets: Sequence[Dataset]) -> str:
    """Records and bytes of those data sets that give them; of how many, where some do not."""
    parts = []
    for unit, given in (
        ("records", [one.records for one in datasets if one.records is not None]),
        ("bytes", [one.bytes for one in datasets if one.bytes is not None]),
    ):
        if given:
            of = "" if len(given) == len(datasets) else f" (in {len(given)} of {len(datasets)} data sets)"
            parts.append(f"{sum(given):,} {unit}{of}")
    return ", ".join(parts) or MISSING


def _teacher(teacher: Teacher | None) -> str:
    if teacher is None:
        return MISSING
    if teacher.service is not None:
        service = teacher.service
        named = _text(f"{service.model} of {service.provider}, {service.snapshot}")
        used = f"used from {service.period.from_} to {service.period.to}"
        return f"{named}, {used} (a hosted service, which cannot be pinned)"
    return _text(str(teacher.release or teacher.package))


def _field(name: str, value: str | None) -> str:
    return f"- {name}: {MISSING if value is None else _text(value)}"


def _text(value: str) -> str:
    """A value as Markdown that shows it as it is, in one line."""
    return _MARKUP.sub(r"\\\1", value.replace("\n", " "))
