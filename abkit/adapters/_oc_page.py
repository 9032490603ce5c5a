"""A page of operating characteristics: sentence, table and plots in one file that needs no network."""

from __future__ import annotations

import html
import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abkit.adapters._plots import BAD, BAND, ESTIMATE, FIXED
from abkit.errors import MissingDependencyError, PlanError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Lines of the first plots: what an experiment ends with, how it is drawn.
ENDS = (("promote", BAND, "o"), ("rollback", BAD, "s"), ("continued", FIXED, "^"))
NAMES = {"promote": "promote", "rollback": "roll back", "continued": "continue at the deadline"}
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px}
th,td{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
tr.more td{background:#fde8df}
.more{color:#a33c00;font-weight:600}
.scroll{overflow-x:auto}
svg{max-width:100%;height:auto}
"""


def write_page(found: Any, path: str | os.PathLike[str]) -> None:
    """Write the page; a `PlanError` names a file that cannot be written."""
    page = make_page(found)
    try:
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise PlanError(
            f"`page` must be a file that can be written; got {os.fspath(path)!r}: {error.strerror}."
        ) from error


def make_page(found: Any) -> str:
    """The page as text."""
    parts = found.described()
    sentences = "".join(f"<p>{_rich(line)}</p>" for line in parts["summary"])
    kind = "more" if found.excesses else "fine"
    sentences += "".join(f'<p class="{kind}">{_rich(line)}</p>' for line in parts["warnings"])
    notes = "".join(f"<li>{_rich(line)}</li>" for line in (*parts["legend"], *found.notes))
    title = "What this plan will really do"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{sentences}\n{_plots(found)}\n"
        f'<div class="scroll">{_table(found, parts["table"])}</div>\n<h2>How to read this</h2><ul>{notes}</ul>\n'
        f"<p>Plan {found.plan.sha256[:12]}</p></body></html>\n"
    )


def _rich(line: str) -> str:
    """Text as HTML, in which what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(line))


def _table(found: Any, rows: Sequence[Sequence[str]]) -> str:
    worse = {name for name, *_ in found.excesses}
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    lines = []
    for row, cells in zip(found.rows, rows[1:], strict=True):
        mark = ' class="more"' if row.scenario.name in worse else ""
        body = "".join(f"<td>{html.escape(cell)}</td>" for cell in (row.scenario.name, *cells[1:]))
        lines.append(f"<tr{mark}>{body}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _plots(found: Any) -> str:
    """One inline drawing of two or three plots; nothing where no plot has two points."""
    drawn = [
        (_draw_grid, grid, label)
        for grid, label in (
            (found.gains(), "true gain of the success metrics (1: planned)"),
            (found.harms(), "true effect on the others (-1: guardrails at their margin)"),
        )
        if len(grid) > 1
    ]
    figure = _figure(len(drawn) + 1)
    axes = figure.subplots(1, len(drawn) + 1, squeeze=False)[0]
    for ax, (draw, grid, label) in zip(axes, drawn, strict=False):
        draw(ax, grid, label)
    _draw_times(axes[-1], found)
    return _svg(figure)


def _draw_grid(ax: Axes, grid: Sequence[tuple[float, Any]], label: str) -> None:
    """How experiments end, by the true effect."""
    effects = [effect for effect, _ in grid]
    for name, colour, marker in ENDS:
        rates = [getattr(row, name) for _, row in grid]
        ends = [rate.interval() for rate in rates]
        values = [float(rate) for rate in rates]
        error = [[v - low for v, (low, _) in zip(values, ends, strict=True)]]
        error += [[high - v for v, (_, high) in zip(values, ends, strict=True)]]
        ax.errorbar(effects, values, error, color=colour, marker=marker, markersize=5, label=NAMES[name])
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel(label)
    ax.set_ylabel("share of experiments")
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)


def _draw_times(ax: Axes, found: Any) -> None:
    """The share of experiments that have ended, by the share of units seen."""
    shares = [0.0, *(n / found.units[-1] for n in found.units)]
    for (label, values), colour in zip(_times(found), (BAND, BAD, ESTIMATE), strict=False):
        ax.step(shares, [0.0, *values], where="post", color=colour, label=label)
        if len(shares) == 2:
            ax.plot(shares[1:], values, color=colour, marker="o", markersize=5)
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel("share of the planned units")
    ax.set_ylabel("share of experiments with the verdict")
    ax.grid(alpha=0.25)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)


def _times(found: Any) -> Iterator[tuple[str, Sequence[float]]]:
    """When the planned gain is promoted, a harm is rolled back, and a release without an effect is."""
    rows = {row.scenario.name: row for row in found.rows}
    wanted = (("success +1", "promoted_by"), ("harm -1.5", "rolled_back_by"), ("no effect", "rolled_back_by"))
    some = [(name, way) for name, way in wanted if name in rows]
    if not some:
        some = [(found.rows[0].scenario.name, way) for way in ("promoted_by", "rolled_back_by")]
    for name, way in some:
        done = "promoted" if way == "promoted_by" else "rolled back"
        yield f"{name}: {done}", getattr(rows[name], way)


def _figure(plots: int) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "plots need Matplotlib: install abkit-experiments[plot], or matplotlib."
        ) from error
    return Figure(figsize=(4.6 * plots, 4.2), layout="constrained")


def _svg(figure: Figure) -> str:
    """The drawing as text of its own; without a date, so that the same numbers give the same bytes."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.hashsalt": "abkit", "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    drawing = text.getvalue()
    return drawing[drawing.index("<svg") :]
