"""The training-data manifest: what a publisher declares of each data set, as strict models and canonical JSON.

Its sha2-256 stands on chain. What is not said is not there: a data set whose disclosure is `undisclosed` is named and
shows nothing, a list without data sets says that there are none, and a release without a manifest says nothing at all.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, get_args

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from registry.artifacts.canonical import canonical, parse_canonical
from registry.artifacts.json_schema import given, where
from registry.artifacts.pinned_package import is_pinned
from registry.artifacts.statement import Account, CidText, PinnedPackage, ReleaseText, TermsText
from registry.artifacts.training.explaining import check_no_null, explained
from registry.artifacts.training.values import (
    Count,
    Digest,
    Language,
    License,
    Line,
    Period,
    Prose,
    Strict,
    Url,
    distinct,
)
from registry.content.names import collision_key
from registry.content.unixfs import LEAF_SIZE, document_shape
from registry.errors import InvalidDocument

TRAINING_DATA_TYPE: Final = "https://model-provenance-registry.org/training-data/v1"
MAX_TRAINING_MANIFEST: Final = LEAF_SIZE
"""Bytes of the longest manifest: one raw block, so that the hash on chain is its address too."""
MAX_DATASETS_TABLE: Final = 16 << 20
"""Bytes of the longest table of data sets, which a manifest refers to when it would be longer than a block."""

MAX_DATASETS: Final = 20_000
"""Data sets of one manifest. Read, a short one takes a hundred times its bytes: this bounds the memory of a reader."""

Role = Literal["pretraining", "continued-pretraining", "finetuning", "preference", "evaluation", "outputs"]
Disclosure = Literal["full", "committed", "summarised", "undisclosed"]
Modality = Literal["text", "code", "image", "audio", "video", "tabular", "other"]
Obtained = Literal["public", "licensed", "crawled", "user-data", "synthetic", "other"]
ROLES: Final[tuple[str, ...]] = get_args(Role)
DISCLOSURES: Final[tuple[str, ...]] = get_args(Disclosure)

SHOWS_RECORDS: Final = ("digest", "croissant", "commitment", "summary", "fields", "url")
"""Keys by which something of the records themselves can be seen, found or recognised."""
MAX_FIELDS: Final = 4096
"""Columns that are listed of one data set."""
_MANY: Final = 4096


Modalities = Annotated[
    tuple[Modality, ...],
    Field(min_length=1, json_schema_extra={"uniqueItems": True}),
    AfterValidator(distinct("modalities")),
]
Languages = Annotated[
    tuple[Language, ...], Field(min_length=1, max_length=_MANY), AfterValidator(distinct("languages"))
]


class DataField(Strict):
    """A column of the records, and its type in the words of the format that they are in."""

    name: Annotated[str, Field(min_length=1, max_length=500)]
    type: Annotated[str, Field(min_length=1, max_length=500)]


class Service(Strict):
    """A model that is known only through a hosted API. Nobody can check later what answered: it is not pinnable.

    `snapshot` is the dated name that the provider gives to one state of the model, `terms` the digest of the terms of
    use as they were read, `period` when it was used.
    """

    provider: Line
    model: Line
    snapshot: Line
    terms: Digest | None = None
    period: Period


class Teacher(Strict):
    """The model whose outputs a data set holds: a release here, a package with its revision, or a hosted service."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    release: ReleaseText | None = None
    package: PinnedPackage | None = None
    service: Service | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(one is not None for one in (self.release, self.package, self.service)) != 1:
            raise ValueError("a teacher is exactly one of a release, a package and a service")
        return self

    @property
    def pinnable(self) -> bool:
        """Whether the very model can be found again: not a hosted one, nor one that a branch names."""
        return self.service is None and (self.package is None or is_pinned(self.package))


