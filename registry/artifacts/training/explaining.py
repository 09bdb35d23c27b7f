"""What is wrong with a training-data manifest, as a sentence that names the place and says what to write."""

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from registry.errors import InvalidDocument


def explained(error: ValidationError, form: type[BaseModel], what: str) -> InvalidDocument:
    """The first thing that is wrong with a document of this form (or with a list of such), in a sentence."""
    first: Any = error.errors(include_url=False)[0]
    where = _written(first["loc"])
    message = _sentence(first, form, where)
    return InvalidDocument(f"{what} is not of its form: {message}", at=where)


def check_no_null(value: Any, what: str, location: tuple[int | str, ...] = ()) -> None:
    """Raises InvalidDocument where a value is null: a key that says nothing is left out, so that there is one form."""
    if value is None:
        where = _written(location)
        raise InvalidDocument(f"{what} is not of its form: {where} is null. Leave out what is not said.", at=where)
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        check_no_null(inner, what, (*location, key))


def _written(location: Sequence[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _sentence(first: Any, form: type[BaseModel], where: str) -> str:
    match first["type"]:
        case "extra_forbidden":
            return f"the key {where} is not known. Known are {', '.join(_keys(_form_at(form, first['loc'][:-1])))}."
        case "missing":
            return f"it lacks the key {where}."
        case "value_error":
            said = str(first["ctx"]["error"])
        case "literal_error":
            said = f"it is one of {first['ctx']['expected']}".replace("'", "").replace(" or ", ", ")
        case _:
            said = first["msg"][:1].lower() + first["msg"][1:]
    return f"{where}: {said}." if where else f"{said}."


def _keys(form: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in form.model_fields.items()]


def _form_at(form: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    for part in location:
        field = form.model_fields.get(str(part))
        if field is not None:
            form = _inner(field.annotation) or form
    return form


def _inner(annotation: Any) -> type[BaseModel] | None:
    """The model that stands in an annotation, through tuples, options and aliases."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _inner(argument)
        if found is not None:
            return found
    return None
