"""One hierarchical model of the effects of all experiments in the ASOS Digital Experiments Dataset.

    python examples/asos_hierarchical.py [asos_digital_experiments.parquet] [--plot shrinkage.svg]

The data (Liu, Cardoso, Couturier and McCoy 2021, https://osf.io/64jsb/, CC BY 4.0) hold 78 real online experiments as
checkpoints of counts, means and variances. For each metric the last checkpoint of every treatment gives a relative
effect with its standard error, and one model says how much such effects differ, and what each is in that light. The
data are not part of abkit, and the model needs PyMC, ArviZ and nutpie; without either the script says so.
"""

import argparse
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

import abkit as ab

DATA = Path(__file__).parents[2] / "shared" / "data" / "asos_digital_experiments.parquet"
#: Heavy tails: most changes do little, and a few do much.
DF = 4.0
SEED = 64


def last_looks(path: Path) -> pd.DataFrame:
    """The last checkpoint of every series with a variance, as a relative effect in percent."""
    key = "experiment_id, variant_id, metric_id"
    log = duckdb.sql(
        f"from '{path}' where variance_c is not null and variance_t is not null "
        f"qualify row_number() over (partition by {key} order by time_since_start desc) = 1 order by {key}"
    ).df()
    log = log[(log["count_c"] > 1) & (log["count_t"] > 1) & (log["variance_c"] > 0) & (log["mean_c"] > 0)]
    ratio = log["mean_t"] / log["mean_c"]
    variance = log["variance_t"] / log["count_t"] + ratio**2 * log["variance_c"] / log["count_c"]
    name = log["experiment_id"] + ", " + log["variant_id"].astype(str)
    percent = {"estimate": 100 * (ratio - 1), "stderr": 100 * np.sqrt(variance) / log["mean_c"]}
    return pd.DataFrame({"metric": log["metric_id"], "name": name, **percent})


def report(metric: int, looks: pd.DataFrame) -> ab.bayes.HierarchicalFit:
    """What the effects of one metric are, and how they move."""
    fit = ab.bayes.hierarchical(
        looks, scale="relative", df=DF, rng=np.random.default_rng(SEED + metric), target_accept=0.95
    )
    print(f"metric {metric}, relative effects in percent, Student with {DF:g} df about their mean")
    print(fit.prior.describe())
    print(fit)
    if not fit.ok:
        return fit
    table = fit.table(0.95)
    alone = (looks["estimate"].abs() > 1.959964 * looks["stderr"]).sum()
    pooled = ((table["low"] > 0) | (table["high"] < 0)).sum()
    print(f"intervals that leave out 0: {alone} of {len(table)} alone, {pooled} pooled")
    new = fit.next_effect.interval(0.95)
    print(f"the next experiment's effect: {new.low:.2f} to {new.high:.2f} (95%)")
    conflicts = ", ".join(fit.posterior_check().conflicts) or "none"
    print(f"conflicts with the data: {conflicts}")
    largest = table.reindex(table["estimate"].abs().sort_values(ascending=False).index).head(5)
    shown = largest[["name", "estimate", "stderr", "effect", "low", "high", "probability_positive"]]
    print(shown.to_string(index=False, float_format=lambda value: f"{value:.3f}"), "\n")
    return fit


def plot(fits: dict[int, ab.bayes.HierarchicalFit], path: Path) -> None:
    """Every metric's estimates beside what pooling makes of them."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.rcParams |= {"svg.hashsalt": "abkit", "svg.fonttype": "none", "font.size": 9}
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(11, 9), layout="constrained")
    for metric, axes in zip(fits, figure.subplots(2, 2).flat, strict=False):
        fits[metric].plot(axes)
        axes.set_xlabel(f"metric {metric}: relative effect, %")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description="The effects of the ASOS experiments as one hierarchical model.")
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    if not arguments.data.exists():
        print(
            f"{arguments.data.name} is not there; it can be had from https://osf.io/64jsb/ (CC BY 4.0). Nothing to do."
        )
        return
    try:
        looks = last_looks(arguments.data)
        fits = {int(metric): report(int(metric), of) for metric, of in looks.groupby("metric")}
    except ab.MissingDependencyError as error:
        print(f"Nothing to do: {error}")
        return
    if arguments.plot:
        plot({metric: fit for metric, fit in fits.items() if fit.ok}, arguments.plot)


if __name__ == "__main__":
    main()
