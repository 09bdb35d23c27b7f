"""The values that a training-data manifest is made of: texts, languages, dates, digests."""

import datetime
import re
from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from registry.artifacts.spdx import check_license_expression

# RFC 5646, section 2.1, without languages of 4 to 8 letters, of which the registry has none, and the tags that 2.2.8
# grandfathers.
_LANGUAGE: Final = re.compile(
    r"[a-z]{2,3}(?:-[a-z]{3}){0,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+",
    re.IGNORECASE | re.ASCII,
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
# Without what no IRI has (RFC 3987, section 2.2): an export with such an address is not of its form.
_URL: Final = re.compile(r'https://[^\s<>"{}|\\^`]+')
_NO_BYTES: Final = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_GIT_COMMIT: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})", re.ASCII)


class Strict(BaseModel):
    """A form in which no key is unknown, and no value is taken for one of another type."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        strict=True, frozen=True, extra="forbid", arbitrary_types_allowed=True
    )


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("it is one line without control characters or spaces around it")
    return text


def _prose(text: str) -> str:
    if not text.replace("\n", "").isprintable() or not text.strip():
        raise ValueError("it is text without control characters other than line feeds")
    return text


def _language(text: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise ValueError(f"“{text}” is no language tag of BCP 47, such as en, pt-BR or zh-Hant")
    return text


def _date(text: str) -> str:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"“{text}” is no day of the calendar written as YYYY-MM-DD (RFC 3339, full-date)") from None
    return text


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        hint = "; a git commit or a tag is a revision" if _GIT_COMMIT.fullmatch(text) else ""
        raise ValueError(f"a digest is written sha256: and 64 hexadecimal digits in lower case{hint}")
    if text == _NO_BYTES or not text.removeprefix("sha256:").strip("0"):
        raise ValueError("this is the digest of no bytes, or no digest at all")
    return text


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError('an address begins with https:// and has no space in it, nor any of < > " { } | \\ ^ `')
    return text


def distinct(what: str) -> Callable[[Sequence[str]], Sequence[str]]:
    """A validator: no entry stands twice, in whatever case."""

    def check(found: Sequence[str]) -> Sequence[str]:
        if len({one.lower() for one in found}) != len(found):
            raise ValueError(f"each of the {what} stands there once")
        return found

    return check


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Prose = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_prose)]
Language = Annotated[str, Field(max_length=100), AfterValidator(_language)]
Day = Annotated[str, AfterValidator(_date), Field(json_schema_extra={"format": "date"})]
Digest = Annotated[str, AfterValidator(_digest), Field(json_schema_extra={"pattern": "^sha256:[0-9a-f]{64}$"})]
License = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_license_expression)]
Url = Annotated[
    str,
    Field(max_length=2000, json_schema_extra={"pattern": f"^{_URL.pattern}$"}),
    AfterValidator(_url),
    AfterValidator(_one_line),
]
Count = Annotated[int, Field(ge=1, lt=2**53)]


class Period(Strict):
    """From one day to another, both of them included."""

    from_: Day = Field(alias="from")
    to: Day

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ > self.to:
            raise ValueError("a period begins before it ends")
        return self
