"""Two experiments from log to verdict: real published counts, and a simulated log whose truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import abkit as ab

if TYPE_CHECKING:
    import pandas as pd

#: MineThatData e-mail challenge (Hillstrom 2008): customers and visits within two weeks, from its public file.
EMAIL_VISITS = {
    "no e-mail": ab.Counts(n=21_306, successes=2_262),
    "women's e-mail": ab.Counts(n=21_387, successes=3_238),
    "men's e-mail": ab.Counts(n=21_307, successes=3_894),
}
USERS, SEED = 40_000, 20_260
TRUE_LIFT, TRUE_SLOWDOWN = 0.05, 0.01


def show() -> None:
    """Print both."""
    print("1. A real experiment, from its published counts: did e-mail bring visits?\n")
    _published_counts()
    print(
        f"\n2. A simulated log of {USERS:,} users, several sessions each, analysed by DuckDB.\n"
        f"   The truth: revenue {TRUE_LIFT:+.0%}, load time {TRUE_SLOWDOWN:+.0%} (tolerated: +3%); some sessions were\n"
        "   logged twice, and some users saw both variants.\n"
    )
    experiment, log = simulated()
    report = experiment.analyze(log)
    print(report)
    print()
    print(ab.decide(experiment, report))
    print(
        "\nWhere to go next: write a plan file (examples/ has some; `abkit schema plan` lists every field), then\n"
        "   abkit analyze plan.yaml log.parquet\n"
        "   abkit decide plan.yaml log.parquet --format json\n"
        "or in Python: ab.Experiment(...).analyze(log), with a table of any engine. Guides: docs/."
    )


def simulated() -> tuple[ab.Experiment, pd.DataFrame]:
    """The second experiment's plan and log; the same at every call."""
    experiment = ab.Experiment(
        unit="user",
        variant="variant",
        control="control",
        metrics={
            "revenue": ab.Mean("revenue", covariates="revenue_before"),
            "load time": ab.Ratio("load_ms", ab.ROWS, role="guardrail", direction="decrease", margin=ab.relative(0.03)),
        },
        allocation={"control": 1, "new checkout": 1},
        key="session",
    )
    return experiment, _log(np.random.default_rng(SEED))


def _published_counts() -> None:
    control = EMAIL_VISITS["no e-mail"]
    print(f"  {'no e-mail':<16} {control.successes / control.n:6.2%} of {control.n:,} customers came")
    for name in ("women's e-mail", "men's e-mail"):
        counts = EMAIL_VISITS[name]
        result = ab.proportion_test(control, counts)
        low, high = result.interval(0.95)  # type: ignore[misc]
        print(
            f"  {name:<16} {result.treatment:6.2%} of {counts.n:,} came: {result.estimate:+.2%} "
            f"[{low:+.2%}, {high:+.2%}], p = {result.pvalue:.2g}"
        )
    srm = ab.srm_test([int(counts.n) for counts in EMAIL_VISITS.values()])
    print(f"  the split was fair: thirds were meant, p = {srm.pvalue:.2f}")


def _log(rng: np.random.Generator) -> pd.DataFrame:
    import pandas as pd

    treated = rng.random(USERS) < 0.5
    taste = rng.gamma(4.0, 5.0, USERS)
    user = np.repeat(np.arange(USERS), 1 + rng.poisson(2.0, USERS))
    size = len(user)
    lift = np.where(treated, 1 + TRUE_LIFT, 1.0)
    log: dict[str, Any] = {
        "session": np.arange(size),
        "user": user,
        "variant": np.where(treated, "new checkout", "control")[user],
        "revenue": (taste * lift)[user] * rng.gamma(2.0, 0.5, size),
        "revenue_before": (taste * rng.gamma(8.0, 1 / 8, USERS))[user],
        "load_ms": 800 * np.where(treated, 1 + TRUE_SLOWDOWN, 1.0)[user] * rng.lognormal(0, 0.4, size),
    }
    crossed = rng.choice(size, 60, replace=False)
    log["variant"] = log["variant"].astype(object)
    log["variant"][crossed] = np.where(log["variant"][crossed] == "control", "new checkout", "control")
    frame = pd.DataFrame(log)
    return pd.concat([frame, frame.iloc[rng.choice(size, 500, replace=False)]], ignore_index=True)
