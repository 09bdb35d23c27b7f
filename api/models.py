"""The shapes of requests, with the examples that the OpenAPI document shows."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

EXAMPLE_CID = "bafybeihwqttitc7rssowlfhx3edhljr3kb5ax5l52pt7r3zdtbg5na7bhu"
EXAMPLE_RELEASE = "release:0x" + "5f" * 32
EXAMPLE_OMS = "oms:" + "5f" * 32
EXAMPLE_FILE = "sha256:" + "c2b1cc995c18a8c8dd630e876fd1c84ee719ae7e7fc3aa6121d05221bd149f6c"
EXAMPLE_PUBLISHER = "eip155:31337:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


class FileItem(BaseModel):
    """One file of the folder asked about, by its CID (proven by the artifact) or its SHA-256."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    size: Annotated[int, Field(ge=0, lt=1 << 53)]
    cid: Annotated[str, Field(max_length=128)] | None = None
    sha256: Annotated[str, Field(max_length=80, description="As hex, with or without `sha256:`.")] | None = None


class VerifyRequest(BaseModel):
    """What is asked: an identifier, a list of files, or both, where the identifier is the same folder's root."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "what": EXAMPLE_CID,
                    "policy": {
                        "version": 1,
                        "publishers": [EXAMPLE_PUBLISHER],
                        "licenses": ["apache-2.0"],
                        "uses": ["run", "commercial"],
                    },
                }
            ]
        },
    )

    what: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description="The CID of an artifact or a file, or `sha256:HEX` of a file."
    )
    files: list[FileItem] | None = Field(
        default=None, description="The files of a folder, or some of them; beside `what` all of them."
    )
    policy: dict[str, Any] | None = Field(
        default=None, description="Whom the caller trusts, which licences and uses; without it nothing is allowed."
    )


class BatchRequest(BaseModel):
    """Many questions, each as in VerifyRequest, and a policy for those that have none."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "items": [{"what": EXAMPLE_CID}, {"what": EXAMPLE_FILE}],
                    "policy": {"version": 1, "publishers": [EXAMPLE_PUBLISHER], "uses": ["run"]},
                }
            ]
        },
    )

    items: Annotated[
        list[dict[str, Any]],
        Field(
            min_length=1,
            description="Each with `what`, or `files`, and perhaps a `policy` of its own; at most 1,000.",
            examples=[[{"what": EXAMPLE_CID}, {"what": EXAMPLE_FILE}]],
        ),
    ]
    policy: dict[str, Any] | None = Field(default=None, description="For the items that have no policy of their own.")


def body_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model with those that it refers to in their places, for a route that reads its own body."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def placed(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return placed(definitions[value["$ref"].rpartition("/")[2]])
            return {key: placed(inner) for key, inner in value.items()}
        return [placed(inner) for inner in value] if isinstance(value, list) else value

    placed_schema: dict[str, Any] = placed(schema)
    return placed_schema