class GrantReference(Strict):
    """The permission that is named: the grant of a release to a grantee (left out: to everyone), or terms."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [given("release"), {**given("terms"), "not": {"required": ["grantee"]}}]}
    )

    release: ReleaseText | None = None
    grantee: Account | None = None
    terms: TermsText | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.release is None) == (self.terms is None):
            raise ValueError("a grant names either the release that grants, or the terms that permit")
        if self.terms is not None and self.grantee is not None:
            raise ValueError("terms permit everyone the same: they have no grantee")
        return self


def _undisclosed_shows_nothing() -> dict[str, Any]:
    shown = [{"required": [key]} for key in SHOWS_RECORDS]
    return {"if": {"properties": {"disclosure": {"const": "undisclosed"}}}, "then": {"not": {"anyOf": shown}}}


class Dataset(Strict):
    """One data set: what it is, what it was used for, and how much of it is shown."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                where("disclosure", ["committed"], needs="commitment"),
                where("disclosure", ["summarised"], needs="summary"),
                _undisclosed_shows_nothing(),
                {
                    "if": {"properties": {"role": {"const": "outputs"}}},
                    "then": {
                        "if": {"not": {"properties": {"disclosure": {"const": "undisclosed"}}}},
                        "then": {"required": ["teacher"]},
                    },
                    "else": {"not": {"required": ["teacher"]}},
                },
            ],
            "dependentRequired": {"grant": ["teacher"]},
        }
    )

    name: Line
    role: Role
    disclosure: Disclosure
    revision: Line | None = None
    license: License | None = None
    records: Count | None = None
    bytes: Count | None = None
    modalities: Modalities | None = None
    languages: Languages | None = None
    obtained: Obtained | None = None
    period: Period | None = None
    url: Url | None = None
    croissant: CidText | None = None
    digest: Digest | None = None
    commitment: Digest | None = None
    summary: Prose | None = None
    fields: Annotated[tuple[DataField, ...], Field(min_length=1, max_length=MAX_FIELDS)] | None = None
    teacher: Teacher | None = None
    grant: GrantReference | None = None

    @model_validator(mode="after")
    def _keeps_its_word(self) -> Self:
        if self.disclosure == "undisclosed":
            for key in SHOWS_RECORDS:
                if getattr(self, key) is not None:
                    raise ValueError(f"a data set that is undisclosed shows no {key}: say another disclosure")
        if self.disclosure == "committed" and self.commitment is None:
            raise ValueError("a data set that is committed names its commitment")
        if self.disclosure == "summarised" and self.summary is None:
            raise ValueError("a data set that is summarised has a summary")
        return self

    @model_validator(mode="after")
    def _names_its_teacher(self) -> Self:
        if self.role != "outputs" and self.teacher is not None:
            raise ValueError("only a data set of a model's outputs has a teacher: its role is then outputs")
        if self.role == "outputs" and self.teacher is None and self.disclosure != "undisclosed":
            raise ValueError("outputs of another model name their teacher, unless they are undisclosed")
        if self.grant is not None:
            if self.teacher is None:
                raise ValueError("a grant permits the use of a teacher, and there is none")
            if self.grant.release is not None and self.grant.release != self.teacher.release:
                raise ValueError("a grant is of the release that is the teacher, and this is of another one")
        return self

    @property
    def pinned(self) -> bool:
        """Whether the bytes are named by a digest of them; a revision can be made to mean others."""
        return self.digest is not None


class DatasetsTable(Strict):
    """Where the data sets are, when they are too long for the manifest: a canonical JSON array of `count` of them."""

    cid: CidText
    count: Count


def _named_once(datasets: Sequence[Dataset]) -> Sequence[Dataset]:
    seen: dict[str, str] = {}
    for dataset in datasets:
        key = collision_key(dataset.name)
        if key in seen:
            raise ValueError(f"“{seen[key]}” and “{dataset.name}” are one name: each data set is named once")
        seen[key] = dataset.name
    return datasets


