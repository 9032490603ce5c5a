"""The judge of series against a restatement of Kayenta's, on the same series; writes a part of the strategies page.

False alarms: two series of one level, 60 one-minute points each, judged once, and six times as the window grows from 10
to 60. Alarms: counts of rare errors that rise, and levels that shift.
"""

from __future__ import annotations

import math
import multiprocessing
import zlib
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from abkit._check import Float64Array
from abkit._sets import binomial_interval
from abkit.hooks import kayenta_judge
from tests.calibration._kayenta_judge import classify
from tests.calibration.strategies_page import write_section

RUNS = 4_000
PEER_RUNS = 500
MINUTES = 60
LOOKS = (10, 20, 30, 40, 50, 60)
ALPHA = 0.05


@dataclass(frozen=True)
class Scene:
    """Series of a baseline and a canary; `counts` are rates a minute, else levels shift by `shift` of their spread.

    Counts come in bursts of a geometric size with the mean `burst`.
    """

    persistence: float = 0.0
    shift: float = 0.0
    counts: tuple[float, float] | None = None
    looks: int = 1
    burst: float = 1.0

    @property
    def runs(self) -> int:
        return RUNS if self.harmless else RUNS // 4

    @property
    def harmless(self) -> bool:
        return self.shift == 0 if self.counts is None else self.counts[0] == self.counts[1]

    @property
    def text(self) -> str:
        if self.counts:
            bursts = f", in bursts of {self.burst:g}" if self.burst > 1 else ""
            return f"errors {self.counts[0]:g} to {self.counts[1]:g} a minute{bursts}"
        of = f"AR(1) {self.persistence:g}" if self.persistence else "independent"
        return f"{of}, level {'+' + format(self.shift, 'g') + ' sd' if self.shift else 'the same'}"


HARMLESS = [Scene(share, looks=looks) for looks in (1, 6) for share in (0.0, 0.5, 0.8, 0.9)]
HARMLESS += [
    Scene(counts=(rate, rate), looks=looks, burst=burst)
    for looks in (1, 6)
    for rate, burst in ((0.05, 1.0), (0.25, 1.0), (0.25, 3.0))
]
RISES = [Scene(counts=rates, looks=looks) for looks in (1, 6) for rates in ((0.05, 0.25), (0.02, 0.2), (0.05, 0.5))]
SHIFTS = [
    Scene(share, shift) for share, shift in ((0.0, 0.5), (0.0, 1.0), (0.8, 1.0), (0.8, 2.0), (0.8, 3.0), (0.8, 4.0))
]


def series(scene: Scene, runs: int, rng: np.random.Generator) -> Float64Array:
    """A baseline and a canary for each run."""
    if scene.counts:
        bursts = np.stack([rng.poisson(rate / scene.burst, (runs, MINUTES)) for rate in scene.counts], axis=1)
        more = rng.negative_binomial(np.maximum(bursts, 1), 1 / scene.burst) if scene.burst > 1 else 0
        return bursts + np.where(bursts > 0, more, 0.0)
    noise = rng.standard_normal((runs, 2, MINUTES))
    noise[..., 1:] *= math.sqrt(1 - scene.persistence**2)
    for minute in range(1, MINUTES):
        noise[..., minute] += scene.persistence * noise[..., minute - 1]
    return 100 + noise + scene.shift * np.array([0, 1])[:, None]


def request(scene: Scene, values: Float64Array) -> dict[str, object]:
    direction = "increase" if scene.counts else "either"
    metric = {"name": "m", "analysisConfigurations": {"canary": {"direction": direction}}}
    judge = {"judgeConfigurations": {"alpha": ALPHA, "looks": scene.looks}}
    control, experiment = values.tolist()
    return {
        "canaryConfig": {"metrics": [metric], "judge": judge},
        "scoreThresholds": {"pass": 95, "marginal": 75},
        "metricSetPairList": [{"name": "m", "values": {"control": control, "experiment": experiment}}],
    }


def ours(scene: Scene, values: Float64Array) -> bool:
    return kayenta_judge(request(scene, values)).body["abkit"]["verdict"] == "rollback"  # type: ignore[call-overload]


def theirs(scene: Scene, values: Float64Array) -> bool:
    return classify(values[0], values[1], "increase" if scene.counts else "either") != "Pass"


def alarms(scene: Scene) -> tuple[float, float]:
    """How often each judge alarms at any look: ours over all runs, the other over the first of them."""
    values = series(scene, scene.runs, np.random.default_rng(zlib.crc32(repr(scene).encode())))
    looks = LOOKS if scene.looks > 1 else (MINUTES,)
    shares = []
    for judge, runs in ((ours, scene.runs), (theirs, PEER_RUNS)):
        any_look = (any(judge(scene, one[:, :minutes]) for minutes in looks) for one in values[:runs])
        shares.append(sum(any_look) / runs)
    return shares[0], shares[1]


@pytest.mark.calibration
def test_the_judge_of_series_beats_the_one_it_replaces() -> None:
    scenes = [*HARMLESS, *RISES, *SHIFTS]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = dict(zip(scenes, pool.map(partial(alarms), scenes, chunksize=1), strict=True))
    tables = [HARMLESS_HEAD, *(line(scene, *found[scene]) for scene in HARMLESS)]
    tables += [HARM_HEAD, *(line(scene, *found[scene]) for scene in (*RISES, *SHIFTS))]
    write_section("kayenta", "\n".join(tables))
    for scene in HARMLESS:
        upper = binomial_interval(round(found[scene][0] * scene.runs), scene.runs, 0.98).high
        assert upper <= ALPHA + 0.005, (scene, found[scene])  # some 0.8 points are chance at 4,000 runs
    for scene in RISES:
        if scene.looks == 1:
            assert binomial_interval(round(found[scene][0] * scene.runs), scene.runs, 0.98).low > 0.5, scene
            assert found[scene][0] > found[scene][1]
    assert found[Scene(0.8)][1] > 0.2  # what is beaten
    assert found[Scene(0.8, looks=6)][1] > 0.5
    assert found[Scene(0.8, 4.0)][0] > 0.5  # and it is not beaten by silence


def line(scene: Scene, of_ours: float, of_theirs: float) -> str:
    return f"| {scene.text} | {scene.looks} | {of_theirs:.1%} | **{of_ours:.1%}** |"


HARMLESS_HEAD = f"""## Kayenta's judge and `kayenta_judge`

Two series of {MINUTES} one-minute points, judged once, or six times as the window grows from 10 to 60 minutes. The
other judge is a restatement of NetflixACAJudge; `kayenta_judge` shares an alpha of {ALPHA:g} among the looks that are
declared.
{RUNS:,} runs a line ({RUNS // 4:,} of harm), of which the other judge sees the first {PEER_RUNS:,}.

Alarms without any harm, at most {ALPHA:.0%} at all looks together:

| canary | looks | NetflixACAJudge | kayenta_judge |
|---|---|---|---|"""
HARM_HEAD = """
Alarms of harm. sd is that of one minute's value; at a persistence of 0.8 an hour is worth some 7 independent minutes,
and a shift of 1 sd is 1.8 standard errors even to who knows the persistence. That the other judge sees it more often is
its false alarms:

| canary | looks | NetflixACAJudge | kayenta_judge |
|---|---|---|---|"""
