"""What the world may do to a plan: effects, noise, and faults of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType

from abkit import _check
from abkit.errors import PlanError
from abkit.experiment import Experiment, as_experiment
from abkit.planning._rule import weights_of

SPARSE_EVENTS = 20.0
#: Batches of units whose noise may depend on that of the batch before.
BATCHES = 20
BENEFITS = (-1.0, -0.5, 0.5, 1.0, 1.5)
HARMS = (-0.5, -1.0, -1.5)


@dataclass(frozen=True)
class Scenario:
    """One state of the world in which a plan is run many times.

    Parameters
    ----------
    name : str
        What the row of the table is called.
    effects : mapping of metric to float
        The true effect of every treatment, signed so that + is better: 1 is a success metric's (or a deterioration
        metric's) smallest effect worth detecting, -1 of a guardrail exactly its margin. Metrics that are not named
        have none.
    correlation : float
        Of the noise of any two metrics of a unit, both taken so that + is better. Above -1 and below 1.
    autocorrelation : float
        Of the noise of each variant in successive twentieths of the units: the tests take units as independent, and
        what they say of their errors is then too small. At least 0, below 1.
    ramp : sequence of float, optional
        The treated share of all units in stages of equal size, one after the other. By default the plan's share.
    drift : float
        How far every metric moves in all variants alike from the first unit to the last, in the unit of `effects`.
    allocation : mapping of variant to weight, optional
        The shares that variants really get. By default those of the plan.
    events : float, optional
        How many units of the control have an event by the last look, where every metric is a proportion of units with
        an event. Above 0; at most half of the units.
    missing : str, optional
        A variant that never reaches the log.
    late : float
        The share of units whose outcomes reach the log one look after the unit does. At least 0, below 1.
    duplicates : float
        The share of rows that are logged twice. At least 0, below 1.
    contaminated : float
        The share of units that are seen in two variants. At least 0, below 1.

    Raises
    ------
    ValueError, TypeError
        A field outside its domain.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.simulate.Scenario("twice the planned gain, but slower", {"revenue": 2.0, "latency": -0.5}).drift
    0.0
    """

    name: str
    effects: Mapping[str, float] = field(default_factory=dict)
    correlation: float = 0.0
    autocorrelation: float = 0.0
    ramp: Sequence[float] | None = None
    drift: float = 0.0
    allocation: Mapping[str, float] | None = None
    events: float | None = None
    missing: str | None = None
    late: float = 0.0
    duplicates: float = 0.0
    contaminated: float = 0.0

    def __post_init__(self) -> None:
        _check.text("name", self.name)
        values: dict[str, object] = {
            "effects": _numbers("effects", self.effects),
            "correlation": _check.within("correlation", self.correlation, -1, 1),
            "drift": _check.number("drift", self.drift),
            "ramp": _ramp(self.ramp),
            "allocation": _weights(self.allocation),
        }
        for name in ("autocorrelation", "late", "duplicates", "contaminated"):
            values[name] = _share(name, getattr(self, name))
        if self.events is not None:
            values["events"] = _check.within("events", self.events, 0, float("inf"))
        if self.missing is not None:
            _check.text("missing", self.missing)
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check_events()

    def _check_events(self) -> None:
        """Events are drawn from the planned units of each variant; nothing else of the world changes."""
        for other in fields(self):
            given = getattr(self, other.name)
            if self.events is not None and other.name not in ("name", "effects", "events") and given:
                raise ValueError(f"`{other.name}` must be left out beside `events`; got {_check.show(given)}.")

    @property
    def on_logs(self) -> bool:
        """Whether the joint distribution of independent increments cannot show it."""
        faults = (self.late, self.duplicates, self.contaminated, self.autocorrelation)
        return self.events is not None or self.missing is not None or any(faults)

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("effects", "allocation"):
            values[name] = None if values[name] is None else dict(values[name])
        return {**values, "ramp": None if self.ramp is None else list(self.ramp)}

    def __reduce__(self) -> tuple[type[Scenario], tuple[object, ...]]:
        return Scenario, tuple(self.to_dict().values())

    def check(self, plan: Experiment) -> None:
        """Refuse metrics and variants that the plan does not have."""
        variants = tuple(allocation_of(plan))
        for name in self.effects:
            _known(self.name, "effects", name, tuple(plan.metrics))
        for name in (*(self.allocation or ()), *([self.missing] if self.missing else [])):
            _known(self.name, "missing" if name == self.missing else "allocation", name, variants)
        if self.allocation is not None and set(self.allocation) != set(variants):
            raise PlanError(f"`allocation` of {self.name!r} must name every variant: {', '.join(variants)}.")
        least = -1 / max(len(plan.metrics) - 1, 1)
        if not self.correlation >= least:
            raise PlanError(
                f"`correlation` of {self.name!r} must be at least {least:.3g} between {len(plan.metrics)} metrics; "
                f"got {self.correlation:g}."
            )


def allocation_of(plan: Experiment) -> dict[str, float]:
    """The planned share of each variant, the control first; of a plan that names none, half for one treatment."""
    weights = weights_of(plan)
    total = sum(weights.values())
    return {variant: weight / total for variant, weight in weights.items()}


def default_scenarios(plan: object) -> tuple[Scenario, ...]:
    """The scenarios in which every plan should be seen.

    Answers: what happens without an effect, at each margin, over harms and benefits, and when the data go wrong?

    Parameters
    ----------
    plan : Experiment, dict, or path of a plan file
        Its metrics and variants are those of the scenarios.

    Returns
    -------
    tuple of Scenario

    Examples
    --------
    >>> import abkit as ab
    >>> plan = ab.Experiment(unit="user", variant="variant", control="old", metrics={
    ...     "revenue": ab.Mean("revenue"), "errors": ab.Mean("errors", role="guardrail", margin=0.1)})
    >>> [scenario.name for scenario in ab.simulate.default_scenarios(plan)][:3]
    ['no effect', 'errors at its margin', 'all just harmless']
    """
    experiment = as_experiment(plan)
    experiment.require_randomised("a scenario")
    listed = (
        Scenario("no effect"),
        *_at_margins(experiment),
        *_grid(experiment),
        *_noise(experiment),
        *_faults(experiment),
    )
    worlds = [{**scenario.to_dict(), "name": ""} for scenario in listed]  # a small plan has some of them twice
    return tuple(scenario for i, scenario in enumerate(listed) if worlds.index(worlds[i]) == i)


def _roles(plan: Experiment, *roles: str) -> list[str]:
    return [name for name, metric in plan.metrics.items() if metric.role in roles]


def _gain(plan: Experiment, size: float = 1.0) -> dict[str, float]:
    return dict.fromkeys(_roles(plan, "success"), size)


def _at_margins(plan: Experiment) -> list[Scenario]:
    """Releases that would be promoted but for the one guardrail, and the least favourable of all harmless ones."""
    guardrails = _roles(plan, "guardrail")
    each = [Scenario(f"{name} at its margin", {**_gain(plan), name: -1.0}) for name in guardrails]
    return each + [Scenario("all just harmless", dict.fromkeys(guardrails, -1.0))] * bool(guardrails)


def _grid(plan: Experiment) -> list[Scenario]:
    """Gains of all success metrics at once; harms of all the others at once, beside the planned gain."""
    others = _roles(plan, "guardrail", "deterioration")
    gains = [Scenario(f"success {size:+g}", _gain(plan, size)) for size in BENEFITS if _gain(plan)]
    harms = [Scenario(f"harm {size:+g}", {**_gain(plan), **dict.fromkeys(others, size)}) for size in HARMS if others]
    return gains + harms


def _noise(plan: Experiment) -> list[Scenario]:
    treated = 1 - allocation_of(plan)[plan.control]
    ramp = tuple(treated * stage for stage in (0.1, 0.5, 1.0))
    found = [Scenario("autocorrelated noise", autocorrelation=0.5)]
    if len(plan.metrics) > 1:
        found = [Scenario("correlated metrics", correlation=0.5), *found]
    ways = () if _pairs(plan) else (("better", 1.0), ("worse", -1.0))
    return [*found, *(Scenario(f"ramp, all get {way}", ramp=ramp, drift=size) for way, size in ways)]


def _faults(plan: Experiment) -> list[Scenario]:
    shares, gain = allocation_of(plan), _gain(plan)
    first = next(variant for variant in shares if variant != plan.control)
    skewed = {**shares, first: 0.9 * shares[first]}
    assigned = [
        Scenario("sample-ratio mismatch", gain, allocation=skewed),
        Scenario("units in two variants", gain, contaminated=min(2 * plan.quality.contaminated, 0.9) or 0.02),
    ]
    return [
        Scenario("sparse counts", events=SPARSE_EVENTS),
        Scenario("missing variant", gain, missing=first),
        Scenario("late data", gain, late=0.2),
        Scenario("duplicate rows", gain, duplicates=0.05),
        *([] if _pairs(plan) else assigned),
    ]


def _pairs(plan: Experiment) -> bool:
    """Whether units are seen under every variant, so that nobody assigns them."""
    return any(metric.pairs for metric in plan.metrics.values())


def _known(scenario: str, argument: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise PlanError(
            f"`{argument}` of {scenario!r} must be among {', '.join(known)}; got {name!r}.{_check.suggest(name, known)}"
        )


def _share(name: str, value: object) -> float:
    share = _check.at_least(name, value, 0)
    if not share < 1:
        raise ValueError(f"`{name}` must be below 1; got {share:g}.")
    return share


def _numbers(name: str, value: object) -> Mapping[str, float]:
    if not isinstance(value, Mapping):
        raise TypeError(f"`{name}` must map metrics to effects; got {_check.show(value)}.")
    return MappingProxyType({_check.text(name, key): _check.number(f"{name}.{key}", e) for key, e in value.items()})


def _weights(value: object) -> Mapping[str, float] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError(f"`allocation` must map variants to weights; got {_check.show(value)}.")
    weights = {
        _check.text("allocation", key): _check.at_least(f"allocation.{key}", weight, 0) for key, weight in value.items()
    }
    if not sum(weights.values()) > 0:
        raise ValueError("`allocation` must have a weight above 0.")
    return MappingProxyType(weights)


def _ramp(value: object) -> tuple[float, ...] | None:
    if value is None:
        return None
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise TypeError(f"`ramp` must be a list of shares; got {_check.show(value)}.")
    if not value:
        raise ValueError("`ramp` must have at least one stage.")
    return tuple(_check.within("ramp", share, 0, 1) for share in value)
