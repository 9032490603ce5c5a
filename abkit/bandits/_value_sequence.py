"""A policy's value at any time, from the log of another, whatever the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.adapters._bandit_log import read_decisions
from abkit.adapters._bandit_query import Cell, Table
from abkit.bandits._index import checked_bounds
from abkit.bandits._target import TOLERANCE, Columns, read_model, read_target, with_arrays
from abkit.errors import DataError
from abkit.logs import label_name
from abkit.sequential._cumulative import numbers_of_looks
from abkit.sequential._sequence import ConfidenceSequence
from abkit.suffstats._base import IntArray
from abkit.types import ALTERNATIVES, Alternative

METHODS = ("ips", "dr")
LARGEST_BET = 0.5


def value_sequence(  # noqa: PLR0913 - the columns of a log have names
    log: object,
    target: Any,
    *,
    method: Literal["ips", "dr"] = "ips",
    arm: str = "arm",
    reward: str = "reward",
    propensity: str = "propensity",
    by: str | tuple[str, ...] | list[str] = (),
    order: str | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    propensities: Mapping[Any, str] | None = None,
    model: Any = None,
    k: float = 1.0,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    looks: object = None,
) -> ConfidenceSequence:
    """The value of a policy from the log of another, however often one looks and however large the weights are.

    Answers: what would this policy have earned, when the log is looked at while it grows or was made by a policy that
    learns?

    Parameters
    ----------
    log, target, arm, reward, propensity, by
        As in `evaluate`. The target must not learn from the log.
    method : {"ips", "dr"}
        Inverse propensity, or doubly robust, which needs `propensities`.
    order : str, optional
        Column that tells when each decision was made; without it the rows' order is that.
    bounds : (float, float)
        What no reward can lie below and above, known beforehand.
    propensities : mapping of arms to columns, optional
        The logged probability of every arm, not the chosen one only: for "dr".
    model : mapping or table, optional
        Predicted rewards, made of other data. By default each arm's mean in the rows before.
    k : float
        For "dr": what is subtracted is capped so that no score lies below -k, at least 0.
    alpha : float
        Probability that the value is ever left out.
    alternative : {"two-sided", "greater", "less"}
        "greater": only the lower end, at the whole of alpha.
    looks : array_like of int, optional
        After how many rows to answer; by default after each.

    Returns
    -------
    ConfidenceSequence
        `low` and `high` within `bounds`; `estimate` is the mean score so far.

    Raises
    ------
    DataError, ValueError, TypeError
        As of `evaluate`, and rewards outside `bounds`.

    Notes
    -----
    With rewards on [0, 1], score phi = w r >= 0, or w (r - q) + q(target) >= -k with q capped at k / w at every arm,
    and xi = phi / (k + 1) (k = 0 for "ips"): the lower end is [1]_

        (sum bet xi - log(1 / alpha) - sum psi(bet) (xi - past)^2) / sum (bet / (k + 1)),

    psi(b) = -log(1 - b) - b, past = min(mean xi before, 1 / (k + 1)) and bet = min(1/2, sqrt(2 log(1 / alpha) /
    (var t log(1 + t)))), all made of earlier rows. The upper end is that of 1 - r, mirrored; two sides share alpha. No
    weight need be bounded, and the logging policy may learn; each row's value must be the same. Rare large weights
    make the upper end weak: there it says little where the log says little. Of wrong propensities `caution` sees only
    those that make the mean weight other than 1.

    References
    ----------
    .. [1] Waudby-Smith, Wu, Ramdas, Karampatziakis and Mineiro 2022, arXiv:2210.10768, prop. 1 and thm 2.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> rng = np.random.default_rng(1)
    >>> arm = rng.choice(["a", "b"], 4_000, p=[0.8, 0.2])
    >>> log = {
    ...     "arm": arm,
    ...     "reward": rng.random(4_000) < np.where(arm == "a", 0.3, 0.6),
    ...     "propensity": np.where(arm == "a", 0.8, 0.2),
    ... }
    >>> result = ab.bandits.value_sequence(log, "b", looks=[1_000, 4_000])
    >>> result.low.round(3).tolist(), result.high.round(3).tolist()
    ([0.283, 0.401], [0.825, 0.725])
    """
    _check.choice("method", method, METHODS)
    _check.choice("alternative", alternative, ALTERNATIVES)
    low, high = checked_bounds(bounds)
    alpha = _check.within("alpha", alpha, 0, 1)
    if method == "dr" and propensities is None:
        raise ValueError('`propensities` must name a column an arm for "dr": the weight of every arm is needed.')
    if method == "ips" and (propensities is not None or model is not None):
        raise ValueError('`propensities` and `model` must be left out: "ips" has no use for them.')
    columns = Columns(arm, reward, propensity, _check.names("by", by), order)
    rows = _read(log, columns, target, model, propensities)
    if not (low <= rows.reward.min() and rows.reward.max() <= high):
        worst = rows.reward.min() if rows.reward.min() < low else rows.reward.max()
        raise DataError(f"`{reward}` must be within the declared bounds {low:g} and {high:g}; got {worst:g}.")
    r = (rows.reward - low) / (high - low)
    cap = _check.at_least("k", k, 0) if method == "dr" else 0.0
    q = None if rows.model is None else np.clip((rows.model - low) / (high - low), 0.0, 1.0)
    plain, mirrored = rows.scores(r, q, cap), rows.scores(1 - r, None if q is None else 1 - q, cap)
    sides = 2 if alternative == "two-sided" else 1
    at = numbers_of_looks(looks, len(r))
    lower = _Lower.of(plain, cap, alpha / sides).at(at)
    upper = _Lower.of(mirrored, cap, alpha / sides).at(at)
    return _sequence(method, alpha, alternative, at, lower, upper, _means(plain, at), (low, high), rows.caution)


@dataclass(frozen=True, eq=False)
class _Lower:
    """What the lower end is made of, at each look: sums of bets times scores, of the variance's price, and of bets."""

    won: Float64Array
    price: Float64Array
    bets: Float64Array
    alpha: float

    @classmethod
    def of(cls, phi: Float64Array, k: float, alpha: float) -> _Lower:
        xi, n = phi / (k + 1), np.arange(1, len(phi) + 1)
        before = np.concatenate([[0.0], np.cumsum(xi)[:-1]])
        past = np.minimum((0.5 / (k + 1) + before) / n, 1 / (k + 1))
        after = (0.5 / (k + 1) + np.cumsum(xi)) / (n + 1)
        spread = (0.25 + np.cumsum((xi - after) ** 2)) / (n + 1)
        variance = np.concatenate([[0.25], spread[:-1]])
        bet = np.minimum(LARGEST_BET, np.sqrt(2 * math.log(1 / alpha) / (variance * n * np.log1p(n))))
        price = (-np.log1p(-bet) - bet) * (xi - past) ** 2
        return cls(np.cumsum(bet * xi), np.cumsum(price), np.cumsum(bet) / (k + 1), alpha)

    def at(self, looks: IntArray) -> _Lower:
        """The same at these looks only."""
        return _Lower(self.won[looks - 1], self.price[looks - 1], self.bets[looks - 1], self.alpha)

    def end(self) -> Float64Array:
        """The lower end."""
        return np.asarray((self.won - self.price - math.log(1 / self.alpha)) / self.bets)

    def log_evalue(self, null: float) -> Float64Array:
        """Evidence that the mean exceeds a null."""
        return np.asarray(self.won - self.price - null * self.bets)


