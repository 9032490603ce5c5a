"""What past experiments say of the effects to expect: a prior fitted to their estimates."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import ndtri

from abkit import _check, _tails
from abkit._check import Float64Array
from abkit._sets import Interval, finite_or_none, tail_of
from abkit.bayes._comparison import Comparison
from abkit.bayes._effect_kinds import KINDS, Fit
from abkit.bayes._effect_posterior import EffectPosterior
from abkit.bayes._effect_priors import EffectPrior, NormalPrior
from abkit.errors import AccuracyWarning, DataError
from abkit.evidence import TestResult

EffectKind = Literal["normal", "student", "mixture"]
FitMethod = Literal["penalised", "ml"]
FEWEST = 4
_FEW = 10
#: How probable an experiment so far out may be, among all of them.
_OUTLYING = 0.01
#: A spread below this share of a standard error is none: towards zero the likelihood is flat, and the search stops.
_NEGLIGIBLE = 0.01
#: What tests call the scales of comparisons.
_ALIAS: dict[str | None, str] = {"log rate ratio": "log ratio"}
_MOST = 1e9


@dataclass(frozen=True, eq=False)
class EffectHistory:
    """A prior with the past experiments that it was fitted to.

    Parameters
    ----------
    prior : NormalPrior, StudentPrior or MixturePrior
        The distribution of effects, to be used as the prior of the next experiment like these.
    kind : {"normal", "student", "mixture"}
        Which of them it is.
    method : {"penalised", "ml"}
        How it was fitted.
    estimates, errors : float array, shape (experiments,)
        The estimates and their standard errors.
    scale : str or None
        The scale of the results, where they were results.
    parameters, stderrs : dict
        The prior's parameters and their standard errors; nan where the likelihood has no curvature. A parameter that
        was given has none.
    log_likelihood : float
        The logarithm of the density of the estimates at these parameters.
    caution : str or None
        Why the prior may be far from the truth.
    compared : dict
        BIC of every kind that was fitted: the smallest is the best.
    skipped : tuple of int
        Positions of results without an estimate or a standard error.

    Examples
    --------
    >>> from abkit.bayes import fit_effects
    >>> lifts = [0.021, -0.004, 0.003, 0.034, 0.008, -0.012, 0.015, 0.001, 0.027, 0.006]
    >>> history = fit_effects((lifts, [0.008] * 10), kind="normal")
    >>> round(history.prior.mean, 4), round(history.prior.sd, 4)
    (0.0099, 0.0123)
    """

    prior: EffectPrior
    kind: EffectKind
    method: FitMethod
    estimates: Float64Array
    errors: Float64Array
    scale: str | None
    parameters: dict[str, float]
    stderrs: dict[str, float]
    log_likelihood: float
    caution: str | None
    compared: dict[str, float]
    skipped: tuple[int, ...]
    fit: Fit
    unit: float

    @property
    def experiments(self) -> int:
        """How many experiments the prior was fitted to."""
        return self.estimates.size

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return 2 * len(self.stderrs) - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""
        return len(self.stderrs) * math.log(self.experiments) - 2 * self.log_likelihood

    @cached_property
    def effects(self) -> EffectPosterior:
        """The effects of the past experiments themselves, each with the others' help."""
        return self.prior.posterior(self.estimates, self.errors)

    def interval(self, parameter: str, level: float = 0.95) -> Interval:
        """The values of a parameter that the likelihood-ratio test does not reject, the others at their best.

        An end at which the likelihood still does not fall off is infinite, or that of the parameter's range.
        """
        name = _check.choice("parameter", parameter, self.fit.names)
        level = _check.within("level", level, 0, 1)
        low, high = self.fit.interval(name, -float(ndtri(tail_of(level, "two-sided"))))
        unit = 1.0 if name in ("df", "share") else self.unit
        return Interval(low * unit, high * unit, level)

    def describe(self) -> str:
        """The prior in a sentence, and where it comes from."""
        return f"{self.prior.describe()} Fitted to {self.experiments} experiments."

    def __str__(self) -> str:
        lines = [self.describe()]
        for name, value in self.parameters.items():
            error = self.stderrs.get(name, math.nan)
            lines.append(f"{name} {value:.4g}" + (f" (standard error {error:.2g})" if math.isfinite(error) else ""))
        return "\n".join([*lines, self.caution] if self.caution else lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "kind": self.kind,
            "method": self.method,
            "prior": self.prior.describe(),
            "parameters": dict(self.parameters),
            "stderrs": {name: finite_or_none(value) for name, value in self.stderrs.items()},
            "experiments": self.experiments,
            "skipped": list(self.skipped),
            "scale": self.scale,
            "log_likelihood": self.log_likelihood,
            "aic": self.aic,
            "bic": self.bic,
            "compared": dict(self.compared),
            "caution": self.caution,
        }


