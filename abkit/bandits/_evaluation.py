"""One evaluation of a policy from a log: its query, the checks of what comes back, and the estimate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.adapters._bandit_query import Cell, DecisionQuery, DecisionSums, Table, add_up, row_count
from abkit.bandits._log_checks import (
    diagnostics_of,
    refuse_bad_rows,
    refuse_deterministic,
    refuse_overflow,
    warnings_of,
)
from abkit.bandits._policy_value import PolicyValue
from abkit.bandits._row_scores import (
    Estimate,
    Groups,
    Shares,
    direct,
    doubly_robust,
    of_row_scores,
    scores_of,
    self_normalised,
    weighted,
)
from abkit.bandits._target import TOLERANCE
from abkit.errors import DataError

Method = Literal["ips", "snips", "dm", "dr", "switch-dr", "clipped"]
METHODS: tuple[Method, ...] = ("ips", "snips", "dm", "dr", "switch-dr", "clipped")
MODELLED = ("dm", "dr", "switch-dr")
CUTS = {"clipped": "clip", "switch-dr": "switch"}
#: Rewards further from 0 than this many standard deviations are added up again, shifted.
FAR = 30.0


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: what was asked."""

    log: Any
    query: DecisionQuery
    method: Method
    model: Table | None
    bounds: tuple[float, float] | None

    def with_cut(self, threshold: float | None) -> Evaluation:
        """The same with the threshold, which by default needs the number of rows."""
        if self.method not in CUTS:
            return self
        if threshold is None:
            used = math.sqrt(row_count(self.log, self.query.arm))
        else:
            used = _check.within("threshold", threshold, 0, math.inf) if threshold != math.inf else math.inf
        cut = cast("Any", CUTS[self.method])
        return replace(self, query=replace(self.query, cut=cut if math.isfinite(used) else "none", threshold=used))

    def result(self, level: float) -> PolicyValue:
        """Ask the log, and put the answer together."""
        query, of_means = self._with_arms(), None
        plain = self.method not in MODELLED or not (_by_column(query.target) or _by_column(self.model))
        if not plain:
            query, of_means = self._with_row_model(query)
        found, groups, query = self._sums(query)
        unsupported = _unsupported(groups, found, query)
        self._refuse_missing(groups, query, found)
        estimate, lone = self._estimate(groups, query, plain=plain)
        if of_means is not None and self.method == "dm":
            estimate = estimate.with_error(_error_of_means(of_means, found, query))
        seen = None if query.propensity is None else diagnostics_of(found)
        own = groups.mean_and_square(np.zeros(len(groups.n)), _first(groups))
        n = int(found.n.sum())
        refuse_overflow((estimate.value, estimate.stderr, estimate.difference_stderr, own[1]))
        said = warnings_of(self.method, seen, unsupported, given_model=self.model is not None, lone=lone)
        return PolicyValue(
            self.method,
            estimate.value,
            estimate.stderr,
            level,
            n,
            own[0] + query.shift,
            math.sqrt(own[1] / (n * (n - 1))),
            estimate.difference,
            estimate.difference_stderr,
            unsupported,
            query.threshold,
            self.bounds,
            seen,
            tuple(said),
        )

    def _with_arms(self) -> DecisionQuery:
        """Where "uniform" must be known within the query, the arms of the log are asked for first."""
        rowwise = self.query.cut != "none" or _by_column(self.model)
        if not (isinstance(self.query.target, float) and rowwise):
            return self.query
        arms = _arms_of(self.log, self.query)
        return replace(self.query, target={(): dict.fromkeys(arms, 1 / len(arms))})

    def _with_row_model(self, query: DecisionQuery) -> tuple[DecisionQuery, Groups | None]:
        """The query with a model: the one that is given, or means of the log, which take a pass of their own."""
        if self.model is not None:
            return replace(query, model=self.model, direct=self.method == "dm"), None
        first = replace(query, target=None, propensity=None, order=None, cut="none")
        found = add_up(self.log, first)
        refuse_bad_rows(found, first, self.bounds)
        groups = Groups.of(found, first.features)
        shares = _means_of_log(groups, 0.0, np.zeros(len(groups.n)))
        arms = _arms_of_table(query.target)
        model: dict[Cell, dict[str, float]] = {}
        for cell in dict.fromkeys(groups.cells):
            model[cell] = dict.fromkeys(arms, float(groups.sums[:, 0].sum() / groups.n.sum()))
        stretch: dict[Cell, dict[str, float]] = {cell: {} for cell in model}
        for i, (cell, arm) in enumerate(zip(groups.cells, groups.arms, strict=True)):
            model[cell][arm], stretch[cell][arm] = float(shares.q[i]), float(shares.k[i])
            if self.method == "dm":
                model[cell][arm] = float(groups.means[i])
        if self.method == "dm":
            return replace(query, model=cast("Table", model), direct=True), groups
        return replace(query, model=cast("Table", model), stretch=cast("Table", stretch)), groups

    def _sums(self, query: DecisionQuery) -> tuple[DecisionSums, Groups, DecisionQuery]:
        """Run the query; once more with rewards shifted where these are far from 0."""
        found = add_up(self.log, query)
        refuse_bad_rows(found, query, self.bounds)
        arms = list(dict.fromkeys(found.arms))
        groups = Groups.of(found, query.features)
        mean, far = _place_of(groups, _first(groups))
        origin, far_off = _place_of(groups, scores_of(groups)) if query.model is not None else (0.0, False)
        if (far or far_off) and not (query.shift or query.origin):
            exact = {(): dict.fromkeys(arms, 1 / len(arms))} if isinstance(query.target, float) else query.target
            return self._sums(replace(query, shift=mean, origin=origin, target=cast("Any", exact)))
        if isinstance(query.target, float):
            share = 1 / len(arms)
            found = _rescaled(found, share)
            groups = groups.scaled(share) if "u" in query.features else groups
            query = replace(query, target={(): dict.fromkeys(arms, share)})
        if self.method != "dm":
            refuse_deterministic(found, query, self.method)
        return found, groups, query

    def _refuse_missing(self, groups: Groups, query: DecisionQuery, found: DecisionSums) -> None:
        """Arms of the target that the log has nowhere, unless a model knows them; arms that a model does not know."""
        logged = set(groups.arms)
        shares = _mean_shares(groups, query, found)
        for arm, share in shares.items():
            if arm not in logged and share > TOLERANCE and (self.model is None or self.method not in MODELLED):
                raise DataError(
                    f"`target` chooses the arm {arm!r} with probability {share:.3g}, and the log has no row of it"
                    f": it has {', '.join(sorted(logged)[:20])}.{_check.suggest(arm, logged)} Leave that arm out of "
                    "the target, or give a `model` that predicts its reward."
                )
        for cell, known in (self.model or {}).items():
            lacking = sorted((logged | {a for a, share in shares.items() if share > 0}) - set(known))
            if lacking and self.method in MODELLED:
                place = f" in {', '.join(cell)}" if cell else ""
                raise DataError(f"`model` must predict every arm; it lacks {', '.join(lacking[:20])}{place}.")

    def _estimate(self, groups: Groups, query: DecisionQuery, *, plain: bool) -> tuple[Estimate, float]:
        """The estimate, and which share of the target is on means of one row."""
        if not plain:
            return of_row_scores(groups, query.shift, query.origin), 0.0
        if self.method == "snips":
            if not groups.n.sum() + groups.sums[:, 1].sum() > 0:
                raise DataError("`target` never chooses an arm that was logged; nothing can be weighted.")
            return self_normalised(groups, query.shift), 0.0
        if self.method in ("ips", "clipped"):
            return weighted(groups, query.shift), 0.0
        shares = self._shares(groups, query)
        if self.method == "dm":
            into, rows = groups.per_cell()
            lone = float((shares.target * rows[into])[groups.n == 1].sum() / groups.n.sum())
            return direct(groups, query.shift, shares), lone if self.model is None else 0.0
        return doubly_robust(groups, query.shift, shares), 0.0

    def _shares(self, groups: Groups, query: DecisionQuery) -> Shares:
        """What target and model say of each group."""
        target = cast("Mapping[Cell, Mapping[str, float]]", query.target)
        logged = {key: i for i, key in enumerate(zip(groups.cells, groups.arms, strict=True))}
        own = np.array([_at(target, cell).get(arm, 0.0) for cell, arm in logged])
        if self.model is not None:
            model = cast("Mapping[Cell, Mapping[str, float]]", self.model)
            predicted = np.array([_at(model, cell)[arm] for cell, arm in logged])
            values = {c: sum(p * _at(model, c)[a] for a, p in _at(target, c).items() if p) for c in groups.cells}
            direct_ = np.array([values[cell] for cell in groups.cells])
            return Shares(own, direct_, predicted, np.ones_like(own), estimated=False)
        shares = _means_of_log(groups, query.shift, own)
        everyone = query.shift + float(groups.sums[:, 0].sum() / groups.n.sum())
        means = query.shift + groups.means
        found = {
            cell: sum(
                p * (float(means[logged[cell, a]]) if (cell, a) in logged else everyone)
                for a, p in _at(target, cell).items()
            )
            for cell in dict.fromkeys(groups.cells)
        }
        return replace(shares, direct=np.array([found[cell] for cell in groups.cells]))


