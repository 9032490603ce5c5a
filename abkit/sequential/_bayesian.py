"""Looks that decide by what is believed: the probability of being better, or the expected loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import numpy as np

from abkit import _check, _tails
from abkit.bayes._effect_priors import MixturePrior, NormalPrior, StudentPrior
from abkit.errors import PlanError
from abkit.evidence import Effect, Sample, TestResult
from abkit.sequential._belief import loss_of, unit_loss
from abkit.sequential._counts_posterior import few_of, fewest, posterior_of_counts
from abkit.sequential._design import Design
from abkit.sequential._look import Look
from abkit.sequential._posterior import Believed, Credible, Prior, near_normal, updated
from abkit.types import Guarantee, Null, Relative

#: Beyond this, 1 minus the probability has too few digits.
LARGEST = 1 - 1e-9
#: The probability that guardrails ask for where the plan decides by loss alone.
USUAL = 0.95
#: With fewer degrees of freedom a variance is too uncertain to be taken for known.
FEWEST = 30.0
#: No verdict needs a deviate beyond it.
_FARTHEST = 37.0
#: Every kind of prior that a plan can name.
PRIORS: dict[str, type[Prior]] = {"normal": NormalPrior, "student": StudentPrior, "mixture": MixturePrior}


@dataclass(frozen=True, slots=True)
class Bayesian:
    """Decide by the posterior: promote when the treatment is probably better, or would cost little if it were not.

    Answers: how probable is it, given the data and a prior, that the treatment is better, and what is a promotion
    expected to lose if it is not?

    Parameters
    ----------
    probability : float, optional
        Promote when the probability of being better exceeds this, roll back when that of being worse does. Above 0.5,
        below 1. By default 0.95, unless there is a `loss`.
    loss : float or Relative, optional
        Promote when the expected loss of a promotion is below this, roll back when that of going without the treatment
        is: in the metric's unit, or as a share of the size of the control's mean; above 0. It is asked of success
        metrics, in the place of the probability unless that is given too. The others are judged by the probability.
    prior : NormalPrior, StudentPrior or MixturePrior, optional
        What treatment minus control is like before the data; `ab.bayes.fit_effects` makes one of past experiments. By
        default flat, and for counts of a proportion uniform on each variant's own rate. It is for success metrics:
        whether a guardrail is within its margin the data must say.
    prior_scale : {"difference", "relative"}
        Whether the prior's numbers are in the metric's unit, or shares of the size of the control's mean.

    Raises
    ------
    ValueError
        A field outside its domain; a prior that would be enough for a verdict without any data.

    Notes
    -----
    Counts have their exact posterior (`ab.bayes.compare`). Everything else is an estimate with its standard error:
    under a flat prior the probability of being worse is the one-sided p-value of the metric's own test, and the
    credible interval its confidence interval. Under the prior N(m, t^2) on the difference D, and a flat one on the
    control, D given an estimate d with standard error s is normal with mean w d + (1 - w) m and variance w s^2,
    w = t^2 / (t^2 + s^2) [1]_; control and treatment move along with it, so that relative effects follow from the
    same posterior. The expected loss of a promotion is E max(-D, 0) [2]_, against a margin E max(margin - D, 0).

    These are statements of belief: they are right on average over effects that come from the prior, whenever one stops.
    They bound no error rate. Without any effect, a plan that is looked at often enough promotes sooner or later;
    `design` says how often within given looks.

    References
    ----------
    .. [1] Gelman et al. 2013, Bayesian Data Analysis, 3rd ed., eq. 2.10.
    .. [2] Raiffa and Schlaifer 1961, Applied Statistical Decision Theory, sec. 5.4.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Bayesian().probability
    0.95
    >>> lifts = ab.bayes.NormalPrior(sd=0.02)
    >>> ab.Bayesian(loss=ab.relative(0.005), prior=lifts, prior_scale="relative").demands()
    'success metrics by an expected loss below 0.005 of the control, others by a probability above 0.95'
    """

    probability: float | None = None
    loss: float | Relative | None = None
    prior: Prior | None = None
    prior_scale: Literal["difference", "relative"] = "difference"
    kind: ClassVar[str] = "bayesian"
    sides: ClassVar[int] = 2
    guarantee: ClassVar[Guarantee] = "bayesian"

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        if self.probability is None and self.loss is None:
            set_field(self, "probability", USUAL)
        if self.probability is not None:
            probability = _check.within("probability", self.probability, 0.5, 1)
            if probability > LARGEST:
                raise ValueError(f"`probability` must be at most 1 - 1e-9; got {probability!r}.")
            set_field(self, "probability", probability)
        if isinstance(self.loss, Relative):
            _check.within("loss", self.loss.value, 0, math.inf)
        elif self.loss is not None:
            set_field(self, "loss", _check.within("loss", self.loss, 0, math.inf))
        if self.prior is not None and not isinstance(self.prior, Prior):
            raise TypeError(f"`prior` must be a prior such as NormalPrior(sd=0.02); got {_check.show(self.prior)}.")
        _check.choice("prior_scale", self.prior_scale, ("difference", "relative"))
        if self.prior is None and self.prior_scale != "difference":
            raise ValueError("`prior_scale` must be left out where there is no prior.")
        if self.prior is not None:
            self._require_data(self.prior)

    def _require_data(self, prior: Prior) -> None:
        """Refuse a prior that is enough for a verdict by itself."""
        far = 1e9 * max(abs(float(x)) for field in fields(prior) for x in np.ravel(getattr(prior, field.name)))
        for way in (1.0, -1.0):
            other, loss = _other_side(prior, 0.0, far, way)
            if self.probability is not None and other < 1 - self.probability:
                raise ValueError(
                    f"`prior` must leave a verdict to the data; it gives one side {1 - other:.4g}, and "
                    f"{self.probability:g} is asked."
                )
            if self.probability is None and self._in_one_unit and loss < self._limit:
                raise ValueError(
                    f"`loss` must be below what the prior alone expects a verdict to lose, {loss:.3g}, or the first "
                    f"look decides; got {self._limit:g}."
                )

    @property
    def _in_one_unit(self) -> bool:
        """Whether loss and prior are both shares of the control, or neither."""
        return isinstance(self.loss, Relative) == (self.prior_scale == "relative")

    @property
    def _limit(self) -> float:
        """The loss that is accepted, in its own unit."""
        if self.loss is None:
            return math.inf
        return self.loss.value if isinstance(self.loss, Relative) else self.loss

    @property
    def asked(self) -> float:
        """The probability that is asked of what is not judged by its loss alone."""
        return USUAL if self.probability is None else self.probability

    @property
    def alpha(self) -> float:
        """What the probability asked for leaves, at both ends of the credible interval together."""
        return 2 * (1 - self.asked)

    @property
    def total(self) -> float:
        """The same: each direction has half of it."""
        return self.alpha

    def look(self, number: int | Look | None, units: int) -> Look:
        """Any look will do."""
        if isinstance(number, Look):
            return number
        return Look(1 if number is None else number, (units,))

    def monitored(self, method: str, effect: Effect, sample: Sample, _look: Look) -> tuple[str, Effect]:
        """The posterior of the effect."""
        if self.prior is None and sample.counts is not None:
            return "beta-binomial, uniform priors", posterior_of_counts(*sample.counts)
        if self.prior is None:
            return f"{method}, flat prior", Believed(effect, Credible(), effect)
        means = effect if sample.counts is None else near_normal(effect, sample.counts)
        posterior = updated(means, self.prior, relative=self.prior_scale == "relative")
        of = method if sample.counts is None else "normal posteriors of two proportions"
        return f"{of}, {type(self.prior).__name__}", Believed(posterior, Credible(_caution(effect, sample)), effect)

    def passes(self, test: TestResult, null: Null, way: float, alpha: float) -> bool:
        """Whether a success metric's test shows a change this way, which it lies in, by its loss (and probability)."""
        if self.probability is not None and not test.pvalue < alpha:
            return False
        limit = self.limit(test.effect)
        return limit is None or loss_of(test.effect, null, way) < limit

    def limit(self, effect: Effect) -> float | None:
        """The loss that is accepted, in the metric's unit."""
        if isinstance(self.loss, Relative):
            return self.loss.value * abs(effect.control)
        return self.loss

    def critical_values(self, tail: float, _look: Look, samples: Sequence[Sample]) -> tuple[float, ...]:
        """The normal deviate whose posterior tail is `tail`; the same at every look.

        Raises
        ------
        PlanError
            A prior or a loss: what they ask for depends on the standard errors.
        """
        self.require_deviates("planning and simulation")
        return (_tails.critical(tail, math.inf),) * len(samples)

    def require_deviates(self, what: str) -> None:
        """Refuse a monitor whose bounds are not normal deviates that are known before the data."""
        for name in ("prior", "loss"):
            if getattr(self, name) is not None:
                raise PlanError(
                    f"`monitor.{name}` must be left out for {what}, which know a probability under a flat prior only; "
                    "`monitor.design(units, sd=...)` says what looks give with it."
                )

    def is_last(self, _look: Look) -> bool:
        """Never: there may always be another look."""
        return False

    def futility_bound(self, _look: Look) -> float | None:
        """None: nothing is given up."""
        return None

    def describe(self, _look: Look) -> str:
        """What is asked of the posterior, and what it does not say."""
        return f"{self.demands()}; {self.prior_in_words()}; no error rate holds for repeated looks"

    def demands(self) -> str:
        """What is asked of the posterior."""
        probable = f"probability above {self.asked:.10g}"
        if self.loss is None:
            return probable
        limit = f"{self.loss.value:.4g} of the control" if isinstance(self.loss, Relative) else f"{self.loss:g}"
        also = f" and {probable}" * (self.probability is not None)
        return f"success metrics by an expected loss below {limit}{also}, others by a {probable}"

    def prior_in_words(self) -> str:
        """The prior, in a sentence."""
        if self.prior is None:
            return "flat prior, and for counts uniform on each rate"
        shares = ", as shares of the control" * (self.prior_scale == "relative")
        return f"prior of success metrics{shares}: {self.prior.describe().rstrip('.')}; of the others flat"

    def design(self, units: Sequence[float], *, sd: float | None = None) -> Design:
        """What these looks would give: the real type I error, power, and when it stops; see `Design`.

        Each direction has half of the type I error: false promotions, and false rollbacks.

        Parameters
        ----------
        units : sequence of float
            Units of both variants at each look, rising, in equal shares. They are the design's information, so that an
            effect is the z that one unit gives on average: difference / (2 s), s the standard deviation of a unit.
        sd : float, optional
            s, which a prior and a loss are compared with: in the metric's unit, or as a share of the control's mean
            where they are shares.

        Raises
        ------
        ValueError
            A prior or a loss without `sd`.

        Examples
        --------
        >>> import abkit as ab
        >>> fortnight = [1000.0 * day for day in range(1, 15)]
        >>> daily, once = ab.Bayesian().design(fortnight), ab.Bayesian().design(fortnight[-1:])
        >>> round(once.alpha / 2, 3), round(daily.alpha / 2, 3)
        (0.05, 0.191)
        >>> cautious = ab.Bayesian(prior=ab.bayes.NormalPrior(sd=0.02)).design(fortnight, sd=1.0)
        >>> round(cautious.alpha / 2, 3)
        0.03
        """
        if sd is None and (self.prior is not None or self.loss is not None):
            raise ValueError("`sd` must be given where there is a prior or a loss, which are in the metric's unit.")
        each = 1.0 if sd is None else _check.within("sd", sd, 0, math.inf)
        bounds = [self._bounds(2 * each / math.sqrt(n)) for n in units]
        upper, lower = ([bound[way] for bound in bounds] for way in (0, 1))
        return Design.from_bounds(units, upper, lower_critical_values=lower, boundary="posterior")

    def _bounds(self, stderr: float) -> tuple[float, float]:
        """The deviates of the estimate above and below which a verdict is given."""
        upper = self._bound(stderr, 1.0)
        return upper, min(self._bound(stderr, -1.0), upper - 1e-12)

    def _bound(self, stderr: float, way: float) -> float:
        """From which deviate on it is said that the treatment is better, or worse."""
        from scipy.optimize import brentq

        def lacking(deviate: float) -> float:
            return self._lacking(way * deviate, stderr, way)

        if lacking(_FARTHEST) > 0:
            return way * math.inf
        return way * (-_FARTHEST if lacking(-_FARTHEST) <= 0 else float(brentq(lacking, -_FARTHEST, _FARTHEST)))

    def _lacking(self, deviate: float, stderr: float, way: float) -> float:
        """Above zero where an estimate so many standard errors from 0 does not show a change this way."""
        other, loss = _other_side(self.prior, deviate * stderr, stderr, way)
        asked = 0.5 if self.probability is None else 1 - self.probability
        return max(_log_ratio(other, asked), _log_ratio(loss, self._limit))