def fit_effects(
    history: Any,
    stderr: Any = None,
    *,
    kind: EffectKind | Literal["best"] = "best",
    mean: float | None = None,
    method: FitMethod = "penalised",
) -> EffectHistory:
    """The distribution of effects that past experiments show, once the noise of their estimates is taken off.

    Answers: what effects do our experiments have, and so what should be expected of the next one?

    Parameters
    ----------
    history : results, table or arrays
        One estimate and standard error an experiment, all of one metric or in one unit, such as lifts: results of
        tests, comparisons with a prior that says nothing of the effect, a mapping or table with the columns "estimate"
        and "stderr", an array of shape (experiments, 2), or a pair of arrays. At least 4 experiments, and 10 for
        "student" and "mixture". All experiments, not only those that were launched.
    kind : {"best", "normal", "student", "mixture"}
        The family. "mixture" is a share of experiments with a normal effect, and no effect at all in the others.
        "best" is the one with the smallest BIC.
    mean : float, optional
        The centre of the effects (of those that are not nothing, in a mixture) where it is to be given, such as 0. By
        default it is fitted.
    method : {"penalised", "ml"}
        Maximum likelihood, by default with a penalty that keeps parameters from the ends of their ranges.

    Returns
    -------
    EffectHistory

    Raises
    ------
    DataError
        Too few experiments; or the most likely spread of effects is 0, with "ml".
    ValueError
        Results on different scales, a standard error of 0 or less, a value that is not finite, or values a billion
        times the median standard error.
    TypeError
        A history in another form.

    Warns
    -----
    AccuracyWarning
        Fewer than 10 experiments, no more variation than noise explains, or an experiment far from the others. The
        sentence is kept in `caution`.

    Notes
    -----
    Effects are integrated out: y_i has the density of N(effect, s_i^2) averaged over the prior [1]_, and the sum of the
    logarithms is made as large as can be. With few experiments its maximum is often at a spread of exactly 0, a prior
    that would overrule any data. The penalty ln(sd) makes that impossible, and moves the estimate by about one standard
    error at most [2]_; the share of a mixture has the penalty ln(p (1 - p)) [3]_, degrees of freedom ln(df) - df / 10
    [4]_. In a mixture the penalty of sd is ln(sd / (1 + (sd / b)^2)), b the largest estimate and a standard error: a
    component of a single experiment has no upper end otherwise. The spread is then a guess upwards where the data show
    none, and `caution` says so.

    The prior is used as if it were known: with few experiments the posterior is too narrow. Look at
    `interval("sd")`, and try its ends. Standard errors s_i are taken as known: not for experiments with some ten
    units. The prior is one of experiments like those of the history, by the same teams on the same metric; for segments
    of one experiment use `hierarchical`.

    References
    ----------
    .. [1] Azevedo, Deng, Montiel Olea, Rao and Weyl 2020, A/B testing with fat tails, J. Political Economy 128(12),
       sec. V.
    .. [2] Chung, Rabe-Hesketh, Dorie, Gelman and Liu 2013, Psychometrika 78(4), sec. 3: the gamma(2, 0) penalty.
    .. [3] Chen, Chen and Kalbfleisch 2001, J. Royal Statistical Society B 63(1), eq. 2.
    .. [4] Juarez and Steel 2010, J. Business and Economic Statistics 28(1), sec. 2: a gamma(2, 0.1) prior.

    Examples
    --------
    >>> from abkit.bayes import fit_effects
    >>> lifts = [0.021, -0.004, 0.003, 0.034, 0.008, -0.012, 0.015, 0.001, 0.027, 0.006]
    >>> history = fit_effects((lifts, [0.008] * 10), kind="normal", mean=0)
    >>> history.prior.describe()
    'Effects are normal with mean 0 and standard deviation 0.01607: 95% of them lie between -0.0315 and 0.0315.'
    >>> [round(end, 4) for end in history.interval("sd")]
    [0.0082, 0.0269]
    >>> round(history.prior.posterior(0.04, 0.01).mean, 4)
    0.0288
    """
    _check.choice("kind", kind, (*get_args(EffectKind), "best"))
    _check.choice("method", method, get_args(FitMethod))
    mean = None if mean is None else _check.number("mean", mean)
    y, s, scale, skipped = _read(history if stderr is None else (history, stderr))
    fewest = FEWEST if kind == "best" else KINDS[kind].fewest
    if y.size < fewest:
        raise DataError(f"`history` must have at least {fewest} experiments for this fit; got {y.size}.")
    kinds = [k for k in get_args(EffectKind) if kind in (k, "best") and y.size >= KINDS[k].fewest]
    fits = [_fitted(k, y, s, mean, method) for k in kinds]
    usable = [fit for fit in fits if fit is not None]
    if not usable:
        raise DataError(
            f"the most likely spread of the effects of these {y.size} experiments is 0, a prior that would overrule "
            "any data. Use method='penalised'."
        )
    compared = {fit.kind: fit.bic for fit in usable}
    best = min(usable, key=lambda fit: fit.bic)
    caution = _caution(best)
    if caution is not None:
        warnings.warn(caution, AccuracyWarning, stacklevel=2)
    return EffectHistory(**{**vars(best), "scale": scale, "skipped": skipped, "compared": compared, "caution": caution})


