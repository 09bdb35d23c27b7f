"""What is the same for every question under a policy while the index is in one state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.policy.case import Span
from registry.policy.evidence import AsOf, Frozen
from registry.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Ground:
    """Whom a policy trusts, and how they ended.

    `named` are in order, and `worth_asking` those of them of whom there may be releases; `frozen` has issuers too.
    """

    policy: Policy
    as_of: AsOf
    named: Mapping[str, Span]
    worth_asking: Sequence[str]
    frozen: Mapping[str, Frozen | None]