Datasets = Annotated[tuple[Dataset, ...], Field(max_length=MAX_DATASETS), AfterValidator(_named_once)]
_DATASETS: Final = TypeAdapter(Datasets)


class TrainingManifest(Strict):
    """A training-data manifest: all data sets, an empty list where there are none, or the table that holds them."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [given("datasets", "array"), given("datasets_table", "object")]}
    )

    type: Literal["https://model-provenance-registry.org/training-data/v1"]
    datasets: Datasets | None = None
    datasets_table: DatasetsTable | None = None

    @model_validator(mode="after")
    def _one_table(self) -> Self:
        if (self.datasets is None) == (self.datasets_table is None):
            raise ValueError(
                "it has either datasets or datasets_table; an empty list of datasets says that there are none"
            )
        return self


class BuiltTrainingManifest(NamedTuple):
    """The bytes of a manifest and, when its data sets do not fit, those of their table, stored beside it."""

    data: bytes
    table: bytes | None


def parse_training_manifest(data: bytes) -> TrainingManifest:
    """Read the manifest's own bytes: canonical JSON and nothing else, of at most a block. Raises InvalidDocument."""
    return _manifest(data, parse_canonical(data, MAX_TRAINING_MANIFEST))


def datasets_of(manifest: TrainingManifest, table: bytes | None = None) -> tuple[Dataset, ...]:
    """The data sets of a manifest, from its table where they stand apart. Raises InvalidDocument."""
    if manifest.datasets is not None:
        return manifest.datasets
    reference = manifest.datasets_table
    if reference is None or table is None:
        raise InvalidDocument("The table of data sets is a document of its own, and it was not given.")
    if document_shape(table).cid != reference.cid:
        raise InvalidDocument("The table of data sets is not the one that the manifest refers to.")
    check_no_null(parse_canonical(table, MAX_DATASETS_TABLE), "The table of data sets")
    try:
        found = _DATASETS.validate_json(table, strict=True)
    except ValidationError as error:
        raise explained(error, Dataset, "The table of data sets") from error
    if len(found) != reference.count:
        raise InvalidDocument("The table of data sets has another length than the manifest says.")
    return found


def write_training_manifest(datasets: Iterable[Dataset]) -> BuiltTrainingManifest:
    """The manifest of these data sets, and their table where it would be longer than a block.

    Raises InvalidDocument for a name that stands twice, and for a table of more than MAX_DATASETS_TABLE bytes.
    """
    return import_training_manifest({"type": TRAINING_DATA_TYPE, "datasets": list(map(dataset_json, datasets))})


def import_training_manifest(value: dict[str, Any]) -> BuiltTrainingManifest:
    """The same of a manifest as a JSON value, which is read on the way. Raises InvalidDocument."""
    data = canonical(value)
    manifest = _manifest(data, value)
    if manifest.datasets is None:
        raise InvalidDocument("A manifest is written with its data sets: their table is made where one is needed.")
    if len(data) <= MAX_TRAINING_MANIFEST:
        return BuiltTrainingManifest(data, None)
    table = canonical(value["datasets"])
    if len(table) > MAX_DATASETS_TABLE:
        raise InvalidDocument(
            f"The data sets have {len(table):,} bytes, and at most {MAX_DATASETS_TABLE:,} are read. Name fewer of them."
        )
    reference = {"cid": str(document_shape(table).cid), "count": len(manifest.datasets)}
    return BuiltTrainingManifest(canonical({"type": TRAINING_DATA_TYPE, "datasets_table": reference}), table)


def dataset_json(dataset: Dataset) -> dict[str, Any]:
    """A data set as it stands in a manifest."""
    return dataset.model_dump(mode="json", by_alias=True, exclude_none=True)


def _manifest(data: bytes, value: Any) -> TrainingManifest:
    check_no_null(value, "The training-data manifest")
    try:
        return TrainingManifest.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise explained(error, TrainingManifest, "The training-data manifest") from error
