"""The form of a manifest: an in-toto Statement v1 with the predicate `model-release/v1`, as strict models.

Keys that this version does not know are ignored, as in-toto asks (the monotonic principle); a known key of another
type or form is an error.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeVar

from packageurl import PackageURL
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from registry.content.cid import DAG_PB, RAW, Cid
from registry.content.names import check_path
from registry.content.unixfs import LEAF_SIZE
from registry.errors import ProvenanceError

T = TypeVar("T")

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://model-provenance-registry.org/model-release/v1"
RELATIONS: Final = (
    "finetune",
    "continued-pretraining",
    "adapter",
    "merge",
    "quantization",
    "pruning",
    "conversion",
    "distillation",
    "trained-on-outputs",
    "preference-model",
)
"""How a release comes from a parent; the contract numbers them from 1 in this order."""


def check_sorted(paths: Sequence[str], what: str) -> None:
    """Raise ValueError unless the paths are in the order of their bytes, each once."""
    encoded = [path.encode("utf-8") for path in paths]
    if any(first >= second for first, second in itertools.pairwise(encoded)):
        raise ValueError(f"{what} are sorted by the bytes of their paths, each once")


def _cid(value: Any) -> Cid:
    if isinstance(value, Cid):
        return value
    if not isinstance(value, str):
        raise ValueError("a CID is a string")
    cid = _or_value_error(Cid.parse, value)
    if str(cid) != value:
        raise ValueError("a CID here is a CIDv1 in base32")
    return cid


def _path(value: str) -> str:
    _or_value_error(check_path, value)
    return value


def _or_value_error(function: Callable[[str], T], value: str) -> T:
    try:
        return function(value)
    except ProvenanceError as error:
        raise ValueError(error.message) from error


def _purl(value: str) -> str:
    if not value.isprintable():
        raise ValueError("a package URL has no control characters")
    if not PackageURL.from_string(value).version:
        raise ValueError("a package URL of a model names its revision, as in pkg:huggingface/owner/name@revision")
    return value


def _pattern(pattern: str) -> Any:
    published = pattern.replace(r"\A", "^").replace(r"\Z", "$")  # as ECMA-262 writes it
    return Field(pattern=re.compile(pattern), json_schema_extra={"pattern": published})


CidText = Annotated[
    Cid,
    PlainValidator(_cid),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^b[a-z2-7]+$"}),
]
SafePath = Annotated[str, AfterValidator(_path)]
Hex32 = Annotated[str, _pattern(r"\A[0-9a-f]{64}\Z")]
Account = Annotated[str, _pattern(r"\Aeip155:[1-9][0-9]{0,19}:0x[0-9a-fA-F]{40}\Z")]
ReleaseText = Annotated[str, _pattern(r"\Arelease:0x[0-9a-f]{64}\Z")]
TermsText = Annotated[str, _pattern(r"\Aterms:0x[0-9a-f]{64}\Z")]
PinnedPackage = Annotated[str, AfterValidator(_purl)]
Relation = Literal[RELATIONS]  # type: ignore[valid-type]


Access = Literal["public", "gated", "private"]
"""Where the bytes can be had: from anyone, from the publisher under conditions, from nobody."""


class _Model(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        strict=True, frozen=True, extra="ignore", arbitrary_types_allowed=True, revalidate_instances="never"
    )


class FileRecord(_Model):
    """One file: its path, bytes, plain SHA-256 in hex, and UnixFS root."""

    path: SafePath
    size: Annotated[int, Field(ge=0, lt=2**53)]
    sha256: Hex32
    cid: CidText

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        small = self.size <= LEAF_SIZE
        if self.cid.codec != (RAW if small else DAG_PB):
            raise ValueError(f"{self.path!r} of {self.size} bytes cannot have the CID {self.cid}")
        if small and self.cid.digest.hex() != self.sha256:
            raise ValueError(f"{self.path!r} is one block, and its CID and its SHA-256 say different things")
        return self


class FilesTable(_Model):
    """Where the table of files is, when it is too long for the manifest: a canonical JSON array of `count` files."""

    cid: CidText
    count: Annotated[int, Field(ge=1)]


class LeftOut(_Model):
    """What the scan left out, and by which list."""

    rules: str
    paths: tuple[str, ...]


class Terms(_Model):
    """The terms that the publisher declares: their id, and the CID of the document."""

    id: TermsText
    document: CidText


class DeclaredLicense(_Model):
    """What one file of the artifact says of its licence."""

    path: SafePath
    says: Annotated[str, Field(min_length=1, max_length=500)]


class LicenseDiffers(_Model):
    """Files that name another licence than the terms, and why the publisher means the terms all the same."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    declared: Annotated[tuple[DeclaredLicense, ...], Field(min_length=1)]


class TrainingData(_Model):
    """The training-data document that the publisher declares."""

    digest: Annotated[str, _pattern(r"\Asha256:[0-9a-f]{64}\Z")]
    cid: CidText
    form: Literal["croissant", "training-data-manifest"]


class Undisclosed(_Model):
    """Nothing is said about the training data, which is not the same as that there is none."""

    disclosure: Literal["undisclosed"] = "undisclosed"