def _fitted(kind: Any, y: Float64Array, s: Float64Array, mean: float | None, method: FitMethod) -> EffectHistory | None:
    """One kind, fitted in units of a standard error; None where its spread is nothing."""
    unit = float(np.median(s))
    fit = Fit(KINDS[kind], y / unit, s / unit, None if mean is None else mean / unit, method == "penalised")
    free = fit.best()
    values = fit.natural(free)
    with_effect = values[2] * y.size if kind == "mixture" else y.size
    if method == "ml" and (values[1] < _NEGLIGIBLE or with_effect < 0.5):
        return None
    units = np.array([unit, unit, 1.0])[: len(values)]
    parameters = dict(zip(fit.kind.names, (np.array(values) * units).tolist(), strict=True))
    errors = np.array(fit.stderrs(free)) * units[-len(fit.names) :]
    stderrs = dict(zip(fit.names, errors.tolist(), strict=True))
    prior = fit.kind.make(*parameters.values())
    likelihood = fit.log_likelihood(free) - y.size * math.log(unit)
    return EffectHistory(prior, kind, method, y, s, None, parameters, stderrs, likelihood, None, {}, (), fit, unit)


def _caution(history: EffectHistory) -> str | None:
    y, s = history.estimates, history.errors
    weights = 1 / s**2
    spread = float(weights @ (y - float(weights @ y / weights.sum())) ** 2)
    if _tails.chi_square_survival(spread, y.size - 1) > 0.05:
        return (
            f"the {y.size} estimates vary no more than their standard errors explain: that effects differ at all is "
            "not shown, and the prior's spread is a guess upwards"
        )
    if y.size < _FEW:
        return f"{y.size} experiments show little of how effects vary; look at the intervals of the parameters"
    prior = history.prior
    if isinstance(prior, NormalPrior):
        deviates = np.abs(y - prior.mean) / np.hypot(s, prior.sd)
        if 2 * y.size * _tails.survival(float(deviates.max()), math.inf) < _OUTLYING:
            return (
                f"experiment {int(deviates.argmax())} lies {deviates.max():.1f} standard deviations from the centre of "
                "the others, which a normal prior does not allow for; try kind='student'"
            )
    return None


