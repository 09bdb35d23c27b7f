"""SPDX licence expressions: what is one, and which licences it names."""

import re
from functools import cache, lru_cache
from typing import Any, Final

from license_expression import ExpressionError, get_spdx_licensing

# SPDX 2.3, annex D: idstring
_LICENSE_REF: Final = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")

_KEPT: Final = 1 << 14
"""Expressions that are kept as they were read: a long one takes milliseconds, and one document may have very many."""


@cache
def _licensing() -> Any:
    """The SPDX list that ships with license-expression: 25 ms to build, and every document needs it."""
    return get_spdx_licensing()


@lru_cache(maxsize=_KEPT)
def check_license_expression(expression: str) -> str:
    """An SPDX expression; names that SPDX does not know are `LicenseRef-…`.

    Raises:
        ValueError: it does not parse, or names an unknown licence.
    """
    try:
        symbols = _licensing().license_symbols(expression, unique=True, decompose=True)
    except (
        ExpressionError,
        LookupError,
        TypeError,
        AttributeError,
        AssertionError,
    ) as error:  # 30.4, for "()" and more
        raise ValueError(f"{expression!r} is not an SPDX licence expression") from error
    if not expression.isprintable():
        raise ValueError("an SPDX licence expression has no control characters")
    if not symbols:
        raise ValueError("an SPDX licence expression, or LicenseRef- and a name, is needed")
    for symbol in symbols:
        if symbol.key not in _licensing().known_symbols and not _LICENSE_REF.fullmatch(symbol.key):
            raise ValueError(
                f"{symbol.key!r} is not an SPDX licence; a licence of your own is named LicenseRef- and letters, "
                "digits, dots or hyphens"
            )
    return expression


@lru_cache(maxsize=_KEPT)
def license_names(expression: str) -> frozenset[str]:
    """The licences that a checked expression names, in lower case: `Apache-2.0 OR MIT` names `apache-2.0` and `mit`.

    A deprecated identifier that holds an exception (`GPL-2.0-with-GCC-exception`) names its licence too.
    """
    symbols = _licensing().license_symbols(expression, unique=True, decompose=True)
    names = {symbol.key.lower() for symbol in symbols}
    for name in tuple(names):
        licence, holds, _ = name.partition("-with-")
        if holds and not name.startswith("licenseref-"):
            names |= license_names(licence)
    return frozenset(names)
