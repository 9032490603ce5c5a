"""What a plan's rule is: what a promotion takes, when the verdict may come, and what verdicts cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from abkit import _check, _times

AtDeadline = Literal["hold", "rollback", "noninferior"]
Tainted = Literal["rollback", "hold"]


@dataclass(frozen=True)
class AllOf:
    """All of these must be shown. No share of alpha is needed: a false promotion takes an error in each that is false.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.AllOf("latency", ab.AnyOf("orders", "revenue")).metrics()
    ('latency', 'orders', 'revenue')
    """

    nodes: tuple[Node, ...]

    def __init__(self, *nodes: Node) -> None:
        object.__setattr__(self, "nodes", _checked(nodes, "all"))

    def shares(self, share: float = 1.0) -> Iterator[tuple[str, float]]:
        """The share of alpha of every metric: each node has the whole."""
        yield from _shares(self.nodes, share)

    def holds(self, shown: Any) -> Any:
        """Whether the tree holds, given by metric what is shown: a truth value, or an array of them."""
        result = _holds(self.nodes[0], shown)
        for node in self.nodes[1:]:
            result = result & _holds(node, shown)
        return result

    def metrics(self) -> tuple[str, ...]:
        """The metrics that are named."""
        return tuple(dict.fromkeys(name for name, _ in self.shares()))


@dataclass(frozen=True)
class AnyOf:
    """One of these must be shown. They share alpha equally, so that the chance of any error is alpha (Bonferroni).

    Examples
    --------
    >>> import abkit as ab
    >>> dict(ab.AnyOf("orders", ab.AllOf("revenue", "latency")).shares())
    {'orders': 0.5, 'revenue': 0.5, 'latency': 0.5}
    """

    nodes: tuple[Node, ...]

    def __init__(self, *nodes: Node) -> None:
        object.__setattr__(self, "nodes", _checked(nodes, "any"))

    def shares(self, share: float = 1.0) -> Iterator[tuple[str, float]]:
        """The share of alpha of every metric: the nodes divide it."""
        yield from _shares(self.nodes, share / len(self.nodes))

    def holds(self, shown: Any) -> Any:
        """Whether the tree holds, given by metric what is shown: a truth value, or an array of them."""
        result = _holds(self.nodes[0], shown)
        for node in self.nodes[1:]:
            result = result | _holds(node, shown)
        return result

    def metrics(self) -> tuple[str, ...]:
        """The metrics that are named."""
        return tuple(dict.fromkeys(name for name, _ in self.shares()))


Node = str | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Costs:
    """What verdicts cost, in any one unit such as money; they are reported and do not change the verdict.

    Parameters
    ----------
    metric : str
        The metric whose effect is worth something.
    value : float
        What one unit of effect is worth for each unit (user, request) that meets the release, above 0.
    units : float
        How many units will meet the release, above 0.
    rollback : float
        What a rollback costs by itself, at least 0.
    delay : float
        What deciding later costs, at least 0.
    """

    metric: str
    value: float
    units: float
    rollback: float = 0.0
    delay: float = 0.0

    def __post_init__(self) -> None:
        _check.text("rule.costs.metric", self.metric)
        for name in ("value", "units"):
            size = _check.within(f"rule.costs.{name}", getattr(self, name), 0, float("inf"))
            object.__setattr__(self, name, size)
        for name in ("rollback", "delay"):
            object.__setattr__(self, name, _check.at_least(f"rule.costs.{name}", getattr(self, name), 0))


@dataclass(frozen=True, slots=True)
class Rule:
    """What is decided when.

    Parameters
    ----------
    promote : AllOf, AnyOf or str, optional
        What a promotion takes, as a tree over metrics: a success metric must be shown superior, a guardrail
        non-inferior. By default all guardrails and any success metric. Guardrails that the tree does not name must hold
        too. Deterioration and quality metrics are never in it: they can only roll back and block.
    alpha_rollback : float, optional
        The chance of ever rolling back a harmless release, shared equally by all metrics and treatments. By default
        each metric has half of the monitor's alpha, and the decision states the sum. Between 0 and 0.5.
    tainted : {"rollback", "hold"}
        What harm does where a check of the data failed: a release that crashes loses users, and what remains is out of
        ratio, so that by default harm counts all the same. With hold, broken data only block.
    costs : Costs, optional
        What verdicts cost.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Rule(promote=ab.AllOf("latency", ab.AnyOf("orders", "revenue"))).tainted
    'rollback'
    """

    promote: Node | None = None
    alpha_rollback: float | None = None
    tainted: Tainted = "rollback"
    costs: Costs | None = None

    def __post_init__(self) -> None:
        if self.promote is not None and not isinstance(self.promote, (AllOf, AnyOf)):
            object.__setattr__(self, "promote", AllOf(self.promote))
        if self.alpha_rollback is not None:
            alpha = _check.within("rule.alpha_rollback", self.alpha_rollback, 0, 0.5)
            object.__setattr__(self, "alpha_rollback", alpha)
        _check.choice("rule.tainted", self.tainted, ("rollback", "hold"))
        if self.costs is not None and not isinstance(self.costs, Costs):
            raise TypeError(f"`rule.costs` must be Costs(...); got {_check.show(self.costs)}.")

    def filled(self, preset: Rule) -> Rule:
        """The rule, with the preset's fields where it leaves them out."""
        left_out = {f.name: getattr(preset, f.name) for f in fields(self) if getattr(self, f.name) == f.default}
        return replace(self, **left_out)


