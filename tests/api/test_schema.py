"""The service answers what its OpenAPI document allows, and what it does not, with what the document declares."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance
from whole_registry import World, recorded

from registry.settings import load_settings
from tests.api.conftest import serving

STREAMS = {"/v1/events"}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with recorded() as made:
        yield made


@pytest.fixture(scope="module")
def service(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home: Path = tmp_path_factory.mktemp("schema")
    with serving(load_settings(home=home, rpc_url=world.node.url, poll_seconds=0.05, rate_limit=0)) as client:
        yield client


def test_no_answer_is_a_defect_and_each_status_is_declared(service: httpx.Client) -> None:
    schema = schemathesis.openapi.from_dict(service.get("/openapi.json").json())
    schema.config.base_url = str(service.base_url)
    operations = [one.ok() for one in schema.get_all_operations()]
    asked = [one for one in operations if one.path not in STREAMS]
    assert len(asked) > 15
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for operation in asked:
            attacked(operation)
    told = service.get("/metrics").text
    asked_for = [one.path.replace("{path}", "{path:path}") for one in asked if one.path != "/metrics"]
    assert [path for path in asked_for if f'route="{path}"' not in told] == []


def attacked(operation: Any) -> None:
    """Asks one operation what its strategy makes up."""

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(case=operation.as_strategy())
    def attack(case: Any) -> None:
        case.validate_response(case.call(), checks=[_no_defect, status_code_conformance])

    attack()


def _no_defect(context: Any, response: Any, case: Any) -> None:
    """An index that has read nothing, and a store that is away, say 503; anything else of 500 and more is a defect."""
    if response.status_code != 503:
        not_a_server_error(context, response, case)
