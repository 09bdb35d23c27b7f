"""The shapes of what releases declare of their training data."""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.shapes.common import (
    AccountText,
    CidText,
    Counts,
    Dated,
    Listed,
    ReleaseText,
    Sha256Text,
    Shape,
)
from api.shapes.records import Claim


class DeclaredDataset(Shape):
    """A data set as a document declares it."""

    position: Annotated[int, Field(ge=0, description="In the document")]
    pinned: Annotated[bool, Field(description="Whether a digest of its bytes is named")]
    teacher_pinnable: Annotated[
        bool | None, Field(description="Whether the very teacher can be found again; null: it has none")
    ]
    declared: Annotated[
        dict[str, Any],
        Field(
            description="As docs/training-data.schema.json has it; of a Croissant document its name, CID and address"
        ),
    ]


class TrainingDocument(Shape):
    """The document that a release names. `cid` and `form` are null while it was not read."""

    digest: Sha256Text
    cid: CidText | None
    form: Literal["croissant", "training-data-manifest"] | None


class DeclarationOf(Shape):
    """What a release declares, so many steps away. `datasets` is null, and not empty, where nothing is known."""

    depth: int
    release: ReleaseText
    publisher: AccountText
    name: str
    version: str
    state: Literal["undisclosed", "available", "unavailable", "invalid"]
    detail: str | None
    document: Annotated[TrainingDocument | None, Field(description="Null: undisclosed")]
    datasets: list[DeclaredDataset] | None
    datasets_from: Annotated[int | None, Field(description="The position of the first that is shown")]
    datasets_total: int | None


class DeclarationsOf(Listed[DeclarationOf], Dated):
    """A page of what a release and its ancestors declare. `cut`: there are ancestors that are not walked to."""

    release: ReleaseText
    cut: bool


class NamedDatasetOf(Shape):
    """A data set with the release that declares it, in which document."""

    claim: Claim
    document: Sha256Text
    dataset: DeclaredDataset


class TrainingCoverage(Shape):
    """How many documents were read, of how many, and how many releases name none: they may be meant too."""

    training_data: Counts
    undisclosed: int


class NamedDatasets(Listed[NamedDatasetOf], Dated):
    """A page of the releases that declare a data set or a teacher, as far as documents were read."""

    coverage: TrainingCoverage