def _sequence(  # noqa: PLR0913, PLR0917 - all that the answer holds
    method: str,
    alpha: float,
    alternative: Alternative,
    looks: IntArray,
    lower: _Lower,
    upper: _Lower,
    estimate: Float64Array,
    bounds: tuple[float, float],
    caution: str | None,
) -> ConfidenceSequence:
    low, high = bounds

    def log_evalue(null: float) -> Float64Array:
        scaled = (null - low) / (high - low)
        above, below = lower.log_evalue(scaled), upper.log_evalue(1 - scaled)
        if alternative == "two-sided":
            return np.logaddexp(above, below) - math.log(2)
        return above if alternative == "greater" else below

    def rewards(values: Float64Array) -> Float64Array:
        return np.asarray(low + (high - low) * np.clip(values, 0.0, 1.0))

    infinite = np.full(len(looks), np.inf)
    return ConfidenceSequence(
        f"off-policy {method}",
        "exact",
        alpha,
        alternative,
        looks,
        low + (high - low) * estimate,
        -infinite if alternative == "less" else rewards(lower.end()),
        infinite if alternative == "greater" else rewards(1 - upper.end()),
        log_evalue,
        order_matters=True,
        caution=caution,
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """The log in its order: rewards and weights, and for "dr" target, weight and prediction of every arm."""

    reward: Float64Array
    weight: Float64Array
    place: IntArray
    shares: Float64Array | None
    weights: Float64Array | None
    model: Float64Array | None
    caution: str | None

    def scores(self, r: Float64Array, q: Float64Array | None, k: float) -> Float64Array:
        """One score a row, none below -k; its mean is the target's value."""
        if self.shares is None or self.weights is None:
            return self.weight * r
        predicted = _past_means(r, self.place, self.shares.shape[1]) if q is None else q
        with np.errstate(divide="ignore", over="ignore"):
            capped = np.minimum(predicted, k / self.weights if k else np.where(self.weights > 0, 0.0, np.inf))
        own = capped[np.arange(len(r)), self.place]
        return np.asarray(self.weight * (r - own) + (self.shares * capped).sum(axis=1))


def _read(log: object, columns: Columns, target: Any, model: Any, propensities: Mapping[Any, str] | None) -> _Rows:
    """The rows in order, with what the target says of each; for "dr" of every arm."""
    table, target, model = with_arrays(log, columns, target, model)
    wanted, predicted = read_target(target, table, columns), read_model(model, columns)
    of_arm = {label_name(arm): name for arm, name in (propensities or {}).items()}
    extra = [wanted] if isinstance(wanted, str) else []
    extra += [v for t in (wanted, predicted) if isinstance(t, Mapping) for a in t.values() for v in _texts(a)]
    named = (*columns.all, *extra, *of_arm.values())
    rows = read_decisions(table, named, columns.order, labels=(columns.arm, *columns.by))
    arms = [label_name(arm) for arm in rows[columns.arm]]
    cells = [tuple(map(label_name, cell)) for cell in zip(*(rows[name] for name in columns.by), strict=True)]
    known = list(of_arm) or sorted(set(arms))
    if not set(arms) <= set(known):
        raise DataError(f"`propensities` must name every arm; it lacks {sorted(set(arms) - set(known))}.")
    place, e = _inverse(arms, known), _propensities(rows, columns)
    if isinstance(wanted, str):
        if of_arm:
            raise ValueError("`target` must have the probability of every arm for 'dr'; one column has one arm's.")
        return _checked(_Rows(rows[columns.reward], rows[wanted] / e, place, None, None, None, None), rows[wanted], e)
    shares = _shares(wanted, rows, cells, known, len(e))
    own = shares[np.arange(len(e)), place]
    found = _checked(_Rows(rows[columns.reward], own / e, place, None, None, None, None), own, e)
    if not of_arm:
        return found
    weights = _weights(np.stack([rows[name] for name in of_arm.values()], axis=1), shares, place, e)
    q = None if predicted is None else _matrix(predicted, rows, cells, known, len(e), "model")
    return replace(found, shares=shares, weights=weights, model=q)


def _propensities(rows: Mapping[str, Any], columns: Columns) -> Float64Array:
    """Those of the logged arms."""
    e = np.asarray(rows[cast("str", columns.propensity)])
    bad = int(np.count_nonzero(~((e > 0) & (e <= 1))))
    if bad:
        raise DataError(
            f"`{columns.propensity}` must be the probability with which the logged arm was chosen, above 0 and at most "
            f"1; it is not in {bad:,} of {len(e):,} rows."
        )
    return e


def _shares(target: Table | float, rows: dict[str, Any], cells: list[Cell], arms: list[str], n: int) -> Float64Array:
    """The target's probability of every arm in each row."""
    table = {(): dict.fromkeys(arms, 1 / len(arms))} if isinstance(target, float) else target
    unknown = sorted({arm for a in table.values() for arm, p in a.items() if p} - set(arms))
    if unknown:
        raise DataError(f"`target` chooses arms of which the log has no row: {', '.join(unknown)}.")
    shares = _matrix(table, rows, cells, arms, n, "target")
    if not np.all(np.abs(shares.sum(axis=1) - 1) <= TOLERANCE) or shares.min() < 0:
        raise DataError("`target` must have probabilities that make 1 together in every row.")
    return shares


def _weights(logged: Float64Array, shares: Float64Array, place: IntArray, own: Float64Array) -> Float64Array:
    """The weight of every arm in each row, whether it was chosen or not."""
    if not np.all(np.abs(logged[np.arange(len(own)), place] - own) <= TOLERANCE):
        raise DataError("`propensities` must have the logged arm's propensity in its own column; they differ.")
    if np.any((logged <= 0) & (shares > 0)):
        raise DataError("`propensities` must be above 0 wherever the target has a chance to choose the arm.")
    return np.asarray(shares / np.where(logged > 0, logged, 1.0))


def _checked(rows: _Rows, share: Float64Array, propensity: Float64Array) -> _Rows:
    """Refuse the log of a deterministic policy; say where weights are not 1 on average."""
    if np.all(propensity == 1) and not np.allclose(share, 1, rtol=0, atol=TOLERANCE):
        raise DataError("the log is of a deterministic policy: other arms had no chance, and nothing is known of them.")
    n, mean = len(share), float(rows.weight.mean())
    stderr = float(rows.weight.std()) / math.sqrt(n)
    if n > 30 and abs(mean - 1) > max(4 * stderr, TOLERANCE):
        said = f"the mean weight is {mean:.4g} and not 1: propensities are wrong, or arms of the target had no chance"
        return replace(rows, caution=said)
    return rows


def _texts(arms: Mapping[str, float | str]) -> list[str]:
    return [value for value in arms.values() if isinstance(value, str)]


def _inverse(values: list[str], known: list[str]) -> IntArray:
    places = {name: i for i, name in enumerate(known)}
    return np.array([places[value] for value in values], dtype=np.intp)


def _matrix(table: Any, rows: dict[str, Any], cells: list[Cell], arms: list[str], n: int, name: str) -> Float64Array:
    """One row a decision, one column an arm."""
    missing = 0.0 if name == "target" else None
    result = np.empty((n, len(arms)))
    if () in table:
        for i, arm in enumerate(arms):
            value = table[()].get(arm, missing)
            if value is None:
                raise DataError(f"`{name}` must have every arm; it lacks {arm}.")
            result[:, i] = rows[value] if isinstance(value, str) else value
        return result
    for cell in dict.fromkeys(cells):
        if cell not in table:
            raise DataError(f"`{name}` must have every cell that the log has; it lacks {', '.join(cell)}.")
    lines = {cell: [table[cell].get(arm, missing) for arm in arms] for cell in dict.fromkeys(cells)}
    if any(value is None for line in lines.values() for value in line):
        raise DataError(f"`{name}` must have every arm in every cell.")
    result[:] = [lines[cell] for cell in cells]
    return result


def _past_means(r: Float64Array, place: IntArray, arms: int) -> Float64Array:
    """Each arm's mean reward before each row, with half a reward of one row added."""
    chosen = np.zeros((len(r), arms))
    chosen[np.arange(len(r)), place] = 1.0
    pulls, sums = (np.cumsum(values, axis=0) - values for values in (chosen, chosen * r[:, None]))
    return np.asarray((sums + 0.5) / (pulls + 1))


def _means(phi: Float64Array, looks: IntArray) -> Float64Array:
    return np.asarray(np.cumsum(phi)[looks - 1] / looks)
