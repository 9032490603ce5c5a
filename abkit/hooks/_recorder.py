"""The server's own record of what it decided."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abkit.errors import AbkitError, DataError

if TYPE_CHECKING:
    from abkit.decision import Decision, State
    from abkit.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records decisions in a file, each once, whoever asked for it and however often the server was started."""

    file: Path

    def __post_init__(self) -> None:
        """Try the file; a DataError where it cannot be written."""
        from abkit.audit._file import append_line

        append_line(self.file, lambda _: None)

    def record(
        self, plan: Experiment, decision: Decision, state: State | None, now: dt.datetime | None, look: int | None
    ) -> None:
        """Record a decision, unless it is; what is not recorded is not answered: that is a fault of the server."""
        from abkit import audit

        at = dt.datetime.now(dt.UTC).replace(microsecond=0)
        try:
            audit.append(self.file, decision, plan=plan, state=state, now=now, look=look, recorded_at=at, once=True)
        except DataError as error:
            logging.getLogger("abkit").error("a decision could not be recorded: %s", error)  # noqa: TRY400 - it says all
            raise AbkitError("the decision could not be recorded; the server's own log says why.") from error
