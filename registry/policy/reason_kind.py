"""What a reason does to a verdict, and what one code stands for."""

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What a reason does to the verdict, the strongest first."""

    REFUSE = "refuse"
    UNDECIDED = "undecided"
    ALLOW = "allow"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class ReasonKind:
    """One code: `sentence` is a template, `meaning` says when it is given."""

    effect: Effect
    sentence: str
    meaning: str