def _means_of_log(groups: Groups, shift: float, target: Float64Array) -> Shares:
    """The mean of each cell and arm as the model, with what leaves a row's own reward out of it."""
    n = float(groups.n.sum())
    alone = groups.n == 1
    q = np.where(alone, groups.sums[:, 0].sum() / n, groups.means) + shift
    k = np.where(alone, n / max(n - 1, 1.0), groups.n / np.maximum(groups.n - 1, 1.0))
    return Shares(target, np.zeros_like(q), q, k, estimated=True)


def _error_of_means(groups: Groups, found: DecisionSums, query: DecisionQuery) -> float:
    """The variance that the log's means bring into a value that is a sum of them."""
    names = list(query.target[()]) if isinstance(query.target, Mapping) else []
    n = float(groups.n.sum())
    pooled = groups.m2[:, 0, 0].sum() / max(float((groups.n - 1).sum()), 1.0)
    total = 0.0
    for cell, arm, rows, square in zip(groups.cells, groups.arms, groups.n, groups.m2[:, 0, 0], strict=True):
        if arm in names:
            shares = found.sums[f"share{names.index(arm)}"]
            share = sum(value for value, other in zip(shares, found.cells, strict=True) if other == cell) / n
            total += share**2 * (square / (rows - 1) if rows > 1 else pooled) / rows
    return float(total)


