"""Damage: no broken statistics or rows move a verdict towards promote, or bring what is no number into a reply."""

from __future__ import annotations

import warnings
import zlib

import numpy as np
import pytest

import abkit as ab
from tests.contracts import damaged_logs, damaged_statistics
from tests.contracts.damage import check_replies, decided, moved

#: Damages of each kind of statistics, and of each strategy's log; the calibration asks for more.
CASES, MOST = 10, 8


def seeded(*names: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(" ".join(names).encode()))


@pytest.mark.parametrize("name", [*damaged_statistics.DAMAGES, *damaged_statistics.ODD])
def test_damaged_statistics_move_no_verdict_towards_promote(name: str) -> None:
    rng, damages = seeded(name), {**damaged_statistics.DAMAGES, **damaged_statistics.ODD}
    for _ in range(CASES):
        case = damaged_statistics.generated(rng)
        damaged = damages[name](case, rng)
        before = decided(case.plan, case.log, now=case.now)
        after = decided(damaged.plan, damaged.log, now=damaged.now)
        check_replies(after)
        assert isinstance(before, ab.Decision)
        assert name in damaged_statistics.ODD or not moved(before, after), (case, damaged.log, str(after))
        if name == "shuffled":
            assert isinstance(after, ab.Decision)
            assert after.evidence_sha256 == before.evidence_sha256


@pytest.mark.parametrize("verdict", ["promote", "continue", "rollback"])
def test_every_verdict_is_among_the_undamaged(verdict: str) -> None:
    rng = seeded("undamaged")
    found = [damaged_statistics.generated(rng) for _ in range(60)]
    decisions = [decided(case.plan, case.log, now=case.now) for case in found]
    mine = [decision for decision in decisions if isinstance(decision, ab.Decision) and decision.verdict == verdict]
    assert len(mine) > 5
    assert not any(decision.blocked for decision in mine)
    for decision in mine[:5]:
        check_replies(decision)


@pytest.mark.parametrize("kind", damaged_logs.KINDS)
def test_damaged_rows_move_no_verdict_towards_promote(kind: str) -> None:
    rng = seeded(kind)
    case = damaged_logs.generated(kind, rng)
    before = decided(case.plan, case.log, **case.more)
    assert isinstance(before, ab.Decision)
    check_replies(before)
    damages = {**damaged_logs.DAMAGES, **damaged_logs.ODD}
    for name in damages if kind == "table" else ["shuffled", *rng.permutation(list(damages))[:MOST]]:
        damaged = damages[str(name)](case, rng)
        if damaged is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            after = decided(damaged.plan, damaged.log, **damaged.more)
        check_replies(after)
        assert name in damaged_logs.ODD or not moved(before, after), (name, str(before), str(after))
        assert name != "shuffled" or str(after) == str(before)


MANY = {"kind": "moments", "n": 400, "mean": 10.0, "m2": 1600.0}
ALL_ALIKE = {"kind": "moments", "n": 400, "mean": 10.4, "m2": 0.0}
NOTHING = {"kind": "moments", "n": 400, "mean": 0.0, "m2": 0.0}


@pytest.mark.parametrize(("treated", "failed"), [(ALL_ALIKE, ["constant:m"]), (NOTHING, []), (MANY, [])])
def test_one_value_in_all_units_of_one_variant_is_no_measurement(treated: object, failed: list[str]) -> None:
    plan = ab.Experiment(unit="u", variant="v", control="old", metrics={"m": ab.Mean("m")})
    decision = ab.decide(plan, {"old": {"m": MANY}, "new": {"m": treated}})
    assert [check.id for check in decision.checks if check.status != "pass"] == failed
    assert decision.verdict != "promote"


@pytest.mark.parametrize("size", [1e76, 1e300])
def test_statistics_beyond_all_quantities_are_refused(size: float) -> None:
    plan = ab.Experiment(unit="u", variant="v", control="old", metrics={"m": ab.Mean("m")})
    with pytest.raises(ab.DataError, match="at most 1e"):
        ab.decide(plan, {"old": {"m": MANY}, "new": {"m": {**MANY, "mean": 400 * size}}})
