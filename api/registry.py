"""GET routes over the four contracts: publishers, models, anchors, terms, grants, statements, lineage, logs, search.

Each answers as of the newest block that was read, or as of an older one (`as_of`), and lists come in pages.
"""

import re
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request

from api.as_of import AsOfQuery, answered_dated
from api.dependencies import ServiceOf
from api.examples import registry as examples
from api.models import EXAMPLE_CID, EXAMPLE_PUBLISHER, EXAMPLE_RELEASE
from api.paging import CursorOf, LimitOf, key_bytes, listed, parse_cursor
from api.problems import responses, shown
from api.service import Service
from api.shapes.common import DatedList
from api.shapes.records import Claim
from api.shapes.registry import AnchorOf, GrantOf, LineageOf, LogsOf, ModelOf, PublisherOf, RegisteredTerms, StatementOf
from api.subjects import address_here
from registry.chain.identifiers import (
    ReleaseId,
    TermsId,
    parse_release_id,
    parse_terms_id,
)
from registry.chain.stated_subjects import parse_stated_subject
from registry.chain.static import NOBODY
from registry.errors import InvalidQuery, RecordNotFound
from registry.index import record_json
from registry.index.queries import Snapshot
from registry.index.views import claim_view

router = APIRouter(tags=["registry"])

_REFUSALS: Final = responses(304, 400, 404, 409, 422, 503)
_HEX32: Final = re.compile(r"0x[0-9a-fA-F]{64}", re.ASCII)

PublisherPath = Annotated[str, Path(description="CAIP-10", examples=[EXAMPLE_PUBLISHER])]


def _after(kind: str, text: str | None, form: type) -> Any:
    found = parse_cursor(kind, text, [form])
    return None if found is None else found[0]


