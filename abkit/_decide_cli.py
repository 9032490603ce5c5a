"""`abkit decide`: one look at a release, in the words of whoever asks."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abkit._audit_cli import now
from abkit.errors import DataError, PlanError
from abkit.hooks._ci import BLOCKED, CONTINUE, DATA, INTERNAL, POLICIES, PROMOTE, ROLLBACK, USAGE, ci

if TYPE_CHECKING:
    from abkit.decision import Decision, State

FORMATS = ("text", "json", "github", "gitlab", "argo", "spinnaker", "codedeploy")
EXIT_CODES = f"""exit codes of decide:
  {PROMOTE} promote   {ROLLBACK} roll back   {CONTINUE} continue   {BLOCKED} continue, blocked: a person must look
  {USAGE} the plan or the command line is wrong   {DATA} the log is wrong   {INTERNAL} a fault of abkit itself
with --exit-policy promote-only: {PROMOTE} is promote, and {ROLLBACK} every other verdict
with --exit-policy not-rollback: {ROLLBACK} is roll back, and {PROMOTE} every other verdict; errors keep their codes"""


def add_decide(commands: argparse._SubParsersAction[Any]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "decide",
        help="promote, continue or roll back",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("plan", help="a plan file: .yaml or .json")
    parser.add_argument(
        "log",
        nargs="?",
        help="a log: .parquet, .csv, .csv.gz, or a quoted pattern for several; by default the one that the plan names",
    )
    parser.add_argument("--look", type=int, help="which of the plan's looks this is, from 1")
    parser.add_argument("--stage", type=int, help="the stage of the ramp that the release is in, from 1")
    parser.add_argument(
        "--state",
        metavar="FILE",
        help="where the release stands: read if the file exists, and written for the next look",
    )
    parser.add_argument("--now", metavar="TIME", help="when this look is held; by default at the log's last row")
    parser.add_argument("--audit", metavar="FILE", help="record the decision in this file; see `abkit audit`")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--exit-policy", choices=POLICIES, help="for callers that know only success and failure")
    parser.set_defaults(run=_decide)


def _decide(parsed: argparse.Namespace) -> int:
    from abkit import audit

    try:
        decision, before = _look(parsed)
    except DataError as error:
        if parsed.format == "github":
            _print_github(error)
        raise
    if parsed.audit:
        audit.append(
            parsed.audit,
            decision,
            plan=parsed.plan,
            log=parsed.log,
            state=_at_stage(before, parsed.stage),
            now=parsed.now,
            look=parsed.look,
            recorded_at=now(),
        )
    if parsed.state:
        _write(Path(parsed.state), {**decision.to_dict(), "before": before and before.to_dict()})
    _print(decision, parsed.format)
    return ci(decision, parsed.exit_policy)


def _look(parsed: argparse.Namespace) -> tuple[Decision, State | None]:
    """The decision, and the state that it started from.

    A call that is repeated on the same evidence starts where the first one did, so that a retry never takes a release
    two stages further.
    """
    from abkit.decision import State, decide

    def at(state: State | None) -> Decision:
        return decide(parsed.plan, parsed.log, state=_at_stage(state, parsed.stage), now=parsed.now, look=parsed.look)

    last = _read(Path(parsed.state)) if parsed.state else None
    if last is None:
        return at(None), None
    if "before" in last:
        before = None if last["before"] is None else State.of(last["before"])
        repeated = at(before)
        if _evidence(repeated.to_dict()) == _evidence(last):
            return repeated, before
    state = State.of(last)
    decision = at(state)
    if last.get("plan_sha256", decision.plan_sha256) != decision.plan_sha256:
        raise PlanError(
            f"`--state` must be of this plan; {parsed.state!r} holds the decision of another one, or of this one as it "
            "was before: name another file, and the stage with `--stage`."
        )
    return decision, state


def _evidence(decision: Mapping[str, Any]) -> tuple[object, object]:
    return decision.get("plan_sha256"), decision.get("evidence_sha256")


def _at_stage(state: State | None, stage: int | None) -> State | None:
    """The state, at the stage that the command line names; when that began is then not known from the state."""
    from abkit.decision import State

    if stage is None or (state is not None and state.stage == stage):
        return state
    try:
        return replace(state or State(), stage=stage, stage_started=None, stage_units=None)
    except ValueError as error:
        raise PlanError(str(error)) from error


def _read(path: Path) -> Mapping[str, Any] | None:
    """The decision of the look before, if there was one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PlanError(f"`--state` must be a file that can be read; got {str(path)!r}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise PlanError(f"`--state` must hold the decision of the look before; {str(path)!r} is not JSON.") from error
    if not isinstance(content, Mapping):
        raise PlanError(f"`--state` must hold the decision of the look before; {str(path)!r} holds none.")
    return content


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file in one step: a crash leaves the old one or the new one, and never half of it."""
    text = json.dumps(content, allow_nan=False, ensure_ascii=False) + "\n"
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        finally:
            with suppress(FileNotFoundError):
                Path(name).unlink()
    except OSError as error:
        raise PlanError(
            f"`--state` must be a file that can be written; got {str(path)!r}: {error.strerror}."
        ) from error


def _print(decision: Decision, form: str) -> None:
    from abkit import hooks

    if form == "github":
        _print_github(decision)
    elif form == "gitlab":
        print(hooks.gitlab(decision), end="")
    elif form == "codedeploy":
        print(hooks.codedeploy(decision) or "")
    elif form in ("argo", "spinnaker"):
        print((hooks.argo if form == "argo" else hooks.spinnaker)(decision).to_json())
    else:
        print(decision.to_json() if form == "json" else decision)


def _print_github(judged: Decision | DataError) -> None:
    """The annotation to the step's log; outputs and summary to the files that GitHub names, if it does."""
    from abkit import hooks

    said = hooks.github(judged)
    print(said.annotation)
    _append("GITHUB_STEP_SUMMARY", said.summary)
    if not _append("GITHUB_OUTPUT", said.output):
        print(said.output, end="")


def _append(variable: str, text: str) -> bool:
    name = os.environ.get(variable)
    if not name:
        return False
    try:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise PlanError(
            f"`{variable}` must name a file that can be written; got {name!r}: {error.strerror}."
        ) from error
    return True
