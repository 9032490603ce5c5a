"""Peeking at 78 real experiments: which looked significant on the way and ended otherwise.

    python examples/asos.py asos_digital_experiments.parquet
    python examples/asos.py asos_digital_experiments.parquet --plot peeking.svg

The file is the ASOS Digital Experiments Dataset (Liu, Cardoso, Couturier and McCoy 2021, CC BY 4.0): 99 treatments with
four metrics each, as daily or half-daily checkpoints of counts, means and variances. It is not part of abkit; without
it the script says so. The page docs/guides/peeking.md explains what is printed.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

import abkit as ab

DATA = Path(__file__).parents[2] / "shared" / "data" / "asos_digital_experiments.parquet"
SERIES = ["experiment_id", "variant_id", "metric_id"]
ALPHA, TUNE_AT = 0.05, 1_000_000  # a round number, chosen before any of the data were seen
CRITICAL = 1.959964


@dataclass(frozen=True)
class Series:
    """One metric of one treatment through time."""

    name: tuple[str, int, int]
    days: np.ndarray
    estimate: np.ndarray
    stderr: np.ndarray
    control: np.ndarray
    sequence: ab.ConfidenceSequence

    @property
    def fixed(self) -> np.ndarray:
        """Whether a test that is meant for one look rejects at each."""
        return np.abs(self.estimate / self.stderr) > CRITICAL

    @property
    def anytime(self) -> np.ndarray:
        """Whether the confidence sequence excludes no effect at each look."""
        return (self.sequence.low > 0) | (self.sequence.high < 0)


def checkpoints(path: Path) -> pd.DataFrame:
    """All checkpoints but those whose counts fall below earlier ones, which cumulative counts cannot."""
    log = duckdb.sql(f"from '{path}' order by {', '.join(SERIES)}, time_since_start").df()
    counts = log[["count_c", "count_t"]]
    return log[(counts >= counts.groupby([log[key] for key in SERIES]).cummax()).all(axis=1)]


def all_series(log: pd.DataFrame) -> list[Series]:
    """Every metric of every treatment that has a variance at two units or more of each variant."""
    usable = log[(log[["count_c", "count_t"]] > 1).all(axis=1) & log["variance_c"].notna() & log["variance_t"].notna()]
    usable = usable[usable["variance_c"] + usable["variance_t"] > 0]
    return [one_series(name, looks) for name, looks in usable.groupby(SERIES)]


def one_series(name: tuple[str, int, int], looks: pd.DataFrame) -> Series:
    difference = (looks["mean_t"] - looks["mean_c"]).to_numpy()
    stderr = np.sqrt(looks["variance_c"] / looks["count_c"] + looks["variance_t"] / looks["count_t"]).to_numpy()
    units = (looks["count_c"] + looks["count_t"]).to_numpy().astype(np.int64)
    sequence = ab.asymptotic_sequence(difference, stderr, units, alpha=ALPHA, tune_at=TUNE_AT)
    return Series(name, looks["time_since_start"].to_numpy(), difference, stderr, looks["mean_c"].to_numpy(), sequence)


def report(series: list[Series]) -> None:
    """How many were significant at some look, and how many at the last."""
    print(f"{len(series)} series with variances, {sum(len(s.days) for s in series):,} looks\n")
    print("metric  series   fixed: at some look  at the last   anytime: at some look  at the last")
    for metric in (*sorted({s.name[2] for s in series}), "all"):
        chosen = [s for s in series if metric in (s.name[2], "all")]
        counts = [sum(map(bool, of)) for of in answers(chosen)]
        print(f"{metric!s:>6}  {len(chosen):6}  {counts[0]:20}  {counts[1]:11}  {counts[2]:22}  {counts[3]:11}")
    turned = [s for s in series if s.fixed.any() and not s.fixed[-1]]
    quiet = [s for s in turned if not s.anytime.any()]
    back = [s for s in series if s.anytime.any() and not s.anytime[-1]]
    empty = [s for s in back if (running := s.sequence.running)[0][-1] > running[1][-1]]
    print(f"\n{len(turned)} looked significant at some look and ended otherwise: {len(quiet)} of them never did to the")
    print("sequence.")
    print(f"{len(back)} were significant to the sequence at some look and not at the last: in {len(empty)} of them no")
    print("constant effect agrees with all looks.")
    print("\nthe longest significant among those that never were to the sequence:")
    for s in sorted(quiet, key=lambda s: -int(s.fixed.sum()))[:5]:
        z = s.estimate[-1] / s.stderr[-1]
        print(f"  {label(s)}: at {s.fixed.sum()} of {len(s.days)} looks, z = {z:.2f} at the last")


def answers(series: list[Series]) -> list[list[bool]]:
    """Fixed at some look and at the last, then the same of the sequence."""
    both = ([s.fixed for s in series], [s.anytime for s in series])
    return [[found.any() if some else found[-1] for found in looks] for looks in both for some in (True, False)]


def label(series: Series) -> str:
    experiment, variant, metric = series.name
    return f"{experiment}, variant {variant}, metric {metric}"


def mismatches(log: pd.DataFrame) -> None:
    """Treatments whose numbers of units are not half of both variants', at any look."""
    print("\nsample-ratio mismatch against equal shares, alpha 0.001 at any time:")
    one_metric = log[log["metric_id"] == 1]
    for (experiment, variant), looks in one_metric.groupby(SERIES[:2]):
        counts = looks[["count_c", "count_t"]].to_numpy().astype(np.int64)
        found = ab.srm_sequence(counts)
        if found.first_mismatch is not None:
            day, share = looks["time_since_start"].iloc[found.first_mismatch], counts[-1, 1] / counts[-1].sum()
            size = found.log_pvalue()[-1] / math.log(10)
            print(f"  {experiment}, variant {variant}: share {share:.4f}, first seen on day {day:g}, p = 1e{size:.0f}")


