"""SPDX expressions: what each names, read once however often it is asked about."""

import pytest

from registry.artifacts import spdx
from registry.artifacts.spdx import check_license_expression, license_names


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("Apache-2.0 OR MIT", {"apache-2.0", "mit"}),
        ("(MIT AND (cc-by-nc-4.0))", {"mit", "cc-by-nc-4.0"}),
        ("GPL-2.0", {"gpl-2.0-only"}),
        ("GPL-2.0-only WITH Classpath-exception-2.0", {"gpl-2.0-only", "classpath-exception-2.0"}),
        ("GPL-2.0-with-classpath-exception", {"gpl-2.0-with-classpath-exception", "gpl-2.0-only"}),
        ("LicenseRef-MIT-with-more", {"licenseref-mit-with-more"}),
    ],
)
def test_an_expression_names_its_licences(expression: str, names: set[str]) -> None:
    assert license_names(check_license_expression(expression)) == names


def test_an_expression_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    expression = "MIT OR LicenseRef-read-once"
    check_license_expression(expression)
    names = license_names(expression)

    def unasked() -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr(spdx, "_licensing", unasked)
    assert check_license_expression(expression) == expression and license_names(expression) == names
