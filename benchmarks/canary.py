"""Units until two proportions are found to differ, looking all the time: what each exact method needs.

    python benchmarks/canary.py

Simulated experiments with the planned share of units in treatment, looked at whenever 2 % more units have come. "Tuned"
methods know the number of units or events at which a difference like this is found.
"""

import sys

import numpy as np

import abkit as ab
from abkit.sequential._two_proportions import two_proportions_effect

RUNS, SEED = 200, 4
#: share of treatment, rates of control and treatment, the most units, and where tuned methods are narrowest
CASES = [
    (0.05, 0.01, 0.02, 400_000, 25_000),
    (0.5, 0.01, 0.013, 400_000, 45_000),
    (0.5, 0.40, 0.45, 100_000, 4_000),
    (0.5, 0.97, 0.98, 200_000, 10_000),
    (0.05, 0.001, 0.002, 4_000_000, 300_000),
]


def experiment(rng, share, control, treatment, most):
    """Units and events of both variants at every look."""
    units = np.unique((200 * 1.02 ** np.arange(np.log(most / 200) / np.log(1.02))).astype(int))
    treated = rng.binomial(np.diff(units, prepend=0), share)
    untreated = np.diff(units, prepend=0) - treated
    events = rng.binomial(untreated, control), rng.binomial(treated, treatment)
    return units, untreated.cumsum(), events[0].cumsum(), treated.cumsum(), events[1].cumsum()


def first(units, found):
    """Units at the first look that found it, or all of them."""
    return units[found.argmax()] if found.any() else units[-1]


def stops(rng, case):
    """Units at which each method stops, in one experiment."""
    share, *rates, most, tuned = case
    units, n_c, x_c, n_t, x_t = experiment(rng, share, *rates, most)
    p = (x_c + x_t) / units
    scale = np.sqrt(np.maximum(p * (1 - p), 1e-12) * (1 / n_c + 1 / np.maximum(n_t, 1)))
    z = (x_t / np.maximum(n_t, 1) - x_c / n_c) / scale
    proportions = np.zeros(len(units), dtype=bool)
    for k in np.flatnonzero(np.abs(z) > 1.96):  # no sequence is narrower than a test at one look
        counts = (int(x_c[k]), int(n_c[k]), int(x_t[k]), int(n_t[k]))
        proportions[k] = two_proportions_effect(*counts, share=share, tune_at=10_000).pvalue(0.0, "two-sided") < 0.05
        if proportions[k]:
            break
    at = tuned * ((1 - share) * rates[0] + share * rates[1])
    events = ab.count_sequence(np.column_stack([x_c, x_t]), [1 - share, share], tune_at=at)
    monitor = ab.AnytimeValid(alpha=0.05, tune_at=tuned)
    mixture = np.abs(z) > [monitor.multiplier(float(n)) for n in units]
    return [first(units, proportions), first(units, events.log_pvalue() < np.log(0.05)), first(units, mixture)]


def main() -> None:
    """A row a case: mean units and their standard errors."""
    print(f"{RUNS} experiments each, mean units (standard error)")
    print(
        f"{'share':>5} {'rates':>14} {'two proportions':>18} {'conditional, tuned':>20} {'normal mixture, tuned':>22}"
    )
    rng = np.random.default_rng(SEED)
    for case in CASES:
        found = np.array([stops(rng, case) for _ in range(RUNS)])
        mean, error = found.mean(axis=0), found.std(axis=0) / np.sqrt(RUNS)
        cells = [f"{m:,.0f} ({e:,.0f})" for m, e in zip(mean, error, strict=True)]
        print(f"{case[0]:>5} {case[1]:>6.2%} {case[2]:>7.2%} {cells[0]:>18} {cells[1]:>20} {cells[2]:>22}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