def _read(history: Any) -> tuple[Float64Array, Float64Array, str | None, tuple[int, ...]]:
    """Estimates, standard errors, their scale, and the positions of results that have none."""
    if isinstance(history, Comparison | TestResult):
        history = [history]
    if isinstance(history, Mapping) or hasattr(history, "columns"):
        return *_checked(*_columns(history)), None, ()
    if isinstance(history, np.ndarray):
        table = _check.observations("history", history, 2)
        if table.shape[1] != 2:
            raise ValueError(f"`history` must have two columns, estimates and standard errors; got {table.shape[1]}.")
        return *_checked(table[:, 0], table[:, 1]), None, ()
    if isinstance(history, tuple) and len(history) == 2 and not isinstance(history[0], Comparison | TestResult):
        return *_checked(*history), None, ()
    if isinstance(history, str | bytes) or not isinstance(history, Iterable):
        raise TypeError(f"`history` must be results, a table or two arrays; got {_check.show(history)}.")
    return _of_results(list(history))


def _columns(table: Any) -> tuple[Any, Any]:
    try:
        return table["estimate"], table["stderr"]
    except (KeyError, LookupError):
        raise ValueError("`history` must have the columns 'estimate' and 'stderr'.") from None


def _checked(estimates: Any, errors: Any) -> tuple[Float64Array, Float64Array]:
    y, s = _check.observations("estimate", estimates), _check.observations("stderr", errors)
    if y.size != s.size:
        raise ValueError(f"`history` must have a standard error for every estimate; got {y.size} and {s.size}.")
    if s.size and not s.min() > 0:
        raise ValueError(f"`stderr` must be greater than 0; got {s.min():g}.")
    if s.size:
        unit = float(np.median(s))
        if not max(np.abs(y).max() / unit, s.max() / unit, unit / s.min()) <= _MOST:
            raise ValueError(
                f"`history` must have estimates and standard errors within a factor of {_MOST:g} of the median "
                f"standard error, {unit:g}."
            )
    return y, s


def effect_prior(prior: Any, scale: str | None) -> Any:
    """The prior of effects that a history says, if it is on this scale; any other prior itself."""
    if not isinstance(prior, EffectHistory):
        return prior
    if None not in (prior.scale, scale) and _ALIAS.get(prior.scale, prior.scale) != _ALIAS.get(scale, scale):
        raise ValueError(f"`prior` must be on the scale of the effect, {scale}; got {prior.scale}.")
    return prior.prior


def by_data(result: Any) -> Any:
    """What the data alone say, where a plan's prior has drawn the estimate to itself already."""
    own = getattr(getattr(result, "effect", None), "likelihood", None)
    return result if own is None else own


def _of_results(results: list[Any]) -> tuple[Float64Array, Float64Array, str | None, tuple[int, ...]]:
    for result in results:
        if not isinstance(result, Comparison | TestResult):
            raise TypeError(f"`history` must hold results or comparisons; got {_check.show(result)}.")
        if isinstance(result, Comparison) and isinstance(result.prior_used, EffectPrior):
            raise ValueError(
                "`history` must hold comparisons that a prior of the effect has not drawn together; "
                "compare without one, or give the estimates."
            )
    scales = sorted({result.scale for result in results})
    if len(scales) > 1:
        raise ValueError(f"`history` must be on one scale; got {', '.join(scales)}.")
    seen = [by_data(result) for result in results]
    y = np.concatenate([np.zeros(0), *(np.ravel(result.estimate) for result in seen)])
    s = np.concatenate([np.zeros(0), *(np.ravel(result.stderr) for result in seen)])
    usable = np.isfinite(y) & np.isfinite(s) & (s > 0)
    skipped = tuple(np.flatnonzero(~usable).tolist())
    return *_checked(y[usable], s[usable]), scales[0] if scales else None, skipped
