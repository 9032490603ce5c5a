"""What all deployers are told: the verdict in words that fit into one line, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abkit.errors import AbkitError, DataError

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.types import Verdict

#: How much of its reasons an event log or a dotenv file is given.
LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict as a deployer hears it."""

    verdict: Verdict
    blocked: bool
    reason: str
    final: bool = False
    variant: str | None = None
    stage: int | None = None
    stages: int | None = None
    next_weight: float | None = None
    next_look: str | None = None
    decision_id: str | None = None

    @property
    def outcome(self) -> str:
        """The verdict, or blocked where it is to continue and a person must look: the words of the exit codes."""
        return "blocked" if self.blocked and self.verdict == "continue" else self.verdict

    def to_dict(self) -> dict[str, Any]:
        """What the replies of all hooks hold beside their own fields."""
        return {
            "outcome": self.outcome,
            "blocked": self.blocked,
            "final": self.final,
            "variant": self.variant,
            "stage": self.stage,
            "stages": self.stages,
            "next_weight": self.next_weight,
            "next_look_not_before": self.next_look,
            "reason": self.reason,
            "decision_id": self.decision_id,
        }


def answer_of(judged: Decision | AbkitError) -> Answer:
    """The answer that a decision is; a log that cannot answer its plan is one to continue, blocked."""
    if isinstance(judged, AbkitError):
        return Answer("continue", blocked=isinstance(judged, DataError), reason=one_line(str(judged)))
    stage = judged.stage
    sentence = str(judged).partition("\n\n")[0]
    reasons = "; ".join(f"{reason.code}: {reason.message}" for reason in judged.reasons)
    return Answer(
        judged.verdict,
        judged.blocked,
        one_line(f"{sentence}: {reasons}" if reasons else sentence),
        judged.final,
        judged.variant,
        stage.index,
        stage.count,
        stage.next_weight,
        judged.next_look_not_before,
        judged.decision_id,
    )


def one_line(text: str, longest: int = LONGEST) -> str:
    """Text without line breaks and control characters, which a log's names may hold, and not too long."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
