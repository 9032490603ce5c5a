"""The command line: one command a question."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from abkit import __version__
from abkit._audit_cli import add_audit
from abkit._bandit_cli import add_bandit, bandit_schema
from abkit._decide_cli import add_decide
from abkit._serve_cli import add_serve
from abkit._strategies_cli import add_strategies
from abkit.errors import AbkitError, DataError, PlanError
from abkit.hooks._ci import DATA, INTERNAL, USAGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from abkit.experiment import Experiment
    from abkit.replay import Replay
    from abkit.simulate import Scenario

INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Usage errors exit with 64: 1 and 2 are what crashes and shells use, and never a verdict."""

    def error(self, message: str) -> NoReturn:
        self.exit(_fail(USAGE, f"{message}; see `{self.prog} --help`."))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        code = parsed.run(parsed)
        sys.stdout.flush()
        return int(code)
    except DataError as error:
        return _fail(DATA, str(error))
    except AbkitError as error:
        return _fail(USAGE, str(error))
    except BrokenPipeError:
        return INTERNAL  # nobody read the verdict, so there is none
    except Exception as error:  # noqa: BLE001 - a deployer must read a fault as a fault, never as a verdict
        return _fail(INTERNAL, f"internal error, please report it: {type(error).__name__}: {error}")