class ParentRelease(_Model):
    """A parent in the registry."""

    release: ReleaseText
    relation: Relation


class ExternalParent(_Model):
    """A parent outside the registry, by a package URL with a pinned revision."""

    purl: PinnedPackage
    relation: Relation


class ManifestFinding(_Model):
    """What the preflight found, and the publisher published all the same."""

    code: str
    path: str
    message: str


class Preflight(_Model):
    """Whether findings were overridden, and which."""

    overridden: bool
    findings: tuple[ManifestFinding, ...]


class WeightSet(_Model):
    """One set of weights: a file, or the shards that belong together under the path of the first.

    `parameters` are the elements of all its tensors, `dtypes` how many of each type; `version` is that of the format.
    """

    format: Annotated[str, _pattern(r"\A[a-z][a-z0-9-]{0,31}\Z")]
    path: SafePath
    files: Annotated[int, Field(ge=1)] = 1
    parameters: Annotated[int, Field(ge=0, lt=2**53)]
    dtypes: dict[Annotated[str, Field(max_length=32)], Annotated[int, Field(ge=0, lt=2**53)]]
    version: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    producer: Annotated[str, Field(max_length=200)] | None = None
    architecture: Annotated[str, Field(max_length=200)] | None = None


class RunsCode(_Model):
    """Something that runs code when the model is loaded, or may: its file, its kind, and what is known of it."""

    path: SafePath
    kind: Annotated[str, _pattern(r"\A[a-z][a-z0-9-_]{0,31}\Z")]
    detail: Annotated[str, Field(max_length=500)] = ""


class Unread(_Model):
    """A file that could not be read as what it seems to be: what is said of the model lacks it."""

    path: SafePath
    reason: Annotated[str, Field(max_length=500)]


class TensorTable(_Model):
    """Where the table of tensor digests is: `count` tensors of safetensors and GGUF files."""

    cid: CidText
    count: Annotated[int, Field(ge=1)]


class ModelSection(_Model):
    """What the files say of the model. `runs_code` is always there: empty, it says that nothing was found."""

    weights: tuple[WeightSet, ...] = ()
    architectures: tuple[Annotated[str, Field(max_length=200)], ...] = ()
    model_type: Annotated[str, Field(max_length=200)] | None = None
    tokenizer: tuple[SafePath, ...] = ()
    runs_code: tuple[RunsCode, ...]
    unread: tuple[Unread, ...] = ()
    tensors: TensorTable | None = None


class ModelDocument(_Model):
    """Where the model's section is, when it is too long for the manifest, and how many entries of a kind run code."""

    cid: CidText
    runs_code: dict[Annotated[str, Field(max_length=32)], Annotated[int, Field(ge=1)]]


class OmsSignature(_Model):
    """A signature of OpenSSF Model Signing that was verified when publishing: the bundle, by what, and whose it is."""

    bundle: CidText
    method: Annotated[str, _pattern(r"\A[a-z][a-z0-9-]{0,31}\Z")]
    identity: Annotated[str, Field(min_length=1, max_length=500)]
    issuer: Annotated[str, Field(max_length=500)] | None = None


class Oms(_Model):
    """The root of OpenSSF Model Signing. It binds the files' bytes and their order, and not their names.

    `ignored` are paths that it leaves out; without them, those that model-signing leaves out by itself.
    """

    root: Hex32
    ignored: tuple[Annotated[str, Field(max_length=4096)], ...] = ()
    signature: OmsSignature | None = None


class Tool(_Model):
    """What wrote the manifest."""

    name: str
    version: str


class Predicate(_Model):
    """The release, as its publisher describes it."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    version: Annotated[str, Field(min_length=1, max_length=32)]
    publisher: Account
    registry: Account
    files: tuple[FileRecord, ...] | None = None
    files_table: FilesTable | None = None
    empty_directories: tuple[SafePath, ...]
    left_out: LeftOut
    terms: Terms | None
    code_terms: Terms | None = None
    license_differs: LicenseDiffers | None = None
    training_data: TrainingData | Undisclosed
    parents: tuple[ParentRelease, ...]
    external_parents: tuple[ExternalParent, ...]
    preflight: Preflight
    model: ModelSection | None = None
    model_document: ModelDocument | None = None
    oms: Oms | None = None
    access: Access
    tool: Tool

    @model_validator(mode="after")
    def _one_table(self) -> Self:
        if (self.files is None) == (self.files_table is None):
            raise ValueError("a manifest has either files or files_table")
        if self.model is not None and self.model_document is not None:
            raise ValueError("a manifest has at most one of model and model_document")
        check_sorted(self.empty_directories, "empty_directories")
        return self


class Digest(_Model):
    """The artifact digest in hex."""

    sha256: Hex32


class Subject(_Model):
    """The artifact: `name` is publisher/name@version, `uri` its IPFS address."""

    name: str
    uri: Annotated[str, _pattern(r"\Aipfs://[a-z0-9]+\Z")]
    digest: Digest


class Statement(_Model):
    """An in-toto Statement v1 with our predicate."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=1)]
    predicate_type: Literal["https://model-provenance-registry.org/model-release/v1"] = Field(alias="predicateType")
    predicate: Predicate
