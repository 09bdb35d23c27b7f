"""GET /v1/releases/{id}/training-data and /v1/training-data: what is declared, and who declares it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from packageurl import PackageURL

from api.as_of import AsOfQuery, answered_dated
from api.dependencies import ServiceOf
from api.examples import training as examples
from api.models import EXAMPLE_RELEASE
from api.paging import CursorOf, LimitOf, key_bytes, listed, parse_cursor
from api.problems import responses, shown
from api.shapes.training import DeclarationsOf, NamedDatasets
from registry.chain.identifiers import FileHash, ReleaseId, parse_identifier, parse_release_id
from registry.content.cid import Cid
from registry.errors import InvalidIdentifier, InvalidQuery
from registry.index import training_rows, training_views
from registry.index.queries import Snapshot

router = APIRouter(tags=["training data"])

_DATASETS: Final = "A data set is named by the CID of its Croissant document, sha256: or an https address."
_TEACHERS: Final = "A teacher is named by release:0x… or a package URL (pkg:…), a hosted one by provider and model."
_REFUSALS: Final = responses(304, 400, 404, 409, 422, 503)


@router.get(
    "/v1/releases/{id}/training-data",
    summary="What a release was trained on, and its ancestors",
    response_model=DeclarationsOf,
    responses={**shown(examples.DECLARATIONS), **_REFUSALS},
)
async def get_training_data(
    id: Annotated[str, Path(description="`release:0x…`", examples=[EXAMPLE_RELEASE])],
    request: Request,
    service: ServiceOf,
    depth: Annotated[int, Query(ge=0, le=100, description="How many steps up; 0: the release alone")] = 100,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """What is declared, the nearest first. `undisclosed` says nothing, `unavailable` was not read: neither is empty.

    Parents outside the registry are not among them: nobody declares their data here.
    """
    identifier, chain = parse_release_id(id), service.deployment.chain_id
    found_key = parse_cursor("training-data", after, [int, str, int])
    key = None if found_key is None else (found_key[0], key_bytes(found_key[1]), found_key[2])

    def view(snapshot: Snapshot) -> dict[str, Any]:
        snapshot.release(identifier, "none")
        found = snapshot.declarations(identifier, depth=depth, limit=limit, after=key)
        return {"release": str(ReleaseId(identifier)), "cut": found.cut} | listed(
            "training-data", found.page, lambda one: training_views.declaration_json(one, chain)
        )

    return await answered_dated(request, service, as_of, view)


@router.get(
    "/v1/training-data",
    summary="Releases by what they declare to be trained on",
    response_model=NamedDatasets,
    responses={**shown(examples.NAMED), **_REFUSALS},
)
async def get_by_training_data(
    request: Request,
    service: ServiceOf,
    dataset: Annotated[
        str | None,
        Query(
            max_length=2000,
            description="The CID of its Croissant document, `sha256:` of its bytes or commitment, or its https address",
            examples=["https://example.com/conversations"],
        ),
    ] = None,
    teacher: Annotated[
        str | None, Query(max_length=2000, description="`release:0x…`, or a package URL, of all revisions without one")
    ] = None,
    provider: Annotated[str | None, Query(max_length=200, description="Of a hosted teacher, with its `model`")] = None,
    model: Annotated[str | None, Query(max_length=200)] = None,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """Everyone's releases that declare a data set, or outputs of a teacher: say one of the two. A teacher that is only
    known through its provider is named by provider and model. `coverage` says what was not looked through.
    """
    wanted = _key(dataset, teacher, provider, model)
    found_key = parse_cursor("by-training-data", after, [str, int, str])
    key = None if found_key is None else (key_bytes(found_key[0]), found_key[1], key_bytes(found_key[2]))

    def view(snapshot: Snapshot) -> dict[str, Any]:
        block = snapshot.as_of()
        page = snapshot.releases_declaring(wanted, limit=limit, after=key)
        claims = snapshot.releases([one.release_id for one in page.items], "none")
        return {"coverage": training_views.coverage_json(snapshot.training_coverage())} | listed(
            "by-training-data",
            page,
            lambda one: training_views.named_dataset_json(one, claims[one.release_id], block),
        )

    return await answered_dated(request, service, as_of, view)


def _key(dataset: str | None, teacher: str | None, provider: str | None, model: str | None) -> bytes:
    """What the data sets that are asked for are found by. Raises InvalidQuery, InvalidIdentifier."""
    service = None if provider is None and model is None else (provider, model)
    if sum(one is not None for one in (dataset, teacher, service)) != 1:
        raise InvalidQuery("Say a dataset, or a teacher, or the provider and model of one: one of the three.")
    if dataset is not None:
        return _key_of_dataset(dataset)
    if teacher is not None:
        return _key_of_teacher(teacher)
    if provider is None or model is None:
        raise InvalidQuery("A hosted teacher is named by its provider and its model, both of them.")
    return training_rows.key_of_service(provider, model)


def _key_of_dataset(text: str) -> bytes:
    if text.startswith("https://"):
        return training_rows.key_of_url(text)
    try:
        match parse_identifier(text):
            case Cid() as cid:
                return training_rows.key_of_croissant(cid)
            case FileHash(digest):
                return training_rows.key_of_digest(digest)
    except InvalidIdentifier as error:
        raise InvalidIdentifier(f"{error.message} {_DATASETS}", **error.details) from None
    raise InvalidIdentifier(_DATASETS)


def _key_of_teacher(text: str) -> bytes:
    if not text.startswith("pkg:"):
        try:
            return training_rows.key_of_release(ReleaseId(parse_release_id(text)))
        except InvalidIdentifier as error:
            raise InvalidIdentifier(f"{error.message} {_TEACHERS}", **error.details) from None
    try:
        return training_rows.key_of_package(PackageURL.from_string(text))
    except ValueError as error:
        raise InvalidIdentifier(f"This is no package URL: {error}.") from error
