"""What a policy would have earned, from the log of another."""

from __future__ import annotations

from typing import Any

from abkit import _check
from abkit.adapters._bandit_query import DecisionQuery
from abkit.bandits._evaluation import CUTS, METHODS, MODELLED, Evaluation, Method
from abkit.bandits._index import checked_bounds
from abkit.bandits._policy_value import PolicyValue
from abkit.bandits._target import Columns, read_model, read_target, with_arrays


def evaluate(  # noqa: PLR0913 - the columns of a log have names
    log: object,
    target: Any,
    method: Method = "ips",
    *,
    arm: str = "arm",
    reward: str = "reward",
    propensity: str | None = "propensity",
    by: str | tuple[str, ...] | list[str] = (),
    order: str | None = None,
    model: Any = None,
    threshold: float | None = None,
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
) -> PolicyValue:
    """The mean reward that another policy would have had, from a log with propensities.

    Answers: what would this policy have earned on the decisions that another one made?

    Parameters
    ----------
    log : table or path
        One row a decision: a table of pandas, Polars, PyArrow, DuckDB, Ibis, Dask or PySpark, the path of Parquet or
        CSV files, or a mapping of names to lists.
    target : mapping, str, (policy, state), table or array
        The policy to evaluate. A mapping of arms to probabilities, or to columns of probabilities; the name of a column
        with the target's probability of the logged arm; else the name of an arm, which is always chosen, or
        "uniform" over the arms of the log; a policy with its state; a table with the columns of `by`, `arm` and
        `probability`; an array of shape (n,) with the probability of each row's arm, or (n, K) with those of all
        arms, in order (0, 1, ... or by name).
    method : {"ips", "snips", "dm", "dr", "switch-dr", "clipped"}
        Inverse propensity; self-normalised; direct (the model's); doubly robust; doubly robust with the model alone
        where a weight exceeds the threshold; inverse propensity with weights cut there.
    arm, reward : str
        Columns: what was chosen, and what it gave.
    propensity : str or None
        Column: the probability with which the logged arm was chosen, in (0, 1]. None for "dm" without one.
    by : str or list of str
        Columns whose values make cells: a target table has one distribution a cell, and the log's own model one mean a
        cell and arm.
    order : str, optional
        Column of times or numbers: adds diagnostics by tenths of that time, for one more small query.
    model : mapping, table or array, optional
        Predicted rewards: arms to numbers, or to columns; a table with `by`, `arm` and `value`; an array of shape
        (n, K). By default the mean of each cell and arm in the log, of the other rows for each row.
    threshold : float, optional
        Where "clipped" and "switch-dr" cut weights, above 0; by default sqrt(n).
    bounds : (float, float), optional
        What no reward can lie below and above; rewards outside are refused, and intervals end there.
    level : float
        Of the printed interval.

    Returns
    -------
    PolicyValue
        Value, standard error, interval, difference from the log's own mean, diagnostics and warnings.

    Raises
    ------
    DataError
        Missing values (with their number), propensities of 0 or above 1, arms of the target that the log does not have,
        a log of a deterministic policy, columns that are not there, no rows.
    ValueError, TypeError
        Probabilities that do not make 1, unknown methods, arguments that a method has no use for.

    Notes
    -----
    With w = target / logged propensity, q the model, and q(target) its mean over the target's arms [1]_ [2]_ [3]_:

    - ips: mean of w r; stderr sd(w r) / sqrt(n). Unbiased.
    - snips: V = sum w r / sum w; stderr sqrt(sum w^2 (r - V)^2) / sum w. Biased by O(1/n), bounded by the rewards.
    - dm: mean of q(target); with the log's own means the standard error includes theirs.
    - dr: mean of q(target) + w (r - q); stderr as of ips.
    - switch-dr: the same with w = 0 where w > threshold; clipped: ips with min(w, threshold).

    The log's own means would know each row's reward. The mean of the n - 1 other rows of its cell and arm leaves
    r - q = n / (n - 1) (r - mean), so that the doubly robust value is unbiased in one query; a row that is alone is
    predicted by the mean of all other rows.

    Sums are made by the log's engine in one query; rewards that lie far from 0 for their spread are added up a second
    time, shifted. Rows must be independent given the arm: for rows of one user use one row a user. A mean weight
    that is not 1 says that propensities are wrong; `warnings` says so. Do not use it on the log of a deterministic
    policy (only "dm" has an answer), nor where one looks repeatedly (`value_sequence`).

    References
    ----------
    .. [1] Horvitz and Thompson 1952, JASA 47(260), eq. 3; Swaminathan and Joachims 2015, NeurIPS, eq. 9.
    .. [2] Dudik, Langford and Li 2011, ICML, eq. 3.
    .. [3] Wang, Agarwal and Dudik 2017, ICML, sec. 3; Ionides 2008, JCGS 17(2), sec. 2.

    Examples
    --------
    >>> import abkit as ab
    >>> log = {
    ...     "arm": ["a", "a", "b", "a", "b", "a"],
    ...     "reward": [0, 1, 1, 0, 1, 1],
    ...     "propensity": [0.75, 0.75, 0.25, 0.75, 0.25, 0.5],
    ... }
    >>> result = ab.bandits.evaluate(log, {"a": 0.5, "b": 0.5}, "snips")
    >>> round(result.value, 4), round(result.stderr, 4)
    (0.8095, 0.1374)
    """
    _check.choice("method", method, METHODS)
    _check.within("level", level, 0, 1)
    limits = None if bounds is None else checked_bounds(bounds)
    columns = Columns(arm, reward, propensity, _check.names("by", by), order)
    _refuse_useless(method, model, threshold, propensity)
    table, target, model = with_arrays(log, columns, target, model)
    wanted, predicted = read_target(target, table, columns), read_model(model, columns)
    if method in MODELLED and isinstance(wanted, str):
        raise ValueError(
            f"`target` must have the probability of every arm for {method!r}; the column {wanted!r} has that of the "
            "logged arm only. Give a mapping of arms to columns."
        )
    query = DecisionQuery(arm, reward, propensity, columns.by, order, wanted)
    work = Evaluation(table, query, method, predicted, limits)
    return work.with_cut(threshold).result(float(level))


def _refuse_useless(method: str, model: object, threshold: object, propensity: object) -> None:
    if model is not None and method not in MODELLED:
        raise ValueError(f"`model` must be left out: {method!r} has no use for it.")
    if threshold is not None and method not in CUTS:
        raise ValueError(f"`threshold` must be left out: {method!r} does not cut weights.")
    if propensity is None and method != "dm":
        raise ValueError(f"`propensity` must name a column: {method!r} divides by it.")
