"""What a plan really does: how often it promotes and rolls back, rightly and wrongly, and how long it takes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from abkit import _check
from abkit.decision import Risk
from abkit.experiment import Experiment
from abkit.simulate._rates import Average, Rate
from abkit.simulate._scenario import Scenario

SCHEMA = "abkit.operating-characteristics/1"


@dataclass(frozen=True, slots=True)
class Characteristics:
    """What a plan does in one scenario.

    Parameters
    ----------
    scenario : Scenario
    how : str
        "joint distribution" of the statistics; "sums of logs", drawn batch by batch; "counts of events", each different
        pair of which is tested by the plan's own test.
    runs : int
    promote, continued, rollback : Rate
        How experiments end; `continued` is without a verdict at the last look.
    blocked : Rate
        A check of the data failed at some look, so that a person must look.
    wrong_promote : Rate or None
        Promotions, where no success metric is better or a guardrail is at or beyond its margin, or where what the
        plan's own tree asks for is not so; else None.
    wrong_rollback : Rate or None
        Rollbacks, where no metric is worse (of a guardrail: by more than its margin); else None.
    looks, share : Average
        Looks, and the share of planned units, until the verdict, or until the last look where there is none.
    look_quantiles, share_quantiles : tuple of (float or None)
        By when 10%, 50% and 90% of all experiments had a verdict; None where fewer ever have one.
    units, treated : Average
        Exposed units: of all variants, and of the treatments.
    promoted_by, rolled_back_by : tuple of float
        The share of experiments that had ended so by each look.
    note : str or None
        What is particular about these runs.
    """

    scenario: Scenario
    how: str
    runs: int
    promote: Rate
    continued: Rate
    rollback: Rate
    blocked: Rate
    wrong_promote: Rate | None
    wrong_rollback: Rate | None
    looks: Average
    share: Average
    look_quantiles: tuple[float | None, ...]
    share_quantiles: tuple[float | None, ...]
    units: Average
    treated: Average
    promoted_by: tuple[float, ...]
    rolled_back_by: tuple[float, ...]
    note: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        values = {name: getattr(self, name) for name in ("how", "runs", "note", "look_quantiles", "share_quantiles")}
        rates = ("promote", "continued", "rollback", "blocked", "wrong_promote", "wrong_rollback")
        parts = {name: getattr(self, name) for name in (*rates, "looks", "share", "units", "treated")}
        return {
            "scenario": self.scenario.to_dict(),
            **{name: list(value) if isinstance(value, tuple) else value for name, value in values.items()},
            **{name: None if part is None else part.to_dict() for name, part in parts.items()},
            "promoted_by": list(self.promoted_by),
            "rolled_back_by": list(self.rolled_back_by),
        }


@dataclass(frozen=True, repr=False)
class OperatingCharacteristics:
    """What a plan does in each of several scenarios, beside what it states of its errors.

    Printed, it is a sentence, a table and notes. `save` writes a page with plots.

    Parameters
    ----------
    plan : Experiment
    rows : tuple of Characteristics
        One a scenario.
    units : tuple of int
        Of all variants, at each look.
    risk : Risk
        The bounds that a decision under this plan states: of useless releases that are promoted, and of harmless ones
        that are rolled back.
    power : float
        That for which the plan is taken to be sized.
    drifts : dict of metric to float
        The z that an effect of one unit gives on average at the last look.
    notes : tuple of str
        What was assumed.
    """

    plan: Experiment
    rows: tuple[Characteristics, ...]
    units: tuple[int, ...]
    risk: Risk
    power: float
    drifts: dict[str, float]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Characteristics:
        return self.row(name)

    def __iter__(self) -> Iterator[Characteristics]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, name: str) -> Characteristics:
        """What the plan does in the scenario of this name; `found[name]` is the same."""
        for row in self.rows:
            if row.scenario.name == name:
                return row
        known = [row.scenario.name for row in self.rows]
        raise KeyError(f"no scenario {name!r}; there are {', '.join(known)}.{_check.suggest(name, known)}")

    @property
    def excesses(self) -> tuple[tuple[str, str, Rate, float], ...]:
        """Where a wrong decision is surely more frequent than stated: scenario, decision, rate and statement."""
        found = []
        for row in self.rows:
            for what, rate, limit in (
                ("promote", row.wrong_promote, self.risk.false_promote_max),
                ("rollback", row.wrong_rollback, self.risk.false_rollback_max),
            ):
                if rate is not None and rate.surely_above(limit):
                    found.append((row.scenario.name, what, rate, limit))
        return tuple(found)

    def gains(self) -> list[tuple[float, Characteristics]]:
        """The scenarios that differ in the effect on all success metrics only, by that effect."""
        roles = self.plan.metrics.items()
        wanted = {name for name, metric in roles if metric.role == "success"}
        return self._grid(wanted, set())

    def harms(self) -> list[tuple[float, Characteristics]]:
        """Those that differ in the effect on all guardrails and deterioration metrics, beside the planned gain."""
        roles = self.plan.metrics.items()
        wanted = {name for name, metric in roles if metric.role in ("guardrail", "deterioration")}
        return self._grid(wanted, {name for name, metric in roles if metric.role == "success"})

    def _grid(self, moved: set[str], planned: set[str]) -> list[tuple[float, Characteristics]]:
        found = {}
        for row in self.rows:
            effects = {name: row.scenario.effects.get(name, 0.0) for name in self.plan.metrics}
            size = {effects[name] for name in moved}
            plain = row.scenario == Scenario(row.scenario.name, row.scenario.effects)
            gained = all(effects[name] == 1.0 for name in planned)
            others = any(effects[name] for name in effects if name not in moved | planned)
            if plain and gained and not others and len(size) == 1:
                found[size.pop()] = row
        return sorted(found.items(), key=lambda item: item[0])

    def described(self) -> dict[str, list[Any]]:
        """What the text says, in parts: sentences, the cells of the table, and how to read them."""
        from abkit.simulate import _text

        rows = [_text.HEADER, *(_text.cells(self, row) for row in self.rows)]
        return {
            "summary": list(_text.summary(self)),
            "warnings": list(_text.warnings(self)),
            "legend": list(_text.legend(self)),
            "table": rows,
        }

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "schema": SCHEMA,
            "plan_sha256": self.plan.sha256,
            "units": list(self.units),
            "power": self.power,
            "drifts": dict(self.drifts),
            "risk": asdict(self.risk),
            "rows": [row.to_dict() for row in self.rows],
            "excesses": [
                {"scenario": name, "decision": what, "rate": float(rate), "stated": limit}
                for name, what, rate, limit in self.excesses
            ],
            "notes": list(self.notes),
        }

    def to_json(self, indent: int | None = None) -> str:
        """Strict JSON; the same bytes for the same plan, arguments and state of the generator."""
        return json.dumps(self.to_dict(), allow_nan=False, indent=indent, ensure_ascii=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a page with the table and plots, of one file that needs no network."""
        from abkit.adapters._oc_page import write_page

        write_page(self, path)

    def __str__(self) -> str:
        from abkit.simulate._text import text

        return text(self)

    def __repr__(self) -> str:
        return str(self)
