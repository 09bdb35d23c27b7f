"""What a manifest says of the model, in lines: its weights, and what of it runs code."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_SHOWN: Final = 5


def model_lines(model: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Labels and texts of the `model` of a release, as the index and a publish hand it out."""
    if model is None:
        yield "runs code", "not said: the manifest does not describe the model"
        return
    if "document" in model:
        kinds = ", ".join(f"{kind} × {count}" for kind, count in model["runs_code_kinds"].items())
        yield "model", f"described in {model['document']}"
        yield "runs code", kinds or "nothing found"
        return
    named = [*model.get("architectures", []), *([model["model_type"]] if "model_type" in model else [])]
    if named:
        yield "architecture", ", ".join(named)
    weights = model.get("weights", [])
    for one in weights[:_SHOWN]:
        files = f" and {one['files'] - 1} more" if one.get("files", 1) > 1 else ""
        dtypes = ", ".join(one["dtypes"])
        yield "weights", f"{one['path']}{files} ({one['format']}, {one['parameters']:,} parameters, {dtypes})"
    if len(weights) > _SHOWN:
        yield "", f"and {len(weights) - _SHOWN} more"
    if "tensors" in model:
        yield "tensors", f"{model['tensors']['count']} digests in {model['tensors']['cid']}"
    entries = model["runs_code"]
    if not entries:
        yield "runs code", "nothing found"
    for index, one in enumerate(entries[:_SHOWN]):
        detail = f": {one['detail'][:120]}" if one.get("detail") else ""
        yield ("" if index else "runs code"), f"{one['path']} ({one['kind']}{detail})"
    if len(entries) > _SHOWN:
        yield "", f"and {len(entries) - _SHOWN} more"
    for one in model.get("unread", [])[:_SHOWN]:
        yield "not read", f"{one['path']}: {one['reason']}"
