"""Plots of a planning, with Matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from abkit import _check
from abkit.adapters._plots import new_axes
from abkit.errors import PlanError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from abkit.planning import Planning

#: Colours that stay apart for colour-blind readers (Okabe and Ito 2008), one a metric.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LONGEST = 30
STYLES = {"success": "-", "guardrail": "--", "deterioration": ":", "quality": "-."}


def planning_figure(planning: Planning) -> Figure:
    """Effects by week and the power curve side by side; without a traffic, the power curve alone."""
    from matplotlib.figure import Figure

    panels = 1 if planning.sizer.source.per_week is None else 2
    if not planning.rule.allocation:
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        plot_mde_by_week(planning, figure.subplots())
        return figure
    figure = Figure(figsize=(8 + 6 * (panels - 1), 4.5), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, panels))
    if panels == 2:
        plot_mde_by_week(planning, axes[0])
    plot_power(planning, axes[-1])
    return figure


def plot_mde_by_week(planning: Planning, ax: Axes | None) -> Axes:
    """The smallest effect that each metric shows after each week, as a share of its baseline."""
    rows, ax, thin = planning.mde_by_week(), new_axes(ax), False
    for row, colour in _coloured(planning):
        mine = [week for week in rows if week["metric"] == row.metric]
        weeks = np.array([week["week"] for week in mine])
        found = np.array([np.nan if week["relative"] is None else week["relative"] for week in mine])
        what = "margin" if row.role == "guardrail" else "effect"
        ax.plot(weeks, found, STYLES[row.role], color=colour, marker="o", markersize=3, label=f"{_name(row)} ({what})")
        wanted = row.margin_relative if row.role == "guardrail" else planning.asked(row.metric)
        if wanted is not None:
            ax.axhline(wanted, color=colour, linewidth=0.6, alpha=0.7)
            thin = True
    if thin:
        ax.plot([], [], color="0.5", linewidth=0.6, label="thin: as the plan asks")
    if planning.rule.weeks is not None and planning.rule.weeks <= max(week["week"] for week in rows):
        units = f"{planning.rule.units:,} units" if planning.rule.units else "the plan's units"
        ax.axvline(planning.rule.weeks, color="0.4", linewidth=0.8, label=units)
    ends = planning.sizer.source.ends
    if ends and any(week["extrapolated"] for week in rows):
        ax.axvspan(ends, ax.get_xlim()[1], color="0.93", zorder=0)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(_percent())
    ax.set_xlabel("weeks" + " (grey: beyond the history)" * bool(ends))
    ax.set_ylabel("detectable, of the baseline")
    _legend(ax)
    return ax


def plot_power(planning: Planning, ax: Axes | None) -> Axes:
    """The power of each metric over the size of the effect, of guardrails the margin, as multiples of the plan's."""
    if not planning.rule.allocation:
        raise PlanError("`plot` needs a number of units: give `weeks`, or an `mde` that can be found.")
    rows, ax = planning.power_curve(), new_axes(ax)
    for row, colour in _coloured(planning):
        mine = [point for point in rows if point["metric"] == row.metric]
        one = planning.unit_of(row.metric)
        if not mine or one is None:
            continue
        sizes = np.array([point["size"] for point in mine]) / one
        power = np.array([np.nan if point["power"] is None else point["power"] for point in mine])
        shown = f"{one:.3g}" if not mine[0]["relative"] else f"{100 * one:.3g}%"
        ax.plot(sizes, power, STYLES[row.role], color=colour, label=f"{_name(row)} (1 = {shown})")
    ax.axhline(planning.rule.asked, color="0.6", linewidth=0.8)
    ax.axvline(1, color="0.6", linewidth=0.8)
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter(_percent())
    ax.set_xlabel("true effect, of guardrails margin, as a multiple of the plan's")
    ax.set_ylabel(f"power with {planning.rule.units:,} units")
    _legend(ax)
    return ax


def _coloured(planning: Planning) -> list[tuple[Any, str]]:
    return [(row, COLOURS[i % len(COLOURS)]) for i, row in enumerate(planning.metrics)]


def _name(row: Any) -> str:
    return _check.narrow(row.metric, LONGEST)


def _percent() -> Any:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(1.0)


def _legend(ax: Axes) -> None:
    """Above the axes, where it hides nothing."""
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
