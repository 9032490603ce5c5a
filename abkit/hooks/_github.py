"""GitHub Actions: a step's outputs, its summary, and annotations."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abkit.hooks._answer import Answer, answer_of, one_line
from abkit.hooks._gitlab import plain_value

if TYPE_CHECKING:
    from abkit.decision import Decision, MetricStatus
    from abkit.errors import AbkitError

LEVELS = {"promote": "notice", "continue": "notice", "blocked": "warning", "rollback": "error"}


@dataclass(frozen=True, slots=True)
class GitHub:
    """What a step of GitHub Actions writes: for `$GITHUB_OUTPUT`, for `$GITHUB_STEP_SUMMARY`, and to its log."""

    output: str
    summary: str
    annotation: str


def github(decision: Decision | AbkitError) -> GitHub:
    """What a step of GitHub Actions says about a decision.

    Answers: what do later steps, and people on the run's page, read?

    Parameters
    ----------
    decision : Decision, or the error there was instead of one

    Returns
    -------
    GitHub
        `output` has lines `verdict=promote`, read as `steps.<id>.outputs.verdict`; `summary` is Markdown; `annotation`
        is a workflow command: an error for rollback, a warning where a person must look, else a notice. Names from
        the log are escaped in each, so that none can add an output, a table or a command.

    References
    ----------
    actions/runner, FileCommandManager.cs and ActionCommand.cs; docs.github.com, Workflow commands.

    Examples
    --------
    >>> import abkit as ab
    >>> print(ab.hooks.github(ab.DataError("the log is empty.")).annotation)
    ::warning title=abkit%3A blocked::the log is empty.
    """
    answer = answer_of(decision)
    values = {"verdict": answer.verdict, **answer.to_dict()}
    output = "".join(f"{name}={plain_value(value)}\n" for name, value in values.items())
    return GitHub(output, _summary(decision, answer), _annotation(answer))


def _annotation(answer: Answer) -> str:
    title = _escaped(f"abkit: {answer.outcome}").replace(":", "%3A").replace(",", "%2C")
    return f"::{LEVELS[answer.outcome]} title={title}::{_escaped(answer.reason)}"


def _escaped(text: str) -> str:
    """Text of a workflow command; the older form of commands begins with `##[` anywhere in a line."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace("##[", "## [")


def _summary(decision: Decision | AbkitError, answer: Answer) -> str:
    lines = [f"### abkit: {answer.outcome}", "", _markdown(answer.reason), ""]
    metrics = () if isinstance(decision, Exception) else decision.metrics
    if metrics:
        lines += ["| metric | variant | role | status | estimate | interval |", "| --- | --- | --- | --- | --- | --- |"]
        lines += [_row(metric) for metric in metrics]
    return "\n".join([*lines, ""])


def _row(metric: MetricStatus) -> str:
    bounds = f"[{_number(metric.low, '-inf')}, {_number(metric.high, 'inf')}]"
    interval = f"{bounds} at {metric.level:.5g}" if metric.estimate is not None else ""
    cells = [metric.metric, metric.variant, metric.role, metric.status, _number(metric.estimate, ""), interval]
    return f"| {' | '.join(_markdown(cell) for cell in cells)} |"


def _number(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:.4g}"


def _markdown(text: str) -> str:
    """Text in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]()#+!|~@:])", r"\\\1", html.escape(one_line(text), quote=False))