def _rescaled(found: DecisionSums, share: float) -> DecisionSums:
    """The diagnostics' sums of weights that were made with 1 in place of the target's share."""
    sums = dict(found.sums)
    if "uw" not in sums:
        return found
    u, n, less = sums["uw"], sums["n"], share - 1
    sums["uw"] = share * u + less * n
    sums["uw uw"] = share**2 * sums["uw uw"] + 2 * share * less * u + less**2 * n
    sums["largest weight"] = share * sums["largest weight"]
    sums["certain"] = sums["ones"] * (1 - share)
    return replace(found, sums=sums)


def _unsupported(groups: Groups, found: DecisionSums, query: DecisionQuery) -> float | None:
    """The share of the target's probability that the log cannot show."""
    n = float(groups.n.sum())
    certain = math.fsum(found.sums["certain"]) / n if "certain" in found.sums else 0.0
    if not isinstance(query.target, Mapping):
        return certain if certain > 0 else None
    logged = set(zip(groups.cells, groups.arms, strict=True))
    if query.shares:
        arms = _arms_of_table(query.target)
        parts = [found.sums[f"share{i}"] for i in range(len(query.shares))]
        by_column = dict(zip(query.shares, parts, strict=True))
        gone = 0.0
        for arm in arms:
            total = by_column[cast("str", query.target[()][arm])]
            gone += sum(t for t, cell in zip(total, found.cells, strict=True) if (cell, arm) not in logged)
        return max(certain, gone / n)
    into, rows = groups.per_cell()
    cells = dict(zip(into.tolist(), groups.cells, strict=True))
    table = cast("Mapping[Cell, Mapping[str, float]]", query.target)
    gone = math.fsum(
        rows[i] * share
        for i, cell in cells.items()
        for arm, share in _at(table, cell).items()
        if share and (cell, arm) not in logged
    )
    return max(certain, gone / n)


def _mean_shares(groups: Groups, query: DecisionQuery, found: DecisionSums) -> dict[str, float]:
    """The target's mean probability of each arm."""
    n = float(groups.n.sum())
    if not isinstance(query.target, Mapping):
        return {}
    if query.shares:
        means = {name: float(found.sums[f"share{i}"].sum()) / n for i, name in enumerate(query.shares)}
        return {arm: means[cast("str", name)] for arm, name in query.target[()].items()}
    into, rows = groups.per_cell()
    table = cast("Mapping[Cell, Mapping[str, float]]", query.target)
    shares: dict[str, float] = {}
    for i, cell in dict(zip(into.tolist(), groups.cells, strict=True)).items():
        for arm, share in _at(table, cell).items():
            shares[arm] = shares.get(arm, 0.0) + share * float(rows[i]) / n
    return shares


def _arms_of(log: Any, query: DecisionQuery) -> list[str]:
    plain = DecisionQuery(query.arm, query.reward, None)
    return list(dict.fromkeys(add_up(log, plain).arms))


def _arms_of_table(table: Any) -> list[str]:
    return list(dict.fromkeys(arm for arms in table.values() for arm in arms))


def _by_column(table: Any) -> bool:
    return isinstance(table, Mapping) and any(isinstance(v, str) for arms in table.values() for v in arms.values())


def _at(table: Mapping[Cell, Mapping[str, float]], cell: Cell) -> Mapping[str, float]:
    return table[()] if () in table else table[cell]


def _place_of(groups: Groups, slopes: Float64Array) -> tuple[float, bool]:
    """A mean over all rows, and whether it is far from 0 for the spread about it."""
    mean, square = groups.mean_and_square(np.zeros(len(groups.n)), slopes)
    return mean, abs(mean) > FAR * math.sqrt(square / float(groups.n.sum()))


def _first(groups: Groups) -> Float64Array:
    slopes = np.zeros_like(groups.sums)
    slopes[:, 0] = 1.0
    return slopes