def _caution(effect: Effect, sample: Sample) -> str | None:
    """Where a normal likelihood with a known variance is rough."""
    if sample.counts is None:
        known = f"the variance is taken for known, although it has {effect.df:.3g} degrees of freedom only"
        return known if effect.df < FEWEST else None
    few = few_of(fewest(sample.counts))
    return few and f"{few}, too few for the posterior to be near to the normal one that a prior of the effect asks for"


def _log_ratio(size: float, limit: float) -> float:
    """Falling in the deviate; at the ends of the range no number is infinite."""
    return math.log(max(size, 1e-320)) - math.log(limit) if math.isfinite(limit) else -math.inf


def _other_side(prior: Prior | None, estimate: float, stderr: float, way: float) -> tuple[float, float]:
    """The posterior probability that the effect does not lie this way from 0, and the expected loss if it does not."""
    if prior is None or isinstance(prior, NormalPrior):
        mean, sd = estimate, stderr
        if prior is not None:
            share = prior.sd / math.hypot(prior.sd, stderr)
            mean, sd = prior.mean + share * share * (estimate - prior.mean), share * stderr
        return _tails.survival(way * mean / sd, math.inf), sd * unit_loss(way * mean / sd, math.inf)
    found = prior.posterior(estimate, stderr)
    if way > 0:
        return found.cdf(0.0), found.mean_below(0.0)
    return found.sf(0.0) + found.atom(0.0), found.mean_above(0.0)
