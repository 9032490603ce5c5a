"""What optional stopping does to a plan that decides by its posterior: error rates, and whether it says what is so.

Writes a part of docs/calibration-bayes.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

import abkit as ab
from abkit.bayes import MixturePrior, NormalPrior, StudentPrior
from abkit.inference import linear_effect, mean_arm
from abkit.sequential._posterior import Prior
from abkit.suffstats import CoMoments
from tests.calibration.bayes_page import write_section

pytestmark = pytest.mark.calibration

RUNS = 20_000
LOOKS = (1, 5, 20, 100)
#: Of both variants at the last look; a unit has a standard deviation of 1, so that the standard error there is 0.01.
UNITS = 40_000
NORMAL = NormalPrior(sd=0.02)
STUDENT = StudentPrior(df=3, scale=0.01)
MIXED = MixturePrior(weights=[0.8, 0.2], means=[0, 0], sds=[0.002, 0.03])
RULES: dict[str, ab.Bayesian] = {
    "probability 0.95, flat prior": ab.Bayesian(),
    "probability 0.99, flat prior": ab.Bayesian(0.99),
    "probability 0.95, prior N(0, 2 s)": ab.Bayesian(prior=NORMAL),
    "loss 0.1 s, flat prior": ab.Bayesian(loss=0.001),
    "loss 0.02 s, flat prior": ab.Bayesian(loss=0.0002),
    "loss 0.02 s, prior N(0, 2 s)": ab.Bayesian(loss=0.0002, prior=NORMAL),
    "loss 0.1 s and probability 0.95, flat prior": ab.Bayesian(0.95, loss=0.001),
}


def units_at(looks: int) -> list[float]:
    return [UNITS * (k + 1) / looks for k in range(looks)]


@dataclass(frozen=True)
class Stopped:
    """Of each run whether it promoted, and what was believed of it and expected to be lost there."""

    promoted: Any
    probability: Any
    loss: Any


def believed(prior: Prior | None, estimate: Any, stderr: float) -> tuple[Any, Any]:
    """The probability of being better and the expected loss of a promotion."""
    if prior is not None:
        posterior = prior.posterior(estimate, stderr)
        return posterior.sf(0.0), posterior.mean_below(0.0)
    z = estimate / stderr
    return ndtr(z), stderr * (np.exp(-z * z / 2) / np.sqrt(2 * np.pi) - z * ndtr(-z))


def run(monitor: ab.Bayesian, effects: Any, looks: int, rng: np.random.Generator, *, both: bool = True) -> Stopped:
    """Experiments on these effects until the first verdict; `both`: a rollback is one, too."""
    left = np.arange(len(effects))
    total = np.zeros(len(effects))
    found = Stopped(np.zeros(len(effects), dtype=bool), np.full(len(effects), np.nan), np.full(len(effects), np.nan))
    step = UNITS / looks
    for n in units_at(looks):
        # the sum of differences of pairs, each of variance 4 for one unit of both
        total[left] += step * effects[left] + 2 * np.sqrt(step) * rng.standard_normal(len(left))
        stderr = 2 / np.sqrt(n)
        estimate = total[left] / n
        up = verdicts(monitor, estimate, stderr)
        down = verdicts(monitor, -estimate, stderr) if both else np.zeros(len(left), dtype=bool)
        better, loss = believed(monitor.prior, estimate[up], stderr) if up.any() else (np.zeros(0), np.zeros(0))
        found.promoted[left[up]], found.probability[left[up]], found.loss[left[up]] = True, better, loss
        left = left[~(up | down)]
    return found


def verdicts(monitor: ab.Bayesian, estimate: Any, stderr: float) -> Any:
    """Whether each of these estimates is promoted."""
    better, loss = believed(monitor.prior, estimate, stderr)
    shown = better > 0.5
    if monitor.probability is not None:
        shown &= better > monitor.probability
    return shown & (loss < monitor.loss) if monitor.loss is not None else shown


@pytest.mark.parametrize("name", RULES)
def test_the_arrays_here_decide_as_the_monitor_does(name: str) -> None:
    monitor, n = RULES[name], 4000
    estimates = np.linspace(-0.15, 0.15, 61)
    stderr = float(np.sqrt(4 / n))
    mine = verdicts(monitor, estimates, stderr)
    for estimate, promoted in zip(estimates.tolist(), mine.tolist(), strict=True):
        pair = (CoMoments(n // 2, [m], [[n / 2 * (n / 2 - 1) / (n / 2)]], ["x"]) for m in (10.0, 10.0 + estimate))
        effect = linear_effect(*(mean_arm(moments) for moments in pair)).normal()
        test = ab.TestResult(*_tested(monitor, effect))
        shown = monitor.passes(test, 0.0, 1.0, monitor.total) if monitor.loss else test.pvalue < monitor.total
        assert (shown and test.statistic > 0) == promoted, estimate


def _tested(monitor: ab.Bayesian, effect: Any) -> tuple[Any, ...]:
    from abkit.evidence import Sample

    method, posterior = monitor.monitored("z", effect, Sample(4000, 2000), ab.Look())
    return method, posterior, "two-sided", 0.0, posterior.statistic(0.0)


def test_what_looking_does_without_an_effect() -> None:
    rng = np.random.default_rng(20261123)
    rows, wrong = [], []
    for name, monitor in RULES.items():
        cells = []
        for looks in LOOKS:
            exact = monitor.design(units_at(looks), sd=1.0).alpha / 2
            found = float(run(monitor, np.zeros(RUNS), looks, rng).promoted.mean())
            error = np.sqrt(max(exact * (1 - exact), 1e-4) / RUNS)
            if abs(found - exact) > 4.5 * error:
                wrong.append((name, looks, found, exact))
            cells.append(f"{found:.1%} ({exact:.1%})")
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    assert not wrong
    head = "| promote by | " + " | ".join(f"{looks} look{'s' * (looks > 1)}" for looks in LOOKS) + " |\n|---|"
    write_section(
        "bayesian stopping, error rates", _ERRORS + "\n\n" + head + "---|" * len(LOOKS) + "\n" + "\n".join(rows)
    )


#: How it is decided, what effects are really like, and whether the posterior is then right.
BELIEFS: list[tuple[str, ab.Bayesian, Prior, bool]] = [
    ("N(0, 2 s)", ab.Bayesian(prior=NORMAL), NORMAL, True),
    ("N(0, 2 s)", ab.Bayesian(loss=0.0002, prior=NORMAL), NORMAL, True),
    ("Student 3, 1 s", ab.Bayesian(prior=STUDENT), STUDENT, True),
    ("most tiny, some large", ab.Bayesian(prior=MIXED), MIXED, True),
    ("N(0, 0.5 s)", ab.Bayesian(prior=NORMAL), NormalPrior(sd=0.005), False),
    ("N(0, 0.5 s)", ab.Bayesian(), NormalPrior(sd=0.005), False),
    ("most tiny, some large", ab.Bayesian(), MIXED, False),
    ("N(0, 2 s)", ab.Bayesian(), NORMAL, False),
]
_WORDS = {id(NORMAL): "N(0, 2 s)", id(STUDENT): "Student 3, 1 s", id(MIXED): "most tiny, some large"}


def test_beliefs_are_right_whenever_one_stops_if_effects_are_like_the_prior() -> None:
    rng = np.random.default_rng(8)
    rows = []
    for drawn, monitor, truth, right in BELIEFS:
        for looks in (1, 20 if truth is STUDENT else 100):
            effects = truth.sample(rng, RUNS)
            found = run(monitor, effects, looks, rng, both=False)
            of = found.promoted
            said, so = float(found.probability[of].mean()), float((effects[of] > 0).mean())
            loss_said, loss_so = float(found.loss[of].mean()), np.maximum(-effects[of], 0.0)
            error, loss_error = np.sqrt(said * (1 - said) / of.sum()), float(loss_so.std() / np.sqrt(of.sum()))
            if right:
                assert abs(so - said) < 4 * error, (drawn, looks, said, so)
                assert abs(loss_so.mean() - loss_said) < 4 * loss_error, (drawn, looks)
            elif looks > 1:
                assert so < said - 4 * error, (drawn, looks, said, so)
            by = "probability 0.95" if monitor.probability else "loss 0.02 s"
            prior = "flat" if monitor.prior is None else _WORDS[id(monitor.prior)]
            cells = (drawn, prior, by, looks, f"{of.mean():.1%}", f"{said:.1%}", f"{so:.1%} ± {error:.1%}")
            shown = (f"{100 * loss_said:.3f}", f"{100 * loss_so.mean():.3f} ± {100 * loss_error:.3f}")
            rows.append(f"| {' | '.join(map(str, (*cells, *shown)))} |")
    head = "| effects | prior | promote by | looks | promoted | said to be better | are better | loss said | loss |\n"
    write_section("bayesian stopping, beliefs", _BELIEFS + "\n\n" + head + "|---" * 9 + "|\n" + "\n".join(rows))


_ERRORS = f"""\
## Looking often, without an effect

How often a release without any effect is promoted, by plans with `monitor: bayesian` that are looked at so many times
at equal distances and stop at the first verdict, promotion or rollback: {RUNS:,} simulated runs, and in brackets what
`monitor.design(units, sd=...)` says exactly. Rollbacks are as frequent. s is the standard error at the last look,
which priors and accepted losses are compared with.

A posterior pays for no look. Under a flat prior the false promotions of the probability rule grow with the looks,
towards a half; a prior that knows that effects are small holds them down, because early estimates are drawn
to zero. A loss rule promotes what is not worse by much: half of the releases that do nothing are promoted if one waits
long enough, and that costs little, as the rule says."""

_BELIEFS = f"""\
## Looking often, and what is believed

The other side of the same rules: effects are drawn from a distribution, each experiment stops at its first promotion,
and of the promotions {RUNS:,} runs give, the share that is truly better and the true mean loss are compared with what
the posterior said when they were made. Losses are in units of s. Where effects come from the prior, the posterior is
right on average whenever one stops, after one look or after the first of a hundred that is good enough. Where they do
not, it is not: a flat prior takes every promising look at its word, and a prior wider than the effects does so to a
lesser degree."""
