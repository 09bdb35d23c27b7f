"""Times as people write them, and the ones that are refused because they are mistyped."""

from datetime import UTC, datetime

import pytest

from registry.chain.publishers import NEVER
from registry.cli.times import duration, moment, shown
from registry.errors import InputError

NOW = 1_800_000_000
DAY = 24 * 3600


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", NOW),
        ("never", NEVER),
        ("30s", NOW + 30),
        ("15m", NOW + 900),
        ("12h", NOW + 12 * 3600),
        ("90d", NOW + 90 * DAY),
        ("2w", NOW + 14 * DAY),
        ("1y", NOW + 365 * DAY),
        ("99999d", NOW + 99999 * DAY),
        ("0", 0),
        ("1800000001", NOW + 1),
        ("2027-01-31", int(datetime(2027, 1, 31, tzinfo=UTC).timestamp())),
        ("2027-01-31T12:00:00Z", int(datetime(2027, 1, 31, 12, tzinfo=UTC).timestamp())),
        ("2027-01-31T12:00:00", int(datetime(2027, 1, 31, 12, tzinfo=UTC).timestamp())),
        ("2027-01-31T12:00+02:00", int(datetime(2027, 1, 31, 10, tzinfo=UTC).timestamp())),
    ],
)
def test_a_time_is_a_word_a_duration_a_date_or_seconds(text: str, seconds: int) -> None:
    assert moment(text, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "tomorrow", "-1", "-1d", "90 d", "1d2h", "٩٣d", "٩٣", "1e9", "nan", "2027-13-01"),
        *("999999999y", "9" * 15, "9" * 5000, "1960-01-01", "0001-01-01T00:00+14:00"),
    ],
)
def test_what_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(InputError):
        moment(text, NOW)


@pytest.mark.parametrize("text", ["2027", "20270131", "90", "202701"])
def test_digits_that_are_meant_as_a_date_or_as_days_are_not_taken_as_seconds_of_1970(text: str) -> None:
    with pytest.raises(InputError, match="no time"):
        moment(text, NOW)


def test_the_clock_is_the_machines() -> None:
    assert abs(moment("now") - datetime.now(UTC).timestamp()) < 5


@pytest.mark.parametrize("text", ["", "24", "soon", "1.5h", "-1h", "1h ", "9" * 20 + "s", "٣h"])
def test_what_is_no_duration_is_an_error(text: str) -> None:
    with pytest.raises(InputError, match="duration"):
        duration(text)


def test_a_time_is_shown_in_utc() -> None:
    assert shown(0) == "1970-01-01 00:00:00 UTC"
    assert shown(NEVER) == "never"
    assert shown(NEVER - 1).startswith("second ")
