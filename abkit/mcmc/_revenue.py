"""Revenue of two variants, most of it zero and the rest with a heavy tail: posterior of the mean of a unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.evidence import TestResult, tested
from abkit.inference._resample import generator
from abkit.mcmc._draws import DrawsEffect
from abkit.mcmc._fit import Compiled, Fit, add_groups, compiled, sample_model
from abkit.mcmc._revenue_checks import Posterior, Predicted, failures, lognormal_checks, pareto_checks
from abkit.mcmc._revenue_data import Spend, Tail, make_spend, make_tail
from abkit.mcmc._revenue_models import (
    LOGNORMAL_PRIOR,
    PARETO_PRIOR,
    VARIANTS,
    lognormal_data,
    lognormal_model,
    pareto_data,
    pareto_model,
    prior_draws,
)

TailModel = Literal["lognormal", "pareto"]
TAILS = ("lognormal", "pareto")
PARTS = ("mean", "share", "spend")
_NAMES = {"mean": "revenue of a unit", "share": "share of payers", "spend": "revenue of a payer"}
#: Standard errors between the model's mean and the sample's from which on the result says so.
FAR = 3.3
#: A tail index of 1 has no mean; with this probability beyond 0.8 the result says what its mean rests on.
HEAVY, HARDLY = 0.8, 0.05
PRIOR_DRAWS = 1000


@dataclass(frozen=True, repr=False, eq=False)
class RevenueFit(Fit):
    """A fit of revenue: nothing can be read from it where chains, or the predictions of the model, fail.

    Parameters
    ----------
    data, diagnostics
        As of every `Fit`.
    tail : {"lognormal", "pareto"}
        The model.
    checks : tuple of Predicted
        What the model predicts of the data, beside what they are.
    samples : tuple of two floats
        Mean revenue of a unit of the control and of the treatment, as the samples have it.
    stderrs : tuple of two floats
        Their standard errors.
    """

    tail: TailModel
    checks: tuple[Predicted, ...]
    samples: tuple[float, float]
    stderrs: tuple[float, float]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the chains, and which predictions of the model fail."""
        failed = failures(self.checks)
        if not failed:
            return self.diagnostics.problems
        worst = "; ".join(map(str, failed[:2]))
        said = f"{len(failed)} of {len(self.checks)} predictions of the model fail: {worst}."
        return (*self.diagnostics.problems, f"{said} A wrong tail gives a wrong mean: {_INSTEAD[self.tail]}.")

    @property
    def prior(self) -> str:
        """The prior in words."""
        return LOGNORMAL_PRIOR if self.tail == "lognormal" else PARETO_PRIOR

    def test(self, part: Literal["mean", "share", "spend"] = "mean") -> TestResult:
        """Treatment minus control as the result that rules read, with `relative()` for the lift.

        Parameters
        ----------
        part : {"mean", "share", "spend"}
            Mean revenue of a unit, or one of the two that it is the product of: the share of payers, and the mean
            revenue of a payer.

        Raises
        ------
        DataError
            The chains or the posterior predictive checks failed.
        """
        _check.choice("part", part, PARTS)
        control, treatment = (self.draws(part, variant=name) for name in VARIANTS)
        difference = treatment - control
        means = float(control.mean()), float(treatment.mean())
        effect = DrawsEffect(difference, difference / control, *means)
        return tested(f"revenue, {self.tail}: {_NAMES[part]}", effect, "two-sided", 0.0, self._caution())

    def effects(self) -> dict[str, TestResult]:
        """All three tests by the name of the part."""
        return {"mean": self.test("mean"), "share": self.test("share"), "spend": self.test("spend")}

    def _caution(self) -> str | None:
        return "; ".join(self._cautions()) or None

    def _cautions(self) -> Iterator[str]:
        for name, sample, stderr in zip(VARIANTS, self.samples, self.stderrs, strict=True):
            draws = self.draws("mean", variant=name)
            if abs(draws.mean() - sample) > FAR * np.hypot(draws.std(), stderr):
                yield f"the model's mean of the {name} is {draws.mean():.6g}, and the sample's is {sample:.6g}"
            if self.tail == "pareto" and np.mean(self.draws("tail_index", variant=name) > HEAVY) > HARDLY:
                yield f"the tail of the {name} is so heavy that its mean rests on the prior; cap the revenue of a unit"

    def __str__(self) -> str:
        lines = [f"revenue, {self.tail}", super().__str__()]
        if self.ok:
            lines += [_line(part, result) for part, result in self.effects().items()]
            pairs = zip(VARIANTS, self.samples, strict=True)
            lines += [f"sample mean of the {name}: {sample:.6g}" for name, sample in pairs]
            lines += [f"caution: {said}" for said in self._cautions()]
        return "\n".join(lines)

    __repr__ = __str__


_INSTEAD = {
    "lognormal": "use tail='pareto', which assumes nothing of ordinary payments, or compare means",
    "pareto": "compare means (`ab.bayes.compare`), or cap the revenue of a unit",
}


