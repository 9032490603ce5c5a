"""Sufficient statistics: frozen, mergeable with `+`, with a strict JSON round trip."""

from abkit.suffstats._comoments import CoMoments as CoMoments
from abkit.suffstats._counts import Counts as Counts
from abkit.suffstats._events import Events as Events
from abkit.suffstats._events import count_rows as count_rows
from abkit.suffstats._histogram import Histogram as Histogram
from abkit.suffstats._moments import Moments as Moments
from abkit.suffstats._paired_counts import PairedCounts as PairedCounts