def run() -> NoReturn:
    """The `abkit` program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:
        code = INTERRUPTED
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()
    # leave at once: tearing down the engines takes longer than most decisions, and some print about it
    os._exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="abkit", description="From a logged experiment to a decision.")
    parser.add_argument("--version", action="version", version=f"abkit {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    analyze = commands.add_parser("analyze", help="estimate every metric of a plan on a log, and check the data")
    _plan_and_log(analyze)
    analyze.add_argument("--format", choices=("text", "json", "html"), default="text")
    analyze.set_defaults(run=_analyze)

    add_decide(commands)
    add_serve(commands)
    add_audit(commands)

    trajectory = commands.add_parser("trajectory", help="the report at every look of an experiment")
    _plan_and_log(trajectory, one_look=False)
    trajectory.add_argument("--time", required=True, help="the column that says when a row was logged")
    trajectory.add_argument("--every", required=True, help="how far looks are apart: 1d, 12h, 30m, 1w, or a number")
    trajectory.add_argument("--window", help="how long after its first row a unit's outcomes count; else all rows do")
    trajectory.add_argument("--until", help="to when the log is complete; by default its last row")
    trajectory.add_argument("--format", choices=("text", "json"), default="text")
    trajectory.add_argument("--plot", metavar="FILE", help="draw a result over time: .png, .svg or .pdf")
    trajectory.add_argument("--metric", help="of which metric, where there are several")
    trajectory.add_argument("--variant", help="of which treatment, where there are several")
    trajectory.set_defaults(run=_trajectory)

    _plan_parser(commands)

    simulate = commands.add_parser("simulate", help="what a plan will really do: run it many times in known worlds")
    simulate.add_argument("plan", help="a plan file: .yaml or .json")
    simulate.add_argument("--runs", type=int, default=20_000, help="experiments a scenario (20,000)")
    simulate.add_argument("--seed", type=int, default=1, help="of the random numbers (1)")
    simulate.add_argument("--looks", type=int, help="how many looks, where the plan does not say it")
    simulate.add_argument("--units", type=int, help="units of all variants at the last look, likewise")
    simulate.add_argument("--history", metavar="FILE", help="a log of before, which says how large effects are")
    simulate.add_argument("--scenario", action="append", metavar="NAME", help="only this one; may be given repeatedly")
    simulate.add_argument("--format", choices=("text", "json"), default="text")
    simulate.add_argument("--page", metavar="FILE", help="write a page with plots: .html")
    simulate.set_defaults(run=_simulate)

    add_bandit(commands)

    add_strategies(commands)

    schema = commands.add_parser("schema", help="the JSON Schema of a plan file, of a decision, or of a bandit plan")
    schema.add_argument("of", choices=("plan", "decision", "bandit"))
    schema.set_defaults(run=_schema)

    demo = commands.add_parser("demo", help="two experiments from log to verdict, with nothing to prepare")
    demo.set_defaults(run=_demo)
    return parser


def _plan_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    plan = commands.add_parser("plan", help="how many units and how long a plan needs, from a log of before")
    plan.add_argument("plan", help="a plan file: .yaml or .json")
    plan.add_argument(
        "--history", required=True, metavar="FILE", help="a log of before: .parquet, .csv; or a summary: .yaml, .json"
    )
    plan.add_argument(
        "--mde",
        action="append",
        metavar="[METRIC=]SIZE",
        help="the effect worth detecting: a number in the metric's unit, or 2%% of its baseline; by default the plan's",
    )
    plan.add_argument("--weeks", type=float, help="how long it may take")
    plan.add_argument("--power", type=float, default=0.8, help="the chance of a promotion (0.8)")
    plan.add_argument("--time", help="the log's column of times; by default the only one")
    plan.add_argument("--units-per-week", type=float, metavar="N", help="how fast units come")
    plan.add_argument("--looks", type=int, help="how often an anytime monitor is looked at (20)")
    plan.add_argument(
        "--aa",
        type=int,
        metavar="TIMES",
        help="also run the plan so often on the log with variants drawn anew: how often it errs where nothing differs",
    )
    plan.add_argument("--every", help="how far the looks of --aa are apart, in --time: 1d, 1w, or a number; else one")
    plan.add_argument("--format", choices=("text", "json"), default="text")
    plan.add_argument("--plot", metavar="FILE", help="draw effects by week and the power curve: .png, .svg or .pdf")
    plan.set_defaults(run=_plan)


def _plan_and_log(parser: argparse.ArgumentParser, *, one_look: bool = True) -> None:
    parser.add_argument("plan", help="a plan file: .yaml or .json")
    parser.add_argument("log", help="a log: .parquet, .csv, .csv.gz, or a quoted pattern for several")
    if one_look:
        parser.add_argument("--look", type=int, help="which of the plan's looks this is, from 1")


def _analyze(parsed: argparse.Namespace) -> int:
    from abkit.experiment import Experiment

    report = Experiment.from_file(parsed.plan).analyze(parsed.log, look=parsed.look)
    if parsed.format == "html":
        print(report._repr_html_())
    else:
        print(json.dumps(report.to_dict(), allow_nan=False) if parsed.format == "json" else report)
    return 0


def _trajectory(parsed: argparse.Namespace) -> int:
    from abkit.experiment import Experiment

    check_plot(parsed.plot)
    if not parsed.plot and (parsed.metric or parsed.variant):
        raise PlanError("`--metric` and `--variant` say what `--plot` draws, and must be left out without it.")
    times = {name: _number_or_text(getattr(parsed, name)) for name in ("every", "window", "until")}
    trajectory = Experiment.from_file(parsed.plan).trajectory(parsed.log, time=parsed.time, **times)
    if parsed.plot:
        axes = trajectory.plot(parsed.metric, parsed.variant)
        save(axes.get_figure(root=True), parsed.plot)  # type: ignore[arg-type]
    print(json.dumps(trajectory.to_dict(), allow_nan=False) if parsed.format == "json" else trajectory)
    return 0


def _plan(parsed: argparse.Namespace) -> int:
    from abkit.experiment import Experiment

    check_plot(parsed.plot)
    if parsed.every and not (parsed.aa and parsed.time):
        raise PlanError("`--every` must come with `--aa` and `--time`: it says how far apart the looks of replays are.")
    if parsed.aa is not None and parsed.aa < 1:
        raise PlanError(f"`--aa` must be at least 1; got {parsed.aa}.")
    with _refused_values():
        planning = Experiment.from_file(parsed.plan).plan(
            parsed.history,
            mde=_sizes(parsed.mde),
            **{name: getattr(parsed, name) for name in ("weeks", "power", "time", "units_per_week", "looks")},
        )
    if parsed.plot:
        save(planning.figure(), parsed.plot)
    replayed = _replay(parsed) if parsed.aa else None
    if parsed.format == "json":
        print(json.dumps(planning.to_dict() | ({"aa": replayed.to_dict()} if replayed else {}), allow_nan=False))
    else:
        print(*([planning, replayed] if replayed else [planning]), sep="\n\n")
    return 0


def _replay(parsed: argparse.Namespace) -> Replay:
    import numpy as np

    from abkit.replay import aa_replay

    looks = {"time": parsed.time, "every": _number_or_text(parsed.every)} if parsed.every else {}
    return aa_replay(parsed.plan, parsed.history, times=parsed.aa, rng=np.random.default_rng(1), **looks)


def _sizes(given: Sequence[str] | None) -> object:
    """Effects as `--mde` names them: one for all, or one a metric."""
    if not given:
        return None
    named = [text.rpartition("=") for text in given]
    if len(named) > 1 and not all(name for name, _, _ in named):
        raise PlanError("`--mde` must be one size for all success metrics, or METRIC=SIZE each time.")
    sizes = {name: _size(size) for name, _, size in named}
    return sizes.get("", sizes)


def _size(text: str) -> object:
    """A number, or a share such as 2%."""
    from abkit.types import Relative

    try:
        return Relative(float(text[:-1]) / 100) if text.endswith("%") else float(text)
    except ValueError as error:
        raise PlanError(f"`--mde` must have a number, or a share such as 2%; got {text!r}.") from error


def check_plot(file: str | None) -> None:
    """Refuse a file of a kind that Matplotlib is not asked for."""
    if file and not file.endswith((".png", ".svg", ".pdf")):
        raise PlanError(f"`--plot` must be a file that ends with .png, .svg or .pdf; got {file!r}.")


def save(figure: Figure, file: str) -> None:
    """Write a plot."""
    try:
        figure.savefig(file)
    except OSError as error:
        raise PlanError(f"`--plot` must be a file that can be written; got {file!r}: {error.strerror}.") from error


def _number_or_text(value: str | None) -> float | str | None:
    """A number where the text is one: columns of numbers have no other unit than their own."""
    try:
        return value if value is None else float(value)
    except ValueError:
        return value


def _simulate(parsed: argparse.Namespace) -> int:
    import numpy as np

    from abkit.experiment import Experiment
    from abkit.simulate import operating_characteristics

    if parsed.page and not parsed.page.endswith((".html", ".htm")):
        raise PlanError(f"`--page` must be a file that ends with .html; got {parsed.page!r}.")
    if parsed.seed < 0:
        raise PlanError(f"`--seed` must be at least 0; got {parsed.seed}.")
    experiment = Experiment.from_file(parsed.plan)
    scenarios = _scenarios(experiment, parsed.scenario)
    options = {name: getattr(parsed, name) for name in ("history", "units", "looks")}
    with _refused_values():
        found = operating_characteristics(
            experiment, scenarios, parsed.runs, np.random.default_rng(parsed.seed), **options
        )
    if parsed.page:
        found.save(parsed.page)
    print(found.to_json() if parsed.format == "json" else found)
    return 0


def _scenarios(experiment: Experiment, names: Sequence[str] | None) -> list[Scenario] | None:
    """The default scenarios that are named, in their own order; all where none is."""
    from abkit import _check
    from abkit.simulate import default_scenarios

    known = {scenario.name: scenario for scenario in default_scenarios(experiment)}
    for name in names or ():
        if name not in known:
            hint = _check.suggest(name, known)
            raise PlanError(f"`--scenario` must be one of {', '.join(map(repr, known))}; got {name!r}.{hint}")
    return [scenario for name, scenario in known.items() if name in names] if names else None


def _schema(parsed: argparse.Namespace) -> int:
    from abkit._schema import decision_schema, plan_schema

    schemas = {"plan": plan_schema, "decision": decision_schema, "bandit": bandit_schema}
    print(json.dumps(schemas[parsed.of](), indent=2))
    return 0


def _demo(_: argparse.Namespace) -> int:
    from abkit._demo import show

    show()
    return 0


@contextmanager
def _refused_values() -> Iterator[None]:
    """An option with a value that cannot be is a fault of the command line."""
    try:
        yield
    except AbkitError:
        raise
    except ValueError as error:
        raise PlanError(str(error)) from error


def _fail(code: int, message: str) -> int:
    print(f"abkit: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    run()
