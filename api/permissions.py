"""GET …/permission: what a publisher, or terms alone, permit as of a block, as LicenseRegistry tells contracts."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from api.as_of import AsOfQuery, answered_as_of
from api.dependencies import ServiceOf
from api.examples.registry import PERMISSION, TERMS_PERMISSION
from api.models import EXAMPLE_PUBLISHER, EXAMPLE_RELEASE
from api.problems import responses, shown
from api.shapes.registry import PermissionOf, TermsPermissionOf
from api.subjects import address_here
from registry.chain.identifiers import parse_release_id, parse_terms_id
from registry.index.permissions import permission_view, terms_permission_view
from registry.policy.terms import Use

router = APIRouter(tags=["registry"])

UseQuery = Annotated[Use | None, Query(description="One use; unset: all of them.")]


@router.get(
    "/v1/releases/{id}/permission",
    summary="What a publisher permits",
    response_model=PermissionOf,
    responses={**shown(PERMISSION), **responses(304, 400, 404, 409, 422, 503)},
)
async def get_permission(
    id: Annotated[str, Path(description="`release:0x…`", examples=[EXAMPLE_RELEASE])],
    request: Request,
    service: ServiceOf,
    account: Annotated[
        str | None, Query(max_length=128, description="CAIP-10; unset: everyone", examples=[EXAMPLE_PUBLISHER])
    ] = None,
    use: UseQuery = None,
    as_of: AsOfQuery = None,
) -> Any:
    """What `LicenseRegistry.permission` answers to contracts at that block, and what decides it: terms or a grant.

    It is what this publisher says, **not a verdict**: anyone may claim any bytes under any terms, and what the release
    was made from is not asked. `unknown` is not `allowed`. See `POST /v1/verify`.
    """
    identifier = parse_release_id(id)
    asking = None if account is None else address_here(service, account)
    uses = list(Use) if use is None else [use]
    return await answered_as_of(
        request,
        service,
        as_of,
        lambda snapshot: permission_view(snapshot, identifier, asking, uses, service.license_names),
    )


@router.get(
    "/v1/terms/{id}/permission",
    summary="What terms permit",
    response_model=TermsPermissionOf,
    responses={**shown(TERMS_PERMISSION), **responses(304, 400, 409, 422, 503)},
)
async def get_terms_permission(
    id: Annotated[str, Path(description="`terms:0x…`", examples=["terms:0x" + "5f" * 32])],
    request: Request,
    service: ServiceOf,
    use: UseQuery = None,
    as_of: AsOfQuery = None,
) -> Any:
    """The state of each use as contracts read it, with the clause that it rests on, where the document was read.

    Terms that nobody has registered leave every use `unknown`.
    """
    identifier, uses = parse_terms_id(id), list(Use) if use is None else [use]
    return await answered_as_of(
        request,
        service,
        as_of,
        lambda snapshot: terms_permission_view(snapshot, identifier, uses, service.license_names),
    )
