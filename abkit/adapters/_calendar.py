"""When the looks at a log are, and how many rows were logged before each of them: one query of the times."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from abkit.adapters._clock import Clock, floor_of
from abkit.adapters._frames import collect
from abkit.adapters._profile import Profile, dropped, is_missing, keep_rows
from abkit.adapters._query import flag
from abkit.errors import DataError
from abkit.logs import Request

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]
    Schema = dict[str, nw.dtypes.DType]

MOST_LOOKS = 10_000
MISSING = "missing "
DROPS = ("without_unit", "without_variant", "without_key", "not_exposed")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The looks, numbered from 1, and the rows before each of them: all, kept, dropped, with gaps.

    The log is complete to `complete_to`: the last row, or what the user says. `rows_after` are the rows that count but
    were logged at or after the last look.
    """

    clock: Clock
    start: float
    count: int
    complete_to: float
    rows: tuple[dict[str, int], ...]
    rows_without_time: int
    rows_after: int

    def at(self, look: int) -> float:
        """When a look is."""
        return self.start + look * self.clock.every

    def profile(self, look: int) -> Profile:
        """What `count_rows` would say of the rows before a look."""
        counts = self.rows[look]
        unit, variant, key, exposed = (counts.get(name, 0) for name in DROPS)
        missing = {name.removeprefix(MISSING): n for name, n in counts.items() if name.startswith(MISSING) and n}
        return Profile(counts["rows"], unit, variant, key, exposed, missing)

    @property
    def codes(self) -> tuple[int, int]:
        """What stands for units with an open window, and for those of the last look that end after all rows."""
        return self.count + 1, self.count + 2

    @property
    def rows_kept(self) -> int:
        """The rows that count and have a time."""
        return self.rows[-1]["kept"] + self.rows_after


def make_calendar(
    frame: Frame, schema: Schema, request: Request, profile: Profile, clock: Clock, until: object
) -> Calendar:
    """Count rows by the period in which they were logged; only what the whole log has any of."""
    import narwhals as nw

    kept = keep_rows(schema, request)
    drops = {name: drop for name, drop in dropped(schema, request).items() if getattr(profile, name)}
    gaps = {f"{MISSING}{column}": kept & is_missing(schema, column) for column in profile.missing}
    counts = {**({"kept": kept} if drops else {}), **drops, **gaps}
    flags = {f"count {name}": flag(condition) for name, condition in counts.items()}
    time = nw.col(clock.name)
    periods = frame.with_columns(period=floor_of(time, clock.bucket), **flags)
    sums = (nw.col(name).sum().alias(name) for name in flags)
    found = collect(
        periods.group_by("period")
        .agg(nw.len().alias("count rows"), time.max().alias("last"), *sums)
        .head(MOST_LOOKS + 2)
    )
    rows = [{name: int(row[f"count {name}"]) for name in ("rows", *counts)} | row for row in found]
    names = list(dict.fromkeys(["rows", "kept", *counts]))
    return _calendar([{"kept": row["rows"], **row} for row in rows], names, request, clock, until)


def _calendar(rows: list[dict[str, Any]], counts: list[str], request: Request, clock: Clock, until: object) -> Calendar:
    timeless = sum(row["kept"] for row in rows if row["period"] is None)
    _refuse_timeless(timeless, request, clock)
    periods = [row for row in rows if row["period"] is not None]
    kept = [row for row in periods if row["kept"]]
    if not kept:
        raise DataError(f"the time `{clock.column}` is missing in every row that counts; there is nothing to look at.")
    start = math.floor(min(int(row["period"]) for row in kept) * clock.bucket / clock.grain) * clock.grain
    last = max(row["last"] for row in kept)
    count = int((last - start) // clock.every) + 1
    complete_to = last + clock.stamp
    if until is not None:
        said = clock.number("until", until)
        every_window = int((last + (clock.window or 0) - start) // clock.every) + 1
        count, complete_to = min(every_window, int((said - start) // clock.every)), max(complete_to, said)
    if not 1 <= count <= MOST_LOOKS or len(rows) > MOST_LOOKS + 1:
        made = f"{count:,}" if count >= 1 else "none"
        raise DataError(f"`every` must make from 1 to {MOST_LOOKS:,} looks of the log, up to `until`; it makes {made}.")
    before = [dict.fromkeys(counts, 0) for _ in range(count + 2)]
    for row in periods:
        look = min(max(int((int(row["period"]) * clock.bucket - start) // clock.every) + 1, 1), count + 1)
        for name in counts:
            before[look][name] += row[name]
    after = sum(row["kept"] for row in kept if int(row["period"]) * clock.bucket >= start + count * clock.every)
    for earlier, here in pairwise(before):
        for name in counts:
            here[name] += earlier[name]
    return Calendar(clock, start, count, complete_to, tuple(before[:-1]), timeless, after)


def _refuse_timeless(rows: int, request: Request, clock: Clock) -> None:
    if rows and any(block.missing == "error" for block in request.blocks):
        raise DataError(
            f"the time `{clock.column}` is missing in {rows:,} rows; correct the log, or leave these rows out by "
            "`missing` in the plan: drop, or zero."
        )
