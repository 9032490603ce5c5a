"""Moments and lengths of time as plans write them."""

from __future__ import annotations

import datetime as dt

import pytest

from abkit._times import duration, duration_text, moment, moment_text


@pytest.mark.parametrize(
    ("text", "seconds", "written"),
    [("1d", 86_400, "1d"), ("24h", 86_400, "1d"), ("90m", 5400, "90m"), ("1.5h", 5400, "90m"), ("2w", 1_209_600, "2w"),
     ("500ms", 0.5, "500ms"), (" 7 s ", 7, "7s"), (dt.timedelta(minutes=2), 120, "2m"), ("1us", 1e-6, "1us")],
)  # fmt: skip
def test_a_length_of_time(text: object, seconds: float, written: str) -> None:
    assert duration("x", text).total_seconds() == seconds
    assert duration_text("x", text) == written
    assert duration("x", written) == duration("x", text)


@pytest.mark.parametrize("wrong", ["0d", "-1d", "1", "1y", "", "d", 5, None, True, dt.timedelta(0), "1e9w", "nan d"])
def test_what_is_no_length_of_time(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"`x` must be a length of time above 0"):
        duration("x", wrong)


@pytest.mark.parametrize(
    ("value", "written"),
    [("2026-11-01T12:00Z", "2026-11-01T12:00:00Z"), ("2026-11-01T12:00+02:00", "2026-11-01T10:00:00Z"),
     ("2026-11-01", "2026-11-01T00:00:00Z"), (dt.date(2026, 11, 1), "2026-11-01T00:00:00Z"),
     (dt.datetime(2026, 11, 1, 12), "2026-11-01T12:00:00Z"),
     (dt.datetime(2026, 11, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=-1))), "2026-11-01T13:00:00Z")],
)  # fmt: skip
def test_a_moment_is_in_utc(value: object, written: str) -> None:
    assert moment_text("x", value) == written
    assert moment("x", written) == moment("x", value)


@pytest.mark.parametrize("wrong", ["yesterday", 5, None, ""])
def test_what_is_no_moment(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError), match="`x` must be a time such as"):
        moment("x", wrong)
