"""Which instances of a rolling update count, when each was updated, and which batches have been watched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit._checks import Check
from abkit.adapters._panel_log import Panel
from abkit.inference._update_order import ORDERS, count_orders
from abkit.strategies import Rolling
from abkit.suffstats._base import IntArray

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """The instances of a panel: when each was updated, and why some are left out.

    `updated` is the bucket of an instance's first row of the new version, or the number of buckets. The last bucket of
    the log may still be filling, and is none of them. `kept` are the instances that count. `ends` are, for each batch
    that has been watched, the bucket at which it was looked at.
    """

    panel: Panel
    buckets: int
    updated: IntArray
    kept: Mask
    late: Mask
    vanished: Mask
    flipped: Mask
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def exposed(self) -> Float64Array:
        """The share of each cell of the instances that count that ran the new version, never falling."""
        rows, new = (cells[self.kept, : self.buckets] for cells in (self.panel.rows, self.panel.new))
        share = np.divide(new, rows, out=np.zeros(rows.shape), where=rows > 0)
        return np.maximum.accumulate(share, axis=1)

    def counts(self, look: int) -> tuple[int, int]:
        """Instances that were compared while they were not yet updated, and that were updated, by this look."""
        updated = self.updated[self.kept]
        done = updated < (self.ends[look - 1] if look else 0)
        return int((updated > updated.min()).sum()) if done.any() else len(updated), int(done.sum())


def fleet_of(panel: Panel, strategy: Rolling) -> Fleet:
    """Read a panel."""
    buckets = max(panel.rows.shape[1] - 1, 1)
    rows, new = panel.rows[:, :buckets], panel.new[:, :buckets]
    place = np.arange(buckets)
    updated = np.where((new > 0).any(axis=1), (new > 0).argmax(axis=1), buckets)
    first = np.where(rows > 0, place, buckets).min(axis=1)
    last = np.where(rows > 0, place, -1).max(axis=1)
    last_old = np.where(rows > new, place, -1).max(axis=1)
    flipped = last_old >= updated + strategy.settle
    vanished = (last >= 0) & (last < buckets - 1 - strategy.settle)
    late = first > 0
    kept = ~(flipped | vanished | late)
    starts = tuple(_starts(updated[kept], strategy, buckets))
    wait = strategy.settle + strategy.watch
    ends = tuple(start + wait for start in starts if start + wait <= buckets)
    return Fleet(panel, buckets, updated, kept, late, vanished, flipped, starts, ends)


def _starts(updated: IntArray, strategy: Rolling, buckets: int) -> Iterator[int]:
    """The bucket in which each batch was complete, of those that are."""
    ordered = np.sort(updated)
    for stage in strategy.stages:
        count = max(1, round(stage.weight * len(ordered) / 100))
        if len(ordered) < count or ordered[count - 1] >= buckets:
            return
        yield int(ordered[count - 1])


def share_of_look(fleet: Fleet, look: int, batches: int, alpha: float) -> float:
    """The share of alpha of a look: an equal one, and those of earlier looks that could not have shown anything.

    Whether a look can depends on how many instances were updated when, and on nothing that was measured.
    """
    updated, share = fleet.updated[fleet.kept], 0.0
    spent = True
    for end in fleet.ends[:look]:
        share = 1 / batches + (0.0 if spent else share)
        sizes = np.unique(np.minimum(updated, end), return_counts=True)[1]
        spent = 1 / min(count_orders(sizes), ORDERS) <= alpha / 2 * share
    return share


def fleet_checks(fleet: Fleet, strategy: Rolling, limit: float) -> Iterator[Check]:
    """What happened to the instances, each kind counted."""
    n, known = len(fleet.updated), fleet.updated < fleet.buckets
    flipped, late = int(fleet.flipped.sum()), int((fleet.late & ~fleet.flipped).sum())
    message = (
        f"{int(fleet.kept.sum())} of {n} instances compared, {int(known.sum())} updated; left out: {flipped} that ran "
        f"the old version again, {late} that came later"
    )
    yield Check("instances", "fail" if flipped else "pass", message, flipped / n)
    gone = [name for name, lost in zip(fleet.panel.instances, fleet.vanished & known, strict=True) if lost]
    others = int((fleet.vanished & ~known).sum())
    named = f" ({', '.join(gone[:5])}{', ...' * (len(gone) > 5)})" if gone else ""
    message = (
        f"{len(gone)} updated instances{named} have no rows any more, and {others} that were not updated; left out"
    )
    yield Check("survivors", "fail" if gone else "pass", message, len(gone) / n)
    yield _gaps(fleet, strategy, limit)


def _gaps(fleet: Fleet, strategy: Rolling, limit: float) -> Check:
    """An instance that is down has no errors to show: without rows, it must not be more often once it is updated."""
    rows, updated = fleet.panel.rows[fleet.kept, : fleet.buckets], fleet.updated[fleet.kept]
    place = np.arange(fleet.buckets)
    old, new = place < updated[:, None], place >= updated[:, None] + strategy.settle
    before, after = (float(((rows == 0) & cells).sum() / max(cells.sum(), 1)) for cells in (old, new))
    message = (
        f"buckets without a row: {before:.2%} before the update, {after:.2%} once it has settled (limit +{limit:.2%})"
    )
    return Check("gaps", "fail" if after > before + limit else "pass", message, after)
