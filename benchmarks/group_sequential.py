"""Critical values of group-sequential designs: abkit beside R's rpact, times and errors of both.

The truth is another quadrature (tests/golden/group_sequential_quadrature.py), good to 1e-12. Times are of one design,
the best of the rounds; starting R and loading rpact is not counted. rpact is asked for its finest tolerance, 1e-10. An
error is the largest over looks whose bound is below 4, as further out rpact has noise or Inf.

    python benchmarks/group_sequential.py [rounds]
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import abkit as ab

GOLDEN = Path(__file__).parent.parent / "tests" / "golden" / "group_sequential_quadrature.json"
NAMES = {"ld-obrien-fleming": "asOF", "ld-pocock": "asP", "pocock": "P", "obrien-fleming": "OF"}
LIMITS = {20: 0.15, 100: 2.0}  # seconds of the processor, so that what else a machine does is not counted
R_DESIGN = """
suppressMessages(library(rpact))
run <- function() suppressWarnings(getDesignGroupSequential(typeOfDesign = "{type}", kMax = {looks}, alpha = {alpha},
  sided = {sides}, informationRates = c({information}), tolerance = 1e-10))
seconds <- Inf
for (i in 1:{rounds}) seconds <- min(seconds, system.time(d <- run())[["elapsed"]])
cat(seconds, sprintf("%.17g", d$criticalValues))
"""
R_FUTILITY = """
suppressMessages(library(rpact))
cat(system.time(getDesignGroupSequential(typeOfDesign = "asOF", kMax = 20, alpha = 0.025, sided = 1, beta = 0.1,
  typeBetaSpending = "bsOF", bindingFutility = FALSE))[["elapsed"]])
"""


def timed(run, rounds: int):
    """The least time by the clock, the least time of the processor, and the result."""
    best = np.full(2, np.inf)
    for _ in range(rounds):
        start = np.array([time.perf_counter(), time.process_time()])
        result = run()
        best = np.minimum(best, np.array([time.perf_counter(), time.process_time()]) - start)
    return *best, result


def error(values, truth) -> float:
    near = np.asarray(truth) < 4
    return float(np.abs(np.asarray(values) - truth)[near].max())


def rscript(program: str) -> list[str] | None:
    if shutil.which("Rscript") is None:
        return None
    done = subprocess.run(["Rscript", "-e", program], capture_output=True, text=True, check=False)
    return done.stdout.split() if done.returncode == 0 and done.stdout else None


def of_rpact(case: dict, rounds: int) -> str:
    program = R_DESIGN.format(
        type=NAMES[case["boundary"]],
        looks=len(case["information"]),
        information=", ".join(map(repr, case["information"])),
        alpha=case["alpha"],
        sides=case["sides"],
        rounds=rounds,
    )
    printed = rscript(program)
    if printed is None:
        return "refused"
    values = [float(value) for value in printed[1:]]
    return f"{float(printed[0]):7.3f} s  error {error(values, case['critical_values']):.1e}"


def main(rounds: int = 3) -> None:
    present = rscript('cat(as.character(packageVersion("rpact")))')
    print(f"abkit {ab.__version__}; " + (f"rpact {present[0]}" if present else "rpact is absent: R's side is left out"))
    cases = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]
    failed = []
    for case in cases:
        looks = len(case["information"])
        if case["boundary"] not in NAMES or (case["alpha"] not in (0.025, 0.05)) or looks == 6:
            continue
        arguments = {key: case[key] for key in ("alpha", "sides", "information", "boundary")}
        seconds, own, design = timed(lambda a=arguments: ab.group_sequential_design(**a), rounds)
        off = error(design.critical_values, case["critical_values"])
        where = f"{looks} looks" if looks > 3 else "looks at " + ", ".join(map(str, case["information"]))
        title = f"{case['boundary']}, {where}, {case['sides']} side(s)"
        peer = f"   rpact {of_rpact(case, 1)}" if present else ""
        print(f"{title:55} abkit {seconds:7.3f} s  error {off:.1e}{peer}", flush=True)
        if off > 1e-8 or own > LIMITS.get(looks, np.inf):
            failed.append(title)
    both = {"alpha": 0.025, "sides": 1, "looks": 20, "power": 0.9, "futility": "ld-obrien-fleming"}
    seconds, own, _ = timed(lambda: ab.group_sequential_design(**both), rounds)
    printed = rscript(R_FUTILITY) if present else None
    peer = f"   rpact {float(printed[0]):7.3f} s" if printed else ""
    print(f"{'beta spending beside alpha spending, 20 looks':55} abkit {seconds:7.3f} s{' ' * 15}{peer}")
    if own > 1:
        failed.append("beta spending")
    if failed:
        raise SystemExit(f"beyond 1e-8, or slower than promised: {failed}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
