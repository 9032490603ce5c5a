"""Shadow: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from abkit import _check
from abkit.logs import Sides, label_name
from abkit.sequential import AnytimeValid
from abkit.strategies._strategy import Strategy, Words
from abkit.types import ROWS

if TYPE_CHECKING:
    from abkit.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class Shadow(Strategy):
    """Each request is answered by the old release and, unseen by users, by the new one.

    Parameters
    ----------
    suffixes : mapping of variant to str, optional
        Where a row of the log is a request, with the values of every release: how the names of their columns end. A
        metric of `latency` reads `latency_old` and `latency_new` with {"old": "_old", "new": "_new"}. Without them, a
        row is of one request and release: the plan's `unit` is then the request, and its `variant` the release.
    cluster : str, optional
        The column of what is independent, such as the session, where requests are not. All tests are then asymptotic.
    side_effect : str, optional
        A column of booleans (or of 0 and 1) that says that the new release changed something outside, such as a write
        that was not stubbed. Any such row fails the check `side_effects`, and nothing is promoted.

    Raises
    ------
    ValueError, TypeError
        Endings that are not texts, that are the same, or of fewer than two variants.

    Notes
    -----
    Of rows of one request (and release) copies count once, and are counted; rows that contradict each other are left
    out and fail the check `duplicates`. A request that only one release has in a log of a row a release is left out and
    counted by the check `pairs`, which fails above `quality.contaminated`: log a row without values for an answer that
    did not come, which the metrics then see. All metrics must be paired: `Paired`, `PairedProportion`, `Disagreement`.

    A promotion is one to a canary: a shadow has no users, and shows nothing of what they do.

    Examples
    --------
    >>> import abkit as ab
    >>> plan = ab.Experiment(
    ...     strategy=ab.Shadow(suffixes={"old": "_old", "new": "_new"}), control="old",
    ...     metrics={"answers": ab.Disagreement("answer", margin=0.01)})
    >>> plan.unit, plan.design, plan.monitor.kind
    ('ROWS', 'paired', 'anytime-valid')
    """

    suffixes: Mapping[str, str] | None = None
    cluster: str | None = None
    side_effect: str | None = None
    kind: ClassVar[str] = "shadow"
    design: ClassVar = "paired"
    words: ClassVar[Words] = Words(
        title="Shadow",
        traffic="none: a copy of each request goes to the new release, and its answer is thrown away",
        downtime="none",
        rollback="nothing to undo: no user was exposed",
        cost="twice the computing",
        concludes="whether the new release answers as the old one does, as fast, without more errors",
        cannot=(
            "what users do with the answers: revenue, feedback, caches that fill, writes (which must be stubbed); "
            "so it promotes to a canary, never to everybody"
        ),
        choose="answers can be compared request by request, as those of models can",
    )

    def _check(self) -> None:
        for name in ("cluster", "side_effect"):
            if getattr(self, name) is not None:
                _check.text(name, getattr(self, name))
        if self.suffixes is not None:
            object.__setattr__(self, "suffixes", _checked_suffixes(self.suffixes))

    def preset(self) -> Mapping[str, Any]:
        """The monitor; and where a row has every release, that a row is a unit."""
        wide = {"unit": ROWS, "variant": "release"} if self.suffixes else {}
        return {"monitor": AnytimeValid(), **wide}

    def check_plan(self, plan: Experiment) -> None:
        """Metrics are paired, and the control is one of the releases."""
        unpaired = [name for name, metric in plan.metrics.items() if not metric.pairs]
        if unpaired:
            raise ValueError(
                f"`metrics` of a shadow must be paired, such as Paired, PairedProportion and Disagreement; "
                f"{unpaired[0]!r} is not."
            )
        if self.suffixes is not None and plan.control not in self.suffixes:
            raise ValueError(
                f"`strategy.suffixes` must name the control {plan.control!r}; got {', '.join(self.suffixes)}."
            )
        if self.cluster is not None and any(getattr(metric, "denominator", None) for metric in plan.metrics.values()):
            raise ValueError("`strategy.cluster` must not be given with a `denominator`: clusters have rows as theirs.")
        if self.suffixes is not None and plan.allocation is not None:
            raise ValueError("`allocation` must not be given with `strategy.suffixes`, which name the variants.")

    def sides(self) -> Sides:
        """How the log holds the pairs."""
        return Sides(self.suffixes, self.cluster, self.side_effect)


def _checked_suffixes(suffixes: object) -> Mapping[str, str]:
    if not isinstance(suffixes, Mapping):
        raise TypeError(f"`suffixes` must map variants to endings of column names; got {_check.show(suffixes)}.")
    found: dict[str, str] = {}
    for label, ending in suffixes.items():
        name = _check.text("suffixes", label_name(label))
        if not isinstance(ending, str):
            raise TypeError(f"`suffixes.{name}` must be text; got {_check.show(ending)}.")
        found[name] = ending
    if len(found) < 2:
        raise ValueError(f"`suffixes` must name at least two variants; got {', '.join(found) or 'none'}.")
    if len(set(found.values())) < len(found):
        raise ValueError("`suffixes` must differ from each other: two variants would have the same columns.")
    return MappingProxyType(found)