def as_a_plan(log: pd.DataFrame, name: tuple[str, int, int]) -> None:
    """One series under a plan, with every checkpoint a look."""
    plan = ab.Experiment(
        unit="user",
        variant="variant",
        control="control",
        metrics={"metric": ab.Mean("value")},
        monitor=ab.AnytimeValid(ALPHA, tune_at=TUNE_AT),
    )
    rows = log.groupby(SERIES).get_group(name).drop(columns="metric_id")
    looks = ab.Checkpoints.from_wide(rows, time="time_since_start", n="count")
    print(f"\n{name[0]}, variant {name[1]}, metric {name[2]} as a plan:\n")
    print("\n".join(str(plan.trajectory(looks)).splitlines()[:3]))


def plot(series: list[Series], path: Path) -> None:
    """One series that turned, with both bands, and what became of all."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    mpl.rcParams |= {"svg.hashsalt": "abkit", "svg.fonttype": "none", "font.size": 10}
    from matplotlib import pyplot as plt  # noqa: PLC0415

    turned = [s for s in series if s.fixed.any() and not s.fixed[-1] and not s.anytime.any()]
    chosen = max(turned, key=lambda s: int(s.fixed.sum()))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=(3, 2), layout="constrained")
    percent, start = 100 / np.abs(chosen.control), 2
    for radius, colour, name in (
        (CRITICAL * chosen.stderr, "#d95f02", "95%, for one look"),
        (chosen.sequence.high - chosen.estimate, "#1b9e77", "95%, for all looks"),
    ):
        for sign in (-1, 1):
            ends = ((chosen.estimate + sign * radius) * percent)[start:]
            left.plot(chosen.days[start:], ends, color=colour, lw=1.5, label=name if sign > 0 else None)
    left.plot(chosen.days[start:], (chosen.estimate * percent)[start:], color="black", lw=1, label="difference")
    left.axhline(0, color="grey", lw=0.8)
    left.set(title=label(chosen), xlabel="days since the start", ylabel="difference, % of the control")
    left.legend(frameon=False)
    outcomes(right, series)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def outcomes(axes: object, series: list[Series]) -> None:
    """Bars: significant at the last look, only on the way, never."""
    for row, looks in enumerate(([s.anytime for s in series], [s.fixed for s in series])):
        at_last = sum(bool(found[-1]) for found in looks)
        on_the_way = sum(bool(found.any()) for found in looks) - at_last
        parts = (at_last, "#555555", "at the last look"), (on_the_way, "#bbbbbb", "only on the way")
        left = 0
        for size, colour, name in parts:
            axes.barh(row, size, left=left, color=colour, label=name if row == 0 else None)
            axes.text(
                left + size / 2, row, str(size), ha="center", va="center", color="white" if left == 0 else "black"
            )
            left += size
    axes.set(
        title=f"significant, of {len(series)} series", yticks=(0, 1), yticklabels=("for all looks", "for one look")
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")


def main() -> None:
    parser = argparse.ArgumentParser(description="Peeking at the ASOS Digital Experiments Dataset.")
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    if not arguments.data.exists():
        print(
            f"{arguments.data.name} is not there; it can be had from https://osf.io/64jsb/ (CC BY 4.0). Nothing to do."
        )
        return
    log = checkpoints(arguments.data)
    series = all_series(log)
    report(series)
    mismatches(log)
    as_a_plan(log, ("036afc", 2, 2))
    if arguments.plot:
        plot(series, arguments.plot)


if __name__ == "__main__":
    main()
