"""Simpson's reversals: all together one way, within segments the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from abkit.evidence import TestResult
from abkit.inference._heterogeneity import checked_results, pooled, scaled, segment_answers


@dataclass(frozen=True, slots=True)
class SimpsonFinding:
    """Whether segments contradict the effect of all units together.

    Parameters
    ----------
    kind : {"none", "majority", "every"}
        "every": each segment's estimate has the other sign than the overall one. "majority": those of more than half
        of the weight have, and so has the effect within segments.
    overall : float
        The estimate that ignores the segments.
    within : float
        The estimate within segments, each weighted by 1 / stderr^2.
    stderr : float
        Standard error of `within`.
    opposite : tuple of str
        The segments with the other sign.
    share : float
        Their share of the weight.
    skipped : tuple of str
        Segments that have no estimate or no standard error.

    Examples
    --------
    >>> from abkit.inference import SimpsonFinding
    >>> SimpsonFinding("every", -0.05, 0.05, 0.02, ("new", "old"), 1.0).message
    'every segment has the opposite sign: -0.05 overall, 0.05 +- 0.02 within segments (new, old)'
    """

    kind: Literal["none", "majority", "every"]
    overall: float
    within: float
    stderr: float
    opposite: tuple[str, ...]
    share: float
    skipped: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """The finding as a sentence."""
        if self.kind == "none":
            return "the segments do not contradict the overall effect"
        who = "every segment has" if self.kind == "every" else f"segments with {self.share:.0%} of the weight have"
        found = f"{self.overall:.4g} overall, {self.within:.4g} +- {self.stderr:.2g} within segments"
        return f"{who} the opposite sign: {found} ({', '.join(self.opposite)})"


def simpson_reversals(overall: TestResult, by_segment: Mapping[str, TestResult]) -> SimpsonFinding:
    """Point out segments that contradict the effect of all units together.

    Answers: does the effect change its sign once like is compared with like?

    Parameters
    ----------
    overall : TestResult
        The test of all units, without regard to segments.
    by_segment : mapping of str to TestResult
        The same test in each segment; the segments have all units between them, and none in two.

    Returns
    -------
    SimpsonFinding
        `kind` "none" where there are fewer than two segments with an answer, or the overall estimate is zero or
        undefined.

    Raises
    ------
    ValueError
        Results on different scales, or no segment that has an estimate.
    TypeError
        Something that is not a `TestResult`.

    Notes
    -----
    A reversal [1]_ needs variants that are spread differently over the segments: in a randomised experiment that is
    chance, a changed allocation, or a segment that the treatment itself decides. Test the allocation within segments
    (`srm_test`) before believing either sign. Signs alone are compared: where `within` is not far from zero in units
    of `stderr`, both are noise.

    References
    ----------
    .. [1] Simpson 1951, JRSS B 13(2), 238-241.

    Examples
    --------
    >>> from abkit import Counts, proportion_test, simpson_reversals
    >>> small = proportion_test(Counts(87, 81), Counts(270, 234))  # Charig et al. 1986, BMJ 292: kidney stones
    >>> large = proportion_test(Counts(263, 192), Counts(80, 55))
    >>> both = proportion_test(Counts(350, 273), Counts(350, 289))
    >>> simpson_reversals(both, {"small": small, "large": large}).message
    'every segment has the opposite sign: 0.04571 overall, -0.05884 +- 0.03 within segments (small, large)'
    """
    names, listed = list(by_segment), checked_results(by_segment.values())
    checked_results([overall])
    kept = segment_answers(listed)
    segment_answers([overall, *listed])
    y, v, scale = scaled([listed[i] for i in kept])
    within, weights = pooled(y, v, 0.0)
    side = math.copysign(1.0, overall.estimate) if overall.estimate and math.isfinite(overall.estimate) else 0.0
    against = y * side < 0
    share = float(weights[against].sum() / weights.sum())
    kind: Literal["none", "majority", "every"] = "none"
    if len(kept) > 1 and against.all():
        kind = "every"
    elif len(kept) > 1 and share > 0.5 and within * side < 0:
        kind = "majority"
    return SimpsonFinding(
        kind,
        overall.estimate,
        scale * within,
        scale / math.sqrt(float(weights.sum())),
        tuple(names[i] for i, opposite in zip(kept, against.tolist(), strict=True) if opposite),
        share,
        tuple(name for i, name in enumerate(names) if i not in kept),
    )
