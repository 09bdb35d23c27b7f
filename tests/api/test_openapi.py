"""The OpenAPI document shows an example of every answer, and each is of the shape that the document states."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_shapes import DOCUMENT, wrong

from api.examples.streams import BLOCK, BLOCK_IN_CAR
from registry import errors
from registry.content import car
from registry.content.cid import RAW, Cid


def answers() -> Iterator[tuple[str, str, str, str, dict[str, Any]]]:
    """Path, method, status, media type and what is said of it, for every answer that has a body."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                for media_type, said in response.get("content", {}).items():
                    yield path, method, status, media_type, said


def test_every_answer_has_an_example_of_its_shape() -> None:
    seen = 0
    for path, method, status, media_type, said in answers():
        where = (path, method, status, media_type)
        assert "example" in said, where
        assert said["schema"].keys() - {"title"}, f"{where} says nothing of its shape"
        assert not wrong(said["schema"], said["example"]), where
        seen += 1
    assert seen > 150


def test_every_status_but_304_has_a_body() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            without = [status for status, response in operation["responses"].items() if not response.get("content")]
            assert set(without) <= {"304"}, path


def test_a_body_that_is_asked_with_is_shown_too() -> None:
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]
    assert len(bodies) == 2
    for schema in bodies:
        (example,) = schema["examples"]
        assert not wrong(schema, example)


def test_an_example_of_a_problem_has_a_code_of_its_status() -> None:
    codes = {error.code: error.status for error in tree(errors.ProvenanceError)}
    for path, _, status, media_type, said in answers():
        if media_type == "application/problem+json":
            example = said["example"]
            assert str(example["status"]) == status, path
            assert codes.get(example["code"], 403) == example["status"], (path, example)


def tree(base: type[errors.ProvenanceError]) -> list[type[errors.ProvenanceError]]:
    return [base] + [error for child in base.__subclasses__() for error in tree(child)]


@pytest.mark.parametrize("change", [{"verdict": "maybe"}, {"more": 1}, {"as_of": {}}, {"claims": None}])
def test_the_shapes_refuse_what_is_another(change: dict[str, Any]) -> None:
    said = DOCUMENT["paths"]["/v1/verify"]["post"]["responses"]["200"]["content"]["application/json"]
    assert wrong(said["schema"], said["example"] | change)
    assert wrong(said["schema"], {})


def test_the_examples_of_blocks_are_blocks() -> None:
    root, blocks = car.read_car(io.BytesIO(BLOCK_IN_CAR.encode("latin-1")))
    assert root == Cid.of(RAW, BLOCK.encode()) and list(blocks) == [(root, BLOCK.encode())]
