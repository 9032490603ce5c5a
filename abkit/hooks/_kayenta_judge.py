"""Kayenta's remote judge: it fetches the series, and abkit judges them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.errors import PlanError
from abkit.evidence import run_test
from abkit.hooks._kayenta import JUDGE
from abkit.hooks._kayenta_request import MetricConfig, Pair, Settings, metrics_of, pairs_of, settings_of
from abkit.hooks._reply import Reply
from abkit.inference import series_caution, series_effect
from abkit.types import Alternative, Relative, Verdict

#: Share of the buckets that a canary may lack and the baseline has: it was given the same time.
MANY = 0.1


@dataclass(frozen=True, slots=True)
class Judged:
    """One metric's label with its reason; `verdict` is None where the metric does not count."""

    label: str
    reason: str
    verdict: Verdict | None
    numbers: Mapping[str, Any] | None = None
    shown: bool = False


def kayenta_judge(request: Mapping[str, Any]) -> Reply:
    """Kayenta's `POST /judge`: judges the series of a canary and its baseline (RemoteJudge-v1.0).

    Answers: is each metric of the canary within its margin of the baseline's, and may the release go on?

    Parameters
    ----------
    request : mapping
        Kayenta's RemoteJudgeRequest: `canaryConfig`, `scoreThresholds` and `metricSetPairList`. Of a metric's
        `analysisConfigurations.canary` it reads direction, nanStrategy, critical, muted, mustHaveData and effectSize
        (allowedIncrease, allowedDecrease as ratios of means: the margins). `canaryConfig.judge.judgeConfigurations` may
        hold `alpha` (0.05), `looks` (1: how many intervals are judged) and `margin` (a share, for metrics without an
        effectSize). `analysisConfigurations.abkit` may hold a metric's own `margin`, and `role: deterioration` for one
        that cannot be shown to be within a margin, such as rare errors.

    Returns
    -------
    Reply
        200 with a CanaryJudgeResult, or 422 with a reason where the request states no thresholds or no metrics, which
        fails the canary. A metric is High or Low where it is shown beyond its margin (or, without one, to have
        changed), Pass where it is shown within, and Nodata where neither is shown. The score is 0 if any metric that
        counts is High or Low, or had to have data and has none; 100 if no metric is in doubt and at least one is shown
        within a margin; and else between marginal and pass.

    Notes
    -----
    Each metric is tested by `series_test`, harm at alpha / (looks x metrics x sides), so that a harmless canary is
    failed at any look with probability alpha at most; being within a margin at alpha / looks, so that a canary with a
    metric beyond its margin passes at any look with probability alpha at most. What is missing is never within a
    margin: a metric without data, an error, or a tenth of the buckets missing holds the canary up. Not-a-number becomes
    zero only where nanStrategy is replace and the canary has other values. At the last interval Kayenta fails whatever
    has not passed.

    References
    ----------
    spinnaker/kayenta, RemoteJudgeRequest.java and CanaryJudgeResult.java at a69573b.

    Examples
    --------
    >>> import abkit as ab
    >>> latency = {"name": "latency", "groups": ["requests"], "analysisConfigurations": {"canary": {
    ...     "direction": "increase", "effectSize": {"allowedIncrease": 1.1}}}}
    >>> values = {"control": [30, 31, 29, 30, 32, 31, 29, 30] * 4, "experiment": [31, 31, 30, 29, 31, 30, 30, 31] * 4}
    >>> reply = ab.hooks.kayenta_judge({
    ...     "canaryConfig": {"metrics": [latency]},
    ...     "scoreThresholds": {"pass": 95, "marginal": 75},
    ...     "metricSetPairList": [{"name": "latency", "id": "a", "tags": {}, "values": values}],
    ... })
    >>> reply.body["score"]["score"], reply.body["results"][0]["classification"]
    (100.0, 'Pass')
    """
    try:
        settings = settings_of(request)
        configs, pairs = metrics_of(request, settings.margin), pairs_of(request)
    except PlanError as error:
        return Reply(422, {"error": "invalid request", "reason": _told(str(error))})
    return Reply(200, _result(settings, configs, pairs))


