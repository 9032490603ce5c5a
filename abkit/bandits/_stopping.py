"""Whether more exploration is worth its cost: Bayesian rules, and what they do not promise."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from abkit import _check
from abkit.bandits._state import Arm, MeanState
from abkit.bandits._thompson import Thompson, TopTwoThompson
from abkit.posterior import expected_loss, probability_best, probability_within, value_remaining

Rule = Literal["value-remaining", "probability-best", "google-analytics"]
#: Bayesian probabilities that are looked at again and again have no error rate.
NO_ERROR_RATE = (
    "a Bayesian rule: it has no frequentist error rate, least of all where it is looked at again and again; "
    "best_arm has one"
)
_FEWEST_DAYS = 14


@dataclass(frozen=True, slots=True)
class Stopping:
    """What `stopping` found.

    Parameters
    ----------
    arm : str or int
        The champion: the arm that is most probably the best.
    stop : bool
        Whether the rule says that exploration has done enough.
    reason : str
        Why, or what is lacking.
    probability_best : dict
        Of each arm, the probability that its mean is the largest.
    expected_loss : dict
        Of each arm, by how much its mean is lower than the largest, on average; in rewards. None where the posterior
        has no mean.
    value_remaining : float
        What another arm may still give more than the champion, with probability `level`; as a share of the champion's
        mean, or in rewards where `relative` is false.
    probability_within : float
        The probability that no arm is better than the champion by more than `worth`.
    worth, level : float
        The rule's thresholds.
    relative : bool
        Whether value and worth are shares of the champion's mean.
    n : float
        Rewards so far.
    rule : str
        The rule.
    caution : str
        What the rule does not promise.
    """

    arm: Arm
    stop: bool
    reason: str
    probability_best: dict[Arm, float]
    expected_loss: dict[Arm, float | None]
    value_remaining: float
    probability_within: float
    worth: float
    level: float
    relative: bool
    n: float
    rule: Rule
    caution: str = NO_ERROR_RATE

    def __str__(self) -> str:
        more = f"{self.value_remaining:.2%} of its mean" if self.relative else f"{self.value_remaining:.4g}"
        return (
            f"{'Stop' if self.stop else 'Continue'}: {self.reason}. {self.arm!r} is the best arm with probability "
            f"{self.probability_best[self.arm]:.4f}; with probability {self.level:g} no other gives more than {more} "
            f"above it. Note: {self.caution}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for strict JSON."""
        named = {name: _texts(getattr(self, name)) for name in ("probability_best", "expected_loss")}
        return {**asdict(self), **named}


