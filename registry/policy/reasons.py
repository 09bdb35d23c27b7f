"""A reason of a verdict as it was found: its code in the table, its sentence, and what it is about."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from registry.chain.identifiers import ReleaseId
from registry.policy.reason_table import REASONS, Effect
from registry.policy.terms import Use

__all__ = ["REASONS", "Effect", "VerdictReason", "because", "listed"]

MOST_ABOUT_ANCESTORS: Final = 16
"""How many reasons of one code a verdict lists about ancestors: a lineage may have a thousand, each with its path."""

_EFFECTS: Final = {effect: place for place, effect in enumerate(Effect)}
_CODES: Final = {code: place for place, code in enumerate(REASONS)}
_USES: Final = {use: place for place, use in enumerate(Use)}


@dataclass(frozen=True, slots=True)
class VerdictReason:
    """`path` leads from the release to the ancestor that it is about; `statement` is the id of one that was made, and
    `dataset` the name of a data set that is declared.
    """

    code: str
    sentence: str
    release: bytes | None = None
    use: Use | None = None
    path: tuple[bytes, ...] = ()
    file: str | None = None
    statement: bytes | None = None
    dataset: str | None = None

    @property
    def effect(self) -> Effect:
        return REASONS[self.code].effect

    @property
    def order(self) -> tuple[Any, ...]:
        """The strongest first, then as the table has them, then by what they are about."""
        return (
            _EFFECTS[self.effect],
            _CODES[self.code],
            self.release or b"",
            _USES[self.use] if self.use is not None else -1,
            len(self.path),
            self.path,
            self.file or "",
            self.statement or b"",
            self.dataset or "",
            self.sentence,
        )

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"code": self.code, "effect": self.effect.value, "sentence": self.sentence}
        if self.release is not None:
            document["release"] = str(ReleaseId(self.release))
        if self.use is not None:
            document["use"] = self.use.value
        if self.path:
            document["path"] = [str(ReleaseId(release)) for release in self.path]
        if self.file is not None:
            document["file"] = self.file
        if self.statement is not None:
            document["statement"] = f"statement:0x{self.statement.hex()}"
        if self.dataset is not None:
            document["dataset"] = self.dataset
        return document


def because(
    code: str,
    *,
    about: bytes | None = None,
    asked: Use | None = None,
    path: tuple[bytes, ...] = (),
    at_file: str | None = None,
    statement: bytes | None = None,
    dataset: str | None = None,
    **values: object,
) -> VerdictReason:
    """A reason of the table with its sentence filled in by `values`, `use`, `file` and `dataset`."""
    sentence = REASONS[code].sentence.format(use=asked, file=at_file, dataset=dataset, **values)
    return VerdictReason(code, sentence, about, asked, path, at_file, statement, dataset)


def listed(reasons: Iterable[VerdictReason]) -> tuple[VerdictReason, ...]:
    """The reasons in order, of those about ancestors the nearest of each code, and how many more there are.

    An outcome rests on which codes there are: on no reason that is left out here.
    """
    kept: list[VerdictReason] = []
    met: Counter[str] = Counter()
    for reason in sorted(set(reasons), key=lambda reason: (len(reason.path), reason.order)):
        met[reason.code] += bool(reason.path)
        if met[reason.code] <= MOST_ABOUT_ANCESTORS or not reason.path:
            kept.append(reason)
    more = {code: count - MOST_ABOUT_ANCESTORS for code, count in met.items() if count > MOST_ABOUT_ANCESTORS}
    kept += [because("more-ancestors", kind=code, count=count) for code, count in more.items()]
    return tuple(sorted(kept, key=lambda reason: reason.order))