def revenue(
    control: object,
    treatment: object,
    *,
    rng: np.random.Generator,
    tail: TailModel = "lognormal",
    **sampling: Any,
) -> RevenueFit:
    """Mean revenue of a unit where most pay nothing and a few pay very much, in PyMC.

    Answers: by how much does mean revenue differ, and is it the share of payers or what they spend?

    Parameters
    ----------
    control, treatment : array_like, shape (n,)
        Revenue of each unit, zero for those who paid nothing; not negative. At least five payers each.
    rng : numpy.random.Generator
        Source of all randomness: the same generator gives the same draws.
    tail : {"lognormal", "pareto"}
        "lognormal": the logs of what payers spend are normal. "pareto": in each variant nothing is assumed of payments
        up to their 90% quantile, or lower so that 20 lie above it, and those above have a generalised Pareto tail; it
        needs 40 payers in each.
    **sampling
        `draws`, `tune`, `chains`, `cores`, `target_accept` and `progress` of the sampler, by default four chains of
        1,000 draws after 1,000 of tuning.

    Returns
    -------
    RevenueFit
        `test()` is the difference with its lift, `test("share")` and `test("spend")` those of the two parts. Where
        the chains or the posterior predictive checks fail, `problems` says why and these raise.

    Raises
    ------
    ValueError
        Negative revenue, or too few payers.
    MissingDependencyError
        PyMC, ArviZ or nutpie is not installed.

    Notes
    -----
    Mean = share of payers * mean spend, in both variants, with independent priors: uniform for the share. Lognormal:
    spend exp(m + s^2 / 2), from the mean and the sum of squares of the logs, so that a million rows cost what a
    hundred do. s has an upper limit of 4, because without one, and under the usual priors, the mean of a lognormal has
    no posterior mean [1]_. Pareto [2]_: (1 - q) b + q (u + scale / (1 - index)) with q the share of payments above the
    threshold u, b the mean of the others, normal with the sample's standard error, and an index below 1, since from
    there on a tail has no mean. The prior of the index is -0.25 + 1.25 Beta(2, 3), which vanishes at 1 fast enough for
    the mean to have a posterior mean and variance. A Student's t of the logs is not offered: its exponential has
    no mean, whatever its degrees of freedom.

    Checks: the share of zeros, and of payments (with "pareto" those above the threshold) the quantiles and the
    largest are compared with what the model predicts of them; with a right model one or more fails in about 1% of
    fits. With very many payers every simple law fails, the lognormal first: prices are not continuous. Not for several
    rows a unit: add them up first.

    References
    ----------
    .. [1] Fabrizi and Trivisano 2012, Bayesian Analysis 7(4), sec. 2.
    .. [2] Taddy, Lopes and Gardner 2016, arXiv:1602.08066.
    """
    _check.choice("tail", tail, TAILS)
    source = generator(rng)
    spends = make_spend("control", control), make_spend("treatment", treatment)
    tails = _tails(spends) if tail == "pareto" else None
    given = lognormal_data(spends) if tails is None else pareto_data(spends, tails)
    fit = sample_model(_ready(tail).with_data(**given), rng=source, **sampling)
    draws = _flat(fit.data["posterior"])
    checks = _checked(spends, tails, draws, source)
    means = spends[0].mean, spends[1].mean
    data = _with_groups(fit.data, given, source)
    return RevenueFit(data, fit.diagnostics, tail, tuple(checks), means, (spends[0].stderr, spends[1].stderr))


def _tails(spends: tuple[Spend, Spend]) -> tuple[Tail, Tail]:
    return make_tail("control", spends[0]), make_tail("treatment", spends[1])


def _with_groups(data: Any, given: dict[str, Any], rng: np.random.Generator) -> Any:
    """ArviZ data with the prior, and with the payers that there are and that prior and posterior predict."""
    import xarray as xr

    def labelled(values: Float64Array) -> Any:
        dims = "chain", "draw", "variant"
        coords = dict(zip(dims, (np.arange(values.shape[0]), np.arange(values.shape[1]), list(VARIANTS)), strict=True))
        return xr.DataArray(values, dims=dims, coords=coords)

    before = prior_draws(given, PRIOR_DRAWS, rng)
    share = np.asarray(data["posterior"]["share"].values)
    payers = xr.DataArray(
        np.asarray(given["observed_payers"], float), dims="variant", coords={"variant": list(VARIANTS)}
    )
    groups = {
        "observed_data": {"payers": payers},
        "prior_predictive": {"payers": labelled(before.pop("payers"))},
        "prior": {name: labelled(values) for name, values in before.items()},
        "posterior_predictive": {"payers": labelled(rng.binomial(given["units"], share).astype(np.float64))},
    }
    return add_groups(data, groups)


def _checked(
    spends: tuple[Spend, Spend], tails: tuple[Tail, Tail] | None, draws: Posterior, rng: np.random.Generator
) -> list[Predicted]:
    return lognormal_checks(spends, draws, rng) if tails is None else pareto_checks(spends, tails, draws, rng)


@cache
def _ready(tail: TailModel) -> Compiled:
    """The model of a tail, compiled once for all data."""
    pair = np.array([1.0, 2.0])
    spends = make_spend("control", pair.repeat(3)), make_spend("treatment", pair.repeat(3))
    tails = Tail(1.0, 0.5, 0.1, pair), Tail(1.0, 0.5, 0.1, pair)
    made: Compiled = compiled(
        (lambda: lognormal_model(lognormal_data(spends)))
        if tail == "lognormal"
        else (lambda: pareto_model(pareto_data(spends, tails)))
    )
    return made


def _flat(posterior: Any) -> dict[str, Float64Array]:
    """Draws of all chains, one after the other."""
    values = {str(name): np.asarray(value, dtype=np.float64) for name, value in posterior.data_vars.items()}
    return {name: value.reshape(-1, *value.shape[2:]) for name, value in values.items() if value.ndim == 3}


def _line(part: str, result: TestResult) -> str:
    effect = result.effect
    assert isinstance(effect, DrawsEffect) and effect.share is not None  # noqa: PT018, S101 - made above
    (low, high), (least, most) = (np.quantile(draws, [0.025, 0.975]) for draws in (effect.draws, effect.share))
    return (
        f"{_NAMES[part]}: {result.control:.6g} -> {result.treatment:.6g}, difference {result.estimate:.6g} "
        f"[{low:.6g}, {high:.6g}], lift [{least:+.2%}, {most:+.2%}], P(better) = {effect.pvalue(0.0, 'less'):.4f}"
    )
