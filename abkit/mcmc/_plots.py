"""The plot of partially pooled effects, with Matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from abkit import _check
from abkit.adapters._plots import BAND, ESTIMATE, FIXED, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from abkit.mcmc._hierarchical_fit import HierarchicalFit

#: More effects than this are drawn without their names and intervals of the estimates.
NAMED = 40
LONGEST = 28


def plot_shrinkage(fit: HierarchicalFit, ax: Axes | None, level: float) -> Axes:
    """Each estimate and the effect that pooling makes of it, in the order of the estimates."""
    given = ax is not None
    ax = new_axes(ax)
    found = fit.table(level).sort_values("estimate", kind="stable")
    rows, named = np.arange(len(found)), len(found) <= NAMED
    figure: Any = ax.figure
    if not given:
        figure.set_size_inches(8, 2.2 + 0.28 * min(len(found), NAMED))
    z = -ndtri((1 - level) / 2)
    lift = 0.16 if named else 0.0
    if named:
        margin = z * found["stderr"]
        ax.hlines(rows + lift, found["estimate"] - margin, found["estimate"] + margin, color=FIXED, linewidth=1)
    ax.hlines(
        rows - lift, found["low"], found["high"], color=BAND, linewidth=1.6 if named else 0.8, alpha=1 if named else 0.5
    )
    size = 5 if named else 2.5
    ax.plot(found["estimate"], rows + lift, "o", color=FIXED, markersize=size, label="estimate alone")
    pooled = f"partially pooled, {100 * level:.4g}% interval"
    ax.plot(found["effect"], rows - lift, "o", color=BAND, markersize=size, label=pooled)
    ax.axvline(fit.overall.estimate, color=ESTIMATE, linewidth=0.8, linestyle="--", label="mean of all")
    ax.axvline(0, color="0.6", linewidth=0.8)
    ax.set_xlabel(f"effect ({fit.estimates.scale})")
    if named:
        labels = [_check.narrow(name, LONGEST).replace("$", r"\$") for name in found["name"]]
        ax.set_yticks(rows, labels)
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{len(found)} effects, in order of their estimates")
    ax.set_ylim(-0.8, len(found) - 0.2)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax
