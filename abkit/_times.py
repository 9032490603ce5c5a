"""Moments and lengths of time as a plan writes them: "2026-11-01T12:00Z", "12h", "14d"."""

from __future__ import annotations

import datetime as dt
import re

from abkit import _check

MICROSECONDS = {
    "w": 604_800_000_000, "d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1000, "us": 1
}  # fmt: skip


def duration(name: str, value: object) -> dt.timedelta:
    """A length of time above 0, from "1d", "12h", "30m", "1w" or a timedelta."""
    span = value if isinstance(value, dt.timedelta) else None
    if isinstance(value, str) and (found := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(w|d|h|m|s|ms|us)\s*", value)):
        try:
            span = dt.timedelta(microseconds=float(found[1]) * MICROSECONDS[found[2]])
        except OverflowError:
            span = None
    if span is None or not span > dt.timedelta(0):
        raise ValueError(
            f"`{name}` must be a length of time above 0, such as '1d', '12h', '30m' or '1w'; got {_check.show(value)}."
        )
    return span


def duration_text(name: str, value: object) -> str:
    """The same as a plan file holds it: in the largest unit that is whole."""
    span = duration(name, value) // dt.timedelta(microseconds=1)
    unit = next(unit for unit, size in MICROSECONDS.items() if span % size == 0)
    return f"{span // MICROSECONDS[unit]}{unit}"


def moment(name: str, value: object) -> dt.datetime:
    """A time in UTC, from text or a datetime; without a zone it is one of UTC."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(
                f"`{name}` must be a time such as '2026-11-01T12:00Z'; got {_check.show(value)}."
            ) from None
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if not isinstance(value, dt.datetime):
        raise TypeError(f"`{name}` must be a time such as '2026-11-01T12:00Z'; got {_check.show(value)}.")
    return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)


def moment_text(name: str, value: object) -> str:
    """The same as text, in UTC: "2026-11-01T12:00:00Z"."""
    return moment(name, value).isoformat().replace("+00:00", "Z")