def stopping(
    state: Any,
    policy: Thompson | TopTwoThompson | str = "bernoulli",
    *,
    rule: Rule = "value-remaining",
    worth: float | None = None,
    level: float = 0.95,
    least: int = 100,
    days: float | None = None,
) -> Stopping:
    """Whether a bandit has explored enough: probability best, expected loss and potential value remaining.

    Answers: what could still be gained by exploring, and is that worth it?

    Parameters
    ----------
    state : MeanState or Report
        What any policy learned of its arms, or the report of an experiment with one success metric, whose variants are
        the arms.
    policy : Thompson, TopTwoThompson or str
        Whose family and prior to judge by; or a family, with the prior that `Thompson` has by default.
    rule : {"value-remaining", "probability-best", "google-analytics"}
        Stop when no arm is better than the champion by more than `worth`, with probability `level`; when the champion
        is the best with probability `level`; or, after 14 days, when either holds.
    worth : float, optional
        What is not worth exploring for, at least 0: a share of the champion's mean, by default 0.01; for the
        gaussian families, whose means may be 0, in rewards, and to be stated.
    level : float
        Between 0 and 1.
    least : int
        Fewest rewards that every arm must have before any rule stops.
    days : float, optional
        How many days the bandit has run; needed by "google-analytics" only.

    Returns
    -------
    Stopping

    Raises
    ------
    ValueError
        An argument outside its domain, or one that the rule needs and does not have.

    Notes
    -----
    With V = (largest mean - champion's mean) / champion's mean, P(V <= v) is the integral of the champion's density at
    x times the other arms' distribution functions at x (1 + v), and `value_remaining` its quantile [1]_; all by
    quadrature to 1e-10, without simulation. Without a fewest number of rewards the rule misleads: V is huge where
    the champion's mean may be near 0, and small where few rewards happen to agree.

    This is a Bayesian rule of decision. How often it is wrong under repeated looks is not bounded; where that matters
    use `best_arm`.

    References
    ----------
    .. [1] Scott 2015, Applied Stochastic Models in Business and Industry 31(1), sec. 3.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.Thompson()
    >>> rewards = [0] * 900 + [1] * 100 + [0] * 860 + [1] * 140
    >>> state = policy.update(policy.init(["a", "b"]), ["a"] * 1000 + ["b"] * 1000, rewards)
    >>> result = ab.bandits.stopping(state, policy)
    >>> result.stop, result.arm, round(result.probability_best["b"], 4), round(result.value_remaining, 4)
    (True, 'b', 0.997, 0.0)
    """
    judge = policy if isinstance(policy, (Thompson, TopTwoThompson)) else Thompson(policy)  # type: ignore[arg-type]
    _check.choice("rule", rule, get_args(Rule))
    relative = judge.family in ("bernoulli", "poisson")
    limit = _worth(worth, judge.family, relative=relative)
    level, least = _check.within("level", level, 0, 1), _check.count("least", least, 1)
    if rule == "google-analytics":
        days = _check.at_least("days", days, 0)
    known = _one_run(state if isinstance(state, MeanState) else judge.warm_start(state))
    posterior = _posterior(judge, known)
    p = probability_best(posterior)
    champion = int(p.argmax())
    loss = expected_loss(posterior)
    within = probability_within(posterior, champion, limit, relative=relative)
    stop, reason = _verdict(rule, known, float(p[champion]), within, (limit, level, least, days, relative))
    return Stopping(
        arm=known.arms[champion],
        stop=stop,
        reason=reason,
        probability_best=dict(zip(known.arms, p.tolist(), strict=True)),
        expected_loss={a: x if np.isfinite(x) else None for a, x in zip(known.arms, loss.tolist(), strict=True)},
        value_remaining=value_remaining(posterior, champion, level, relative=relative),
        probability_within=within,
        worth=limit,
        level=level,
        relative=relative,
        n=float(known.t),
        rule=rule,
    )


def _worth(worth: float | None, family: str, *, relative: bool) -> float:
    if worth is None and not relative:
        raise ValueError(f"`worth` must be stated for the family {family!r}, in rewards; got None.")
    return 0.01 if worth is None else _check.at_least("worth", worth, 0)


def _one_run(state: Any) -> MeanState:
    if not isinstance(state, MeanState):
        raise TypeError(f"`state` must be a MeanState or a Report; got {_check.show(state)}.")
    if state.pulls.ndim != 1:
        raise ValueError("`state` must be of one run; got several.")
    return state


def _posterior(policy: Thompson | TopTwoThompson, state: MeanState) -> Any:
    missing = policy.lacking(state)
    if missing is not None and missing.any():
        names = ", ".join(repr(arm) for arm, gone in zip(state.arms, missing, strict=True) if gone)
        raise ValueError(f"`state` must have more rewards of {names}: with this prior there is no posterior yet.")
    return policy.posterior(state)


def _verdict(
    rule: Rule, state: MeanState, best: float, within: float, limits: tuple[float, float, int, float | None, bool]
) -> tuple[bool, str]:
    worth, level, least, days, relative = limits
    fewest = int(state.pulls.argmin())
    if state.pulls[fewest] < least:
        return (
            False,
            f"{state.arms[fewest]!r} has {state.pulls[fewest]:g} rewards of the {least} that every arm must have",
        )
    if rule == "google-analytics" and days is not None and days < _FEWEST_DAYS:
        return False, f"it has run for {days:g} days of {_FEWEST_DAYS}"
    size = f"{worth:.2%} of its mean" if relative else f"{worth:g}"
    if rule != "probability-best" and within >= level:
        return True, f"no arm is better than the champion by more than {size}, with probability {within:.4f}"
    if rule != "value-remaining" and best >= level:
        return True, f"the champion is the best arm with probability {best:.4f}"
    if rule == "probability-best":
        return False, f"the champion is the best arm with probability {best:.4f} only"
    return False, f"that no arm is better than the champion by more than {size} has probability {within:.4f} only"


def _texts(values: dict[Arm, Any]) -> dict[str, Any]:
    return {str(arm): value for arm, value in values.items()}