@router.get(
    "/v1/publishers/{publisher}",
    summary="What stands behind an address",
    response_model=PublisherOf,
    responses={**shown(examples.PUBLISHER), **_REFUSALS},
)
async def get_publisher(
    publisher: PublisherPath,
    request: Request,
    service: ServiceOf,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """Whether its key ended, since when it is not believed, its guardian, and a page of its delegates."""
    address, key, chain = address_here(service, publisher), _after("delegates", after, str), _chain(service)

    def view(snapshot: Snapshot) -> dict[str, Any]:
        delegates = snapshot.delegates_of(address, limit=limit, after=key)
        return record_json.publisher_json(snapshot.publisher(address), chain) | {
            "delegates": listed("delegates", delegates, lambda one: record_json.delegate_json(one, chain))
        }

    return await answered_dated(request, service, as_of, view)


@router.get(
    "/v1/publishers/{publisher}/models",
    summary="A publisher's models",
    response_model=DatedList[ModelOf],
    responses={**shown(examples.MODELS), **_REFUSALS},
)
async def get_models(
    publisher: PublisherPath,
    request: Request,
    service: ServiceOf,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """Its names, in their order, with how many versions each has."""
    address, key, chain = address_here(service, publisher), _after("models", after, str), _chain(service)

    def view(snapshot: Snapshot) -> dict[str, Any]:
        found = snapshot.models_of_publisher(address, limit=limit, after=key)
        return listed("models", found, lambda one: record_json.model_json(one, chain))

    return await answered_dated(request, service, as_of, view)


@router.get(
    "/v1/publishers/{publisher}/models/{name}",
    summary="A model's versions",
    response_model=DatedList[Claim],
    responses={**shown(examples.VERSIONS), **_REFUSALS},
)
async def get_versions(
    publisher: PublisherPath,
    name: Annotated[str, Path(description="The model's name", examples=["my-model"])],
    request: Request,
    service: ServiceOf,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """Its releases, the newest first."""
    address, key = address_here(service, publisher), _after("versions", after, int)

    def view(snapshot: Snapshot) -> dict[str, Any]:
        block = snapshot.as_of()
        found = snapshot.versions_of_model(address, name, limit=limit, after=key)
        return listed("versions", found, lambda one: claim_view(one, block))

    return await answered_dated(request, service, as_of, view)


@router.get(
    "/v1/publishers/{publisher}/anchors",
    summary="A publisher's anchors",
    response_model=DatedList[AnchorOf],
    responses={**shown(examples.ANCHORS), **_REFUSALS},
)
async def get_anchors(
    publisher: PublisherPath,
    request: Request,
    service: ServiceOf,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """Roots over many releases, the newest first, with those that were withdrawn."""
    address, key, chain = address_here(service, publisher), _after("anchors", after, int), _chain(service)

    def view(snapshot: Snapshot) -> dict[str, Any]:
        found = snapshot.anchors_of(address, limit=limit, after=key)
        return listed("anchors", found, lambda one: record_json.anchor_json(one, chain))

    return await answered_dated(request, service, as_of, view)


@router.get(
    "/v1/search",
    summary="Models by the start of their name",
    response_model=DatedList[ModelOf],
    responses={**shown(examples.SEARCH), **_REFUSALS},
)
async def get_search(
    name: Annotated[str, Query(min_length=1, max_length=64, examples=["my-"])],
    request: Request,
    service: ServiceOf,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """Names are their publishers': the same name of two publishers is two models, and none of them is the right one."""
    key, chain = parse_cursor("search", after, [str, str]), _chain(service)

    def view(snapshot: Snapshot) -> dict[str, Any]:
        found = snapshot.search_models(name, limit=limit, after=None if key is None else (key[0], key[1]))
        return listed("search", found, lambda one: record_json.model_json(one, chain))

    return await answered_dated(request, service, as_of, view)


@router.get(
    "/v1/terms/{id}",
    summary="Terms as they are registered",
    response_model=RegisteredTerms,
    responses={**shown(examples.TERMS), **_REFUSALS},
)
async def get_terms(
    id: Annotated[str, Path(description="`terms:0x…`", examples=["terms:0x" + "5f" * 32])],
    request: Request,
    service: ServiceOf,
    as_of: AsOfQuery = None,
) -> Any:
    """The document that the id binds, and the state of each use. Terms that nobody registered are 404, not allowed."""
    identifier, chain = parse_terms_id(id), _chain(service)

    def view(snapshot: Snapshot) -> dict[str, Any]:
        found = snapshot.registered_terms([identifier]).get(identifier)
        if found is None:
            raise RecordNotFound(f"Nobody has registered {TermsId(identifier)}: every use is unknown to contracts.")
        return record_json.terms_json(found, chain)

    return await answered_dated(request, service, as_of, view)


@router.get(
    "/v1/grants",
    summary="What publishers permit beyond the terms",
    response_model=DatedList[GrantOf],
    responses={**shown(examples.GRANTS), **_REFUSALS},
)
async def get_grants(
    request: Request,
    service: ServiceOf,
    release: Annotated[str | None, Query(max_length=128, examples=[EXAMPLE_RELEASE])] = None,
    grantee: Annotated[str | None, Query(max_length=128, description="CAIP-10, or `everyone`")] = None,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """What was last granted to each grantee of a release, or to one grantee by each release. Say one of the two."""
    if (release is None) == (grantee is None):
        raise InvalidQuery("Say a release or a grantee, one of the two.")
    chain = _chain(service)
    identifier = None if release is None else parse_release_id(release)
    account = None if grantee is None else NOBODY if grantee == "everyone" else address_here(service, grantee)
    key = _after("grants", after, str)

    def view(snapshot: Snapshot) -> dict[str, Any]:
        if identifier is not None:
            of_release = snapshot.grants_of_release(identifier, limit=limit, after=key)
            return listed("grants", of_release, lambda one: record_json.grant_json(one, chain))
        to_account = snapshot.grants_to(account or NOBODY, limit=limit, after=None if key is None else key_bytes(key))
        return listed("grants", to_account, lambda one: record_json.grant_json(one, chain))

    return await answered_dated(request, service, as_of, view)


@router.get(
    "/v1/statements",
    summary="What is said of a subject",
    response_model=DatedList[StatementOf],
    responses={**shown(examples.STATEMENTS), **_REFUSALS},
)
async def get_statements(
    subject: Annotated[
        str,
        Query(
            max_length=128,
            description="A CID, sha256:, release:0x, terms:0x, statement:0x, anchor:0x, dataset:0x or CAIP-10",
            examples=[EXAMPLE_CID],
        ),
    ],
    request: Request,
    service: ServiceOf,
    in_force: Annotated[bool, Query(description="Only those that stand.")] = False,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """Everyone's statements, oldest first. Anyone may say anything: whose word counts, a policy says.

    `document` is the SHA-256 of what is stated, `document_cid` its address, for whoever keeps it. The service fetches
    no such document and reads none: whoever makes a statement chooses it, and what it says decides no verdict.
    """
    chain, key = _chain(service), _after("statements", after, int)
    kind, digest = parse_stated_subject(subject, chain)

    def view(snapshot: Snapshot) -> dict[str, Any]:
        found = snapshot.statements_on(digest, subject_kind=kind, in_force=in_force, limit=limit, after=key)
        return listed("statements", found, lambda one: record_json.statement_json(one, chain))

    return await answered_dated(request, service, as_of, view)


@router.get(
    "/v1/releases/{id}/lineage",
    summary="What a release was made from, or into",
    response_model=LineageOf,
    responses={**shown(examples.LINEAGE), **_REFUSALS},
)
async def get_lineage(
    id: Annotated[str, Path(description="`release:0x…`", examples=[EXAMPLE_RELEASE])],
    request: Request,
    service: ServiceOf,
    direction: Annotated[Literal["ancestors", "descendants"], Query()] = "ancestors",
    depth: Annotated[int, Query(ge=1, le=100, description="How many steps away")] = 10,
    limit: LimitOf = 100,
    after: CursorOf = None,
    as_of: AsOfQuery = None,
) -> Any:
    """Each step once, the nearest first. `cut`: there is more than is walked. Anyone may name any parent."""
    identifier, kind = parse_release_id(id), f"lineage-{direction}"
    found_key = parse_cursor(kind, after, [int, str, str, int])
    key = None if found_key is None else (found_key[0], key_bytes(found_key[1]), key_bytes(found_key[2]), found_key[3])

    def view(snapshot: Snapshot) -> dict[str, Any]:
        snapshot.release(identifier, "none")
        graph = snapshot.lineage_graph(identifier, direction, depth=depth, limit=limit, after=key)
        return {"release": str(ReleaseId(identifier)), "cut": graph.cut} | listed(
            kind, graph.page, record_json.edge_json
        )

    return await answered_dated(request, service, as_of, view)


@router.get(
    "/v1/log",
    summary="The logs of the contracts",
    response_model=LogsOf,
    responses={**shown(examples.LOG), **_REFUSALS},
)
async def get_log(request: Request, service: ServiceOf, as_of: AsOfQuery = None) -> Any:
    """Size and head of each: whoever replays the events and reaches the head that the chain proves has all of them."""
    return await answered_dated(
        request,
        service,
        as_of,
        lambda snapshot: {"logs": [record_json.log_json(head) for head in snapshot.log_heads()]},
    )


def _chain(service: Service) -> int:
    return service.deployment.chain_id
