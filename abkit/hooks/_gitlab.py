"""GitLab's dotenv reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abkit.hooks._answer import LONGEST, answer_of, one_line

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.errors import AbkitError

#: Characters of a value, of which GitLab takes 5 KB in all.
SHORT = 300


def gitlab(decision: Decision | AbkitError) -> str:
    """Variables for a `dotenv` report, which later jobs of a pipeline read.

    Answers: what do the jobs after this one know of the decision?

    Parameters
    ----------
    decision : Decision, or the error there was instead of one

    Returns
    -------
    str
        Lines `ABKIT_VERDICT=promote` and so on. A value never has a line break, whatever a log's names hold, and long
        ones are cut: GitLab takes 5 KB in all.

    Examples
    --------
    >>> import abkit as ab
    >>> print(ab.hooks.gitlab(ab.DataError("the log is empty.")).splitlines()[1])
    ABKIT_OUTCOME=blocked
    """
    answer = answer_of(decision)
    values = {"verdict": answer.verdict, **answer.to_dict()}
    return "".join(f"ABKIT_{name.upper()}={plain_value(value, SHORT)}\n" for name, value in values.items())


def plain_value(value: object, longest: int = LONGEST) -> str:
    """A value as one line of text: nothing for None, true and false as JSON has them."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return f"{value:g}" if isinstance(value, float) else one_line(str(value), longest)