def _result(settings: Settings, configs: Mapping[str, MetricConfig], pairs: list[Pair]) -> dict[str, Any]:
    named = {pair.name for pair in pairs}
    every = [*pairs, *(Pair(name) for name in configs if name not in named)]
    unknown = MetricConfig("", problem="canaryConfig does not name this metric")
    of = [(configs.get(pair.name, unknown), pair) for pair in every]
    counted = sum(not config.muted for config, _ in of)
    judged = [_judged(config, pair, settings, max(counted, 1)) for config, pair in of]
    verdict = _verdict(judged)
    results = [_entry(config, pair, one) for (config, pair), one in zip(of, judged, strict=True)]
    return {
        "judgeName": JUDGE,
        "results": results,
        "groupScores": _groups(of, judged, settings),
        "score": settings.thresholds.to_dict(verdict, _sentence(verdict, every, judged)),
        "abkit": {
            "verdict": verdict,
            "alpha": settings.alpha,
            "looks": settings.looks,
            "guarantee": "one look" if settings.looks == 1 else "at scheduled looks",
        },
    }


def _judged(config: MetricConfig, pair: Pair, settings: Settings, metrics: int) -> Judged:
    """A metric's label; one that is muted has the same label and no verdict."""
    judged = _label(config, pair, settings, metrics)
    return Judged(judged.label, judged.reason, None, judged.numbers) if config.muted else judged


def _label(config: MetricConfig, pair: Pair, settings: Settings, metrics: int) -> Judged:
    problem = config.problem or pair.problem
    if problem:
        return Judged("Error", problem, "continue")
    series = _filled(config, pair)
    absent = [side for side, values in zip(("baseline", "canary"), series, strict=True) if np.isnan(values).all()]
    if absent:
        reason = f"the {' and the '.join(absent)} has no data"
        if config.must_have_data:
            return Judged("NodataFailMetric", reason, "rollback")
        return Judged("Nodata", reason, "continue")
    try:
        return _tested(config, pair, series, settings, metrics)
    except ValueError as error:
        return Judged("Error", str(error), "continue")


def _filled(config: MetricConfig, pair: Pair) -> tuple[Float64Array, Float64Array]:
    """Both series as long as the longer; what is missing is nan, or zero where it came as nan and is declared zero.

    A canary without a single value is dead and not at zero, whatever the configuration says.
    """
    buckets = max(pair.control.size, pair.experiment.size)
    control, experiment = pair.control, pair.experiment
    if config.replace and not np.isnan(experiment).all():
        control, experiment = np.nan_to_num(control, nan=0.0), np.nan_to_num(experiment, nan=0.0)
        control = control if control.size else np.zeros(buckets)
    padded = [np.concatenate([values, np.full(buckets - values.size, np.nan)]) for values in (control, experiment)]
    return padded[0], padded[1]


def _tested(
    config: MetricConfig, pair: Pair, series: tuple[Float64Array, Float64Array], settings: Settings, metrics: int
) -> Judged:
    """A metric's label from its two series: harm first, then doubt about the data, then its margins."""
    effect = series_effect(*series, missing="drop")
    result = run_test("series", effect, "two-sided", 0.0)
    sides: tuple[Alternative, ...] = ("greater", "less") if config.direction == "either" else (_SIDE[config.direction],)
    given = {"greater": config.up, "less": config.down}
    margins = {side: 0.0 if config.deterioration else given[side] or 0.0 for side in sides}
    numbers = {"estimate": _finite(result.estimate), "method": result.scale, "margin": margins}
    doubt = _doubt(pair, *series) or series_caution(effect)
    if result.reason:
        same = not doubt and not effect.short and bool((series[0] == series[1]).all())
        return _unmoved(result.reason, numbers) if same and not any(margins.values()) else _open(result.reason, numbers)
    alarm = settings.alpha / (settings.looks * metrics * len(sides))
    for side in sides:
        pvalue = result.with_null(_edge(side, margins[side]), side).pvalue
        if pvalue <= alarm:
            return Judged(_HARM[side], _beyond(side, margins[side], pvalue, alarm), "rollback", numbers)
    if doubt:
        return _open(doubt, numbers)
    inside = [result.with_null(_edge(side, margin), _OTHER[side]) for side, margin in margins.items() if margin]
    return _within([one.pvalue <= settings.alpha / settings.looks for one in inside], numbers)


def _edge(side: Alternative, margin: float) -> Relative:
    return Relative(margin if side == "greater" else -margin)


def _open(why: str, numbers: Mapping[str, Any]) -> Judged:
    return Judged("Nodata", f"inconclusive: {why}", "continue", numbers)


def _unmoved(why: str, numbers: Mapping[str, Any]) -> Judged:
    return Judged("Pass", f"the canary and the baseline are the same in every bucket ({why})", "promote", numbers)


