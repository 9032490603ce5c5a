"""Plots, with Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit.errors import MissingDependencyError, PlanError
from abkit.sequential import FixedHorizon, GroupSequential

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from abkit.exposure import ExposureDays
    from abkit.trajectory import Trajectory

#: Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
ESTIMATE, BAND, FIXED, BAD = "#000000", "#0072B2", "#E69F00", "#D55E00"


def new_axes(ax: Axes | None) -> Axes:
    """The given axes, or those of a new figure."""
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "plots need Matplotlib: install abkit-experiments[plot], or matplotlib."
        ) from error
    return Figure(figsize=(8, 4.5), layout="constrained").subplots()


def plot_trajectory(trajectory: Trajectory, metric: str, variant: str, ax: Axes | None) -> Axes:
    """The effect over time, with the band of a fixed test and the band that holds at all looks."""
    ax, served = new_axes(ax), trajectory.served
    rows = [row for row in served.to_dicts() if (row["metric"], row["variant"]) == (metric, variant)]
    times = [row["time"] for row in rows]
    level = f"{1 - served.experiment.monitor.total:.4g}"
    _band(ax, times, rows, "", BAND, f"{served.experiment.monitor.guarantee}, level {level}")
    _band(ax, times, rows, "fixed_", FIXED, f"at one look only, level {level}")
    ax.plot(times, _column(rows, "estimate"), color=ESTIMATE, label="estimate")
    ax.axhline(0, color="0.6", linewidth=0.8)
    _fit(ax, rows)
    ax.set_ylabel(f"{metric}: {variant} minus {trajectory.experiment.control}")
    ax.set_xlabel("time of the look")
    _legend(ax)
    ax.tick_params(axis="x", rotation=30)
    return ax


def plot_boundary(trajectory: Trajectory, metric: str, variant: str, ax: Axes | None) -> Axes:
    """The statistic at every look, and the values that it must pass."""
    monitor = trajectory.experiment.monitor
    if isinstance(monitor, FixedHorizon):
        raise PlanError("`monitor` must be one with bounds at every look: a fixed horizon has one look only.")
    ax = new_axes(ax)
    rows = trajectory.rows(metric, variant)
    z = [row.test.statistic if row.test else np.nan for row in rows]
    bounds = [_bound(row.test.effect, monitor.total / 2) if row.test else np.inf for row in rows]
    places = _places(trajectory)[-len(rows) :]
    shown = np.where(np.isfinite(bounds), bounds, np.nan)
    ax.plot(places, shown, color=BAND, marker="_", label=f"critical value, {monitor.guarantee}")
    ax.plot(places, -shown, color=BAND, marker="_")
    ax.plot(places, z, color=ESTIMATE, marker="o", markersize=3, label="statistic")
    _futility(ax, trajectory, metric, places)
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.set_ylabel(f"{metric} of {variant}, in standard errors")
    in_time = places == list(trajectory.times)[-len(rows) :]
    ax.set_xlabel("time of the look" if in_time else "share of the planned information")
    ax.tick_params(axis="x", rotation=30 * in_time)
    _legend(ax)
    return ax


def _legend(ax: Axes) -> None:
    """Above the axes, where it hides nothing."""
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def _bound(effect: Any, tail: float) -> float:
    bound = getattr(effect, "bound", None)
    return float(bound.critical(tail)) if bound else float("nan")


def _futility(ax: Axes, trajectory: Trajectory, name: str, places: Sequence[Any]) -> None:
    """Below the bound in the direction that is better; with two sides, a wedge about zero."""
    monitor, last = trajectory.experiment.monitor, trajectory.looks[-1]
    metric = trajectory.experiment.metrics[name]
    if not isinstance(monitor, GroupSequential) or monitor.futility is None or metric.role != "success":
        return
    bounds = dict(zip(monitor.seen(last), monitor.futility_bounds(last), strict=True))
    shown = metric.sign * np.array([bounds.get(place) for place in places], dtype=np.float64)
    style: dict[str, Any] = {"color": BAD, "linestyle": "--", "marker": "_"}
    ax.plot(places, shown, label="futility", **style)
    if monitor.sides == 2:
        ax.plot(places, -shown, **style)


def _places(trajectory: Trajectory) -> list[Any]:
    monitor = trajectory.experiment.monitor
    if hasattr(monitor, "seen"):
        return [monitor.seen(look)[-1] for look in trajectory.looks]
    return list(trajectory.times)


def _band(ax: Axes, times: list[Any], rows: list[dict[str, Any]], prefix: str, colour: str, label: str) -> None:
    low, high = _column(rows, f"{prefix}low"), _column(rows, f"{prefix}high")
    ax.fill_between(times, low, high, color=colour, alpha=0.25, linewidth=0, label=label)
    for ends in (low, high):
        ax.plot(times, ends, color=colour, linewidth=0.8)


def _column(rows: list[dict[str, Any]], name: str) -> Any:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)


def _fit(ax: Axes, rows: list[dict[str, Any]]) -> None:
    """Room for the later bands; the first looks may be too wide to be worth showing."""
    later = rows[len(rows) // 4 :]
    ends = np.concatenate([_column(later, name) for name in ("low", "high", "fixed_low", "fixed_high")])
    ends = ends[np.isfinite(ends)]
    if len(ends):
        low, high = min(float(ends.min()), 0.0), max(float(ends.max()), 0.0)
        pad = 0.08 * (high - low) or 1.0
        ax.set_ylim(low - pad, high + pad)


def plot_exposure_days(story: ExposureDays, metric: str, variant: str, ax: Axes | None) -> Axes:
    """The effect on each day since exposure, with its interval."""
    ax, plan = new_axes(ax), story.experiment
    rows = [row for row in story.to_dicts() if (row["metric"], row["variant"]) == (metric, variant)]
    middle, low, high = (_column(rows, name) for name in ("estimate", "low", "high"))
    label = f"at one look, level {1 - plan.monitor.total:.4g}, on each day alone"
    ax.errorbar([row["day"] for row in rows], middle, (middle - low, high - middle), color=BAND, fmt="o", label=label)
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.set_ylabel(f"{metric}: {variant} minus {plan.control}")
    ax.set_xlabel("days since exposure")
    _legend(ax)
    return ax
