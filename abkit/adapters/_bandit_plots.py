"""Plots of a bandit simulation, with Matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abkit import _check
from abkit.adapters._planning_plots import COLOURS
from abkit.adapters._plots import BAND, ESTIMATE, FIXED, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from abkit.bandits import Simulation

LONGEST = 24
STYLES = ("-", "--", "-.", ":")
#: More arms than this have no entry each in a legend.
LISTED = 14


def simulation_figure(found: Simulation) -> Figure:
    """Regret and allocation side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot_regret(found, left)
    plot_allocation(found, right)
    return figure


def plot_regret(found: Simulation, ax: Axes | None) -> Axes:
    """Mean regret with its band over decisions, and the lower bound beside it."""
    ax, regret, bound = new_axes(ax), found.regret, found.lower_bound
    if found.runs > 1:
        label = f"{regret.level:.0%} of {found.runs:,} runs"
        ax.fill_between(regret.times, regret.low, regret.high, color=BAND, alpha=0.2, linewidth=0, label=label)
        ax.plot(regret.times, regret.median, color=BAND, linewidth=0.8, label="median")
    ax.plot(regret.times, regret.mean, color=ESTIMATE, label="mean" if found.runs > 1 else "one run")
    if bound is not None:
        label = f"Lai and Robbins: {found.environment.lai_robbins:.4g} ln t"
        ax.plot(regret.times, bound, color=FIXED, linestyle="--", label=label)
    _decisions(found, ax)
    ax.set_ylabel("regret")
    ax.set_title(f"{type(found.policy).__name__} in {type(found.environment).__name__}", fontsize="medium")
    ax.legend(frameon=False, fontsize="small", loc="upper left")
    return ax


def plot_allocation(found: Simulation, ax: Axes | None) -> Axes:
    """The share of each arm over decisions."""
    ax = new_axes(ax)
    for at, arm in enumerate(found.arms):
        colour, style = COLOURS[at % len(COLOURS)], STYLES[at // len(COLOURS) % len(STYLES)]
        label = _check.narrow(str(arm), LONGEST).replace("$", r"\$")
        ax.plot(found.times, found.shares[:, at], style, color=colour, label=label if at < LISTED else None)
    _decisions(found, ax)
    ax.set_ylim(0, 1)
    ax.set_ylabel("share of decisions so far")
    more = len(found.arms) - LISTED
    title = "arm" if more <= 0 else f"arm ({more} more)"
    ax.legend(title=title, frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def _decisions(found: Simulation, ax: Axes) -> None:
    ax.set_xlabel("decisions")
    if found.times.size > 1:
        ax.set_xscale("log")
        ax.set_xlim(found.times[0], found.times[-1])