def _within(shown: list[bool], numbers: Mapping[str, Any]) -> Judged:
    """Pass where every margin is shown to be kept; without a margin there is nothing to be shown."""
    if not shown:
        reason = "no harm is shown; without a margin it cannot be shown to be harmless"
        return Judged("Pass", reason, "promote", numbers)
    if all(shown):
        return Judged("Pass", "shown to be within its margin of the baseline", "promote", numbers, shown=True)
    return _open("shown neither within its margin nor beyond it", numbers)


_SIDE: dict[str, Alternative] = {"increase": "greater", "decrease": "less"}
_OTHER: dict[str, Alternative] = {"greater": "less", "less": "greater"}
_HARM = {"greater": "High", "less": "Low"}


def _beyond(side: str, margin: float, pvalue: float, alpha: float) -> str:
    where = "above" if side == "greater" else "below"
    by = f"more than {margin:.4g} of it {where}" if margin else where
    return f"the canary is {by} the baseline (p = {pvalue:.3g}, alarms at {alpha:.3g})"


def _doubt(pair: Pair, control: Float64Array, experiment: Float64Array) -> str | None:
    """Why the data, though they could be tested, cannot show that a canary is harmless."""
    if pair.control.size == 0 or np.isnan(pair.control).all():
        return "the baseline has no value of its own"
    if (np.nanmin(control) < 0) != (np.nanmin(experiment) < 0):
        return "only one of the two series has values below zero"
    lost = _present(pair.control) - _present(pair.experiment)
    if lost > MANY * control.size:
        return f"the canary has {lost} values fewer than the baseline"
    return None


def _present(values: Float64Array) -> int:
    return int(np.count_nonzero(~np.isnan(values)))


def _verdict(judged: Iterable[Judged]) -> Verdict:
    found = [one for one in judged if one.verdict]
    if any(one.verdict == "rollback" for one in found):
        return "rollback"
    if any(one.shown for one in found) and all(one.verdict == "promote" for one in found):
        return "promote"
    return "continue"


def _sentence(verdict: Verdict, pairs: list[Pair], judged: list[Judged]) -> str:
    told = [(pair.name, one) for pair, one in zip(pairs, judged, strict=True) if one.verdict == verdict != "promote"]
    if told:
        return _told("; ".join(f"{name}: {one.reason}" for name, one in told[:5]))
    if verdict == "promote":
        return "every metric that counts passes, and those with a margin are shown to be within it"
    return "no metric that counts has a margin: set effectSize, or margin among the judgeConfigurations"


def _groups(of: list[tuple[MetricConfig, Pair]], judged: list[Judged], settings: Settings) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for config, _ in of for name in (config.groups or ("all",)))
    scores = []
    for name in names:
        members = [one for (config, _), one in zip(of, judged, strict=True) if name in (config.groups or ("all",))]
        verdict = _verdict(members) if any(one.verdict for one in members) else "continue"
        scores.append({"name": _clean(name), **settings.thresholds.to_dict(verdict, "")})
    return scores


def _entry(config: MetricConfig, pair: Pair, judged: Judged) -> dict[str, Any]:
    control, experiment = _stats(pair.control), _stats(pair.experiment)
    above, below = experiment["mean"], control["mean"]
    ratio = _finite(above / below) if above is not None and below else None
    return {
        "name": _clean(pair.name),
        "id": _clean(pair.id),
        "tags": {_clean(key): _clean(value) for key, value in pair.tags.items()},
        "classification": judged.label,
        "classificationReason": _told(judged.reason),
        "groups": [_clean(group) for group in config.groups],
        "experimentMetadata": {"stats": experiment},
        "controlMetadata": {"stats": control},
        "resultMetadata": {"ratio": ratio, **(judged.numbers or {})},
        "critical": config.critical,
        "muted": config.muted,
    }


def _stats(values: Float64Array) -> dict[str, Any]:
    """Kayenta reads the count of the control's, and warns below 50."""
    present = values[~np.isnan(values)]
    if not present.size:
        return {"count": 0, "min": None, "max": None, "mean": None, "std": None}
    spread = float(present.std(ddof=1)) if present.size > 1 else 0.0
    low, high, mean = float(present.min()), float(present.max()), float(present.mean())
    return {"count": int(present.size), "min": low, "max": high, "mean": mean, "std": _finite(spread)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _told(reason: str) -> str:
    """A reason, which may quote what came, without a word that a reader could take for a number."""
    return _clean(reason).replace("NaN", "not-a-number")


def _clean(text: str) -> str:
    """Text that UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()