@dataclass(frozen=True, slots=True)
class Timing:
    """When a verdict may come, and what happens if none does.

    Parameters
    ----------
    start : str or datetime, optional
        When the release began; by default the time of the log's first row. Without a zone, in UTC.
    min_time : str or timedelta, optional
        How long it must run before anything is promoted: "1d". A rollback does not wait.
    min_units : int
        How many units each variant must have before anything is promoted.
    every : str or timedelta, optional
        How far looks should be apart.
    deadline : str or timedelta, optional
        How long it may run.
    at_deadline : {"hold", "rollback", "noninferior"}
        What then happens without a verdict: a person must look; the release is rolled back; or it is promoted if every
        guardrail is shown to be within its margin, and else a person must look.
    stale : str or timedelta, optional
        How old the newest row may be; older, or in the future, and the data count as broken.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Timing(min_time="24h", deadline="14d").min_time
    '1d'
    """

    start: str | None = None
    min_time: str | None = None
    min_units: int = 0
    every: str | None = None
    deadline: str | None = None
    at_deadline: AtDeadline = "hold"
    stale: str | None = None

    def __post_init__(self) -> None:
        if self.start is not None:
            object.__setattr__(self, "start", _times.moment_text("timing.start", self.start))
        for name in ("min_time", "every", "deadline", "stale"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _times.duration_text(f"timing.{name}", getattr(self, name)))
        object.__setattr__(self, "min_units", _check.count("timing.min_units", self.min_units))
        _check.choice("timing.at_deadline", self.at_deadline, ("hold", "rollback", "noninferior"))


def shares_of(tree: AllOf | AnyOf) -> dict[str, float]:
    """The share of alpha of every metric of a tree; of one that is named twice the smaller."""
    found: dict[str, float] = {}
    for name, share in tree.shares():
        found[name] = min(share, found.get(name, 1.0))
    return found


def _checked(nodes: Iterable[object], word: str) -> tuple[Any, ...]:
    listed = tuple(nodes)
    if not listed:
        raise ValueError(f"`{word}` must have at least one metric or node.")
    for node in listed:
        if not isinstance(node, (AllOf, AnyOf)):
            _check.text(word, node)
    return listed


def _shares(nodes: tuple[Node, ...], share: float) -> Iterator[tuple[str, float]]:
    for node in nodes:
        if isinstance(node, str):
            yield node, share
        else:
            yield from node.shares(share)


def _holds(node: Node, shown: Any) -> Any:
    return shown[node] if isinstance(node, str) else node.holds(shown)
