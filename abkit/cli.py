"""The command line: analyze, decide, trajectory, schema, demo."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from abkit import __version__
from abkit.errors import AbkitError, DataError, PlanError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PROMOTE, ROLLBACK, USAGE, DATA, INTERNAL, CONTINUE, BLOCKED = 0, 10, 64, 65, 70, 75, 76
INTERRUPTED = 130
EXIT_CODES = f"""exit codes of decide:
  {PROMOTE} promote   {ROLLBACK} roll back   {CONTINUE} continue   {BLOCKED} continue, blocked: a person must look
  {USAGE} the plan or the command line is wrong   {DATA} the log is wrong   {INTERNAL} a fault of abkit itself"""


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

    decide = commands.add_parser(
        "decide",
        help="promote, continue or roll back",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _plan_and_log(decide)
    decide.add_argument("--format", choices=("text", "json"), default="text")
    decide.set_defaults(run=_decide)

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

    schema = commands.add_parser("schema", help="the JSON Schema of a plan file, or of a decision")
    schema.add_argument("of", choices=("plan", "decision"))
    schema.set_defaults(run=_schema)

    demo = commands.add_parser("demo", help="two experiments from log to verdict, with nothing to prepare")
    demo.set_defaults(run=_demo)
    return parser


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


def _decide(parsed: argparse.Namespace) -> int:
    from abkit.decision import decide

    decision = decide(parsed.plan, parsed.log, look=parsed.look)
    print(decision.to_json() if parsed.format == "json" else decision)
    if decision.verdict == "continue":
        return BLOCKED if decision.blocked else CONTINUE
    return PROMOTE if decision.verdict == "promote" else ROLLBACK


def _trajectory(parsed: argparse.Namespace) -> int:
    from abkit.experiment import Experiment

    if parsed.plot and not parsed.plot.endswith((".png", ".svg", ".pdf")):
        raise PlanError(f"`--plot` must be a file that ends with .png, .svg or .pdf; got {parsed.plot!r}.")
    if not parsed.plot and (parsed.metric or parsed.variant):
        raise PlanError("`--metric` and `--variant` say what `--plot` draws, and must be left out without it.")
    times = {name: _number_or_text(getattr(parsed, name)) for name in ("every", "window", "until")}
    trajectory = Experiment.from_file(parsed.plan).trajectory(parsed.log, time=parsed.time, **times)
    if parsed.plot:
        _save(trajectory.plot(parsed.metric, parsed.variant), parsed.plot)
    print(json.dumps(trajectory.to_dict(), allow_nan=False) if parsed.format == "json" else trajectory)
    return 0


def _save(axes: Axes, file: str) -> None:
    try:
        axes.get_figure(root=True).savefig(file)  # type: ignore[union-attr]
    except OSError as error:
        raise PlanError(f"`--plot` must be a file that can be written; got {file!r}: {error.strerror}.") from error


def _number_or_text(value: str | None) -> float | str | None:
    """A number where the text is one: columns of numbers have no other unit than their own."""
    try:
        return value if value is None else float(value)
    except ValueError:
        return value


def _schema(parsed: argparse.Namespace) -> int:
    from abkit._schema import decision_schema, plan_schema

    print(json.dumps(plan_schema() if parsed.of == "plan" else decision_schema(), indent=2))
    return 0


def _demo(_: argparse.Namespace) -> int:
    from abkit._demo import show

    show()
    return 0


def _fail(code: int, message: str) -> int:
    print(f"abkit: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    run()
