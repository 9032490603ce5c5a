"""A/A replay: what a plan decides where there is nothing to find."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.special import betaincinv

from abkit import _check
from abkit._sets import Interval
from abkit.decision import decide_report
from abkit.experiment import as_experiment


@dataclass(frozen=True, slots=True)
class Replay:
    """How often a plan promoted, rolled back, or found its data broken, in experiments without an effect.

    `rejected` counts, per metric, the experiments in which its two-sided test of no difference has p < alpha for any
    treatment; `blocked` those in which a check of the data failed.
    """

    times: int
    alpha: float
    treatments: int
    promoted: int
    rolled_back: int
    blocked: int
    rejected: dict[str, int]

    def rate(self, count: int, level: float = 0.95) -> Interval:
        """The rate behind one of the counts: its exact binomial interval (Clopper and Pearson 1934, Biometrika 26)."""
        count, tail = _check.count("count", count), (1 - _check.within("level", level, 0, 1)) / 2
        low = 0.0 if count == 0 else float(betaincinv(count, self.times - count + 1, tail))
        high = 1.0 if count == self.times else float(betaincinv(count + 1, self.times - count, 1 - tail))
        return Interval(low, high, level)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        counts = {"promoted": self.promoted, "rolled back": self.rolled_back, "blocked by a check": self.blocked}
        counts |= {f"p < {self.alpha:g} in {metric}": count for metric, count in self.rejected.items()}
        width = max(map(len, counts))
        lines = [f"{self.times:,} replays without an effect, {self.treatments + 1} variants each"]
        for what, count in counts.items():
            low, high = self.rate(count)
            lines.append(f"  {what:<{width}}  {count / self.times:7.2%}  [{low:.2%}, {high:.2%}]")
        return "\n".join(lines)


def aa_replay(plan: object, log: object, *, times: int = 200, rng: np.random.Generator) -> Replay:
    """Run a plan many times over a historical log whose units are given variants at random.

    Answers: how often would this very plan raise a false alarm, or promote nothing, on data like mine?

    Parameters
    ----------
    plan : Experiment, dict, or path of a plan file
        The plan as it would be run. Its `allocation` gives the shares; without one, they are equal.
    log : table or path
        A log with the plan's columns. A variant column may be absent; the variants that it holds are ignored, so that
        a finished experiment can be replayed. It is held in memory.
    times : int
        How many experiments, at least 1. Each costs one analysis of the log.
    rng : numpy.random.Generator
        Draws the variants. The same generator state gives the same replays.

    Returns
    -------
    Replay

    Raises
    ------
    ValueError, TypeError
        `times` below 1, or `rng` that is no generator.
    DataError
        The log cannot answer what the plan asks.

    Notes
    -----
    Each unit is given a variant independently, so that the null hypothesis of no effect on any unit holds by
    construction, with the real correlations, tails and gaps of the log; this is the A/A test of Kohavi, Tang and Xu
    [1]_ by re-randomisation. The rates are those of the plan at one look. It says nothing of power, and nothing of
    faults of the real assignment, which it replaces.

    References
    ----------
    .. [1] Kohavi, Tang and Xu 2020, Trustworthy Online Controlled Experiments, ch. 19.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import abkit as ab
    >>> rng = np.random.default_rng(1)
    >>> log = pd.DataFrame({"user": range(400), "revenue": rng.exponential(10, 400)})
    >>> plan = ab.Experiment(unit="user", variant="variant", control="old", metrics={"revenue": ab.Mean("revenue")})
    >>> replay = ab.aa_replay(plan, log, times=50, rng=rng)
    >>> replay.times, replay.promoted + replay.rolled_back == replay.rejected["revenue"]
    (50, True)
    """
    from abkit.adapters._progress import progress
    from abkit.adapters._relabel import read_unlabelled

    times = _check.count("times", times, 1)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"`rng` must be a numpy.random.Generator; got {_check.show(rng)}.")
    experiment = as_experiment(plan)
    unlabelled = read_unlabelled(log, experiment.request())
    allocation = experiment.allocation or dict.fromkeys(unlabelled.labels, 1.0)
    experiment = replace(experiment, allocation=allocation)
    weights = np.array([allocation[label] for label in unlabelled.labels])
    counts: Counter[str] = Counter()
    with progress(f"replaying {times:,} times"):
        for _ in range(times):
            labels = rng.choice(len(weights), unlabelled.units, p=weights / weights.sum())
            report = experiment.analyze(unlabelled.labelled(labels))
            decision = decide_report(report)
            counts[decision.verdict] += 1
            counts["blocked"] += decision.blocked
            alpha = experiment.monitor.total
            counts.update({f"p {row.metric}" for row in report.results if row.test and row.test.pvalue < alpha})
    return Replay(
        times,
        experiment.monitor.total,
        len(weights) - 1,
        counts["promote"],
        counts["rollback"],
        counts["blocked"],
        {metric: counts[f"p {metric}"] for metric in experiment.metrics},
    )
