"""Moments and lengths of time as a plan writes them: "2026-11-01T12:00Z", "12h", "14d"."""

from __future__ import annotations

import datetime as dt
import re

from abkit import _check

SECONDS = {"w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}


def duration(name: str, value: object) -> dt.timedelta:
    """A length of time above 0, from "1d", "12h", "30m", "1w" or a timedelta."""
    span = value if isinstance(value, dt.timedelta) else None
    if isinstance(value, str) and (found := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(w|d|h|m|s|ms|us)\s*", value)):
        try:
            span = dt.timedelta(seconds=float(found[1]) * SECONDS[found[2]])
        except OverflowError:
            span = None
    if span is None or not span > dt.timedelta(0):
        raise ValueError(
            f"`{name}` must be a length of time above 0, such as '1d', '12h', '30m' or '1w'; got {_check.show(value)}."
        )
    return span


def duration_text(name: str, value: object) -> str:
    """The same as a plan file holds it: in the largest unit that is whole."""
    seconds = duration(name, value).total_seconds()
    unit = next((u for u, size in SECONDS.items() if seconds % size == 0), "us")
    return f"{seconds / SECONDS[unit]:.15g}{unit}"


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
