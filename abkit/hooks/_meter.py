"""What a server counts about itself, as Prometheus reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

#: Upper ends of the classes of latencies, in seconds.
ENDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)
MEDIA = "text/plain; version=0.0.4; charset=utf-8"


class Meter:
    """Counts of answers by route and status, of verdicts by plan, and latencies by route."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, str]] = Counter()
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._times: dict[str, list[float]] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """An answer was given."""
        self._answers[route, str(status)] += 1
        times = self._times.setdefault(route, [0.0] * (len(ENDS) + 2))
        times[next((i for i, end in enumerate(ENDS) if seconds <= end), len(ENDS))] += 1
        times[-1] += seconds

    def decided(self, plan: str, outcome: str) -> None:
        """A verdict was given."""
        self._outcomes[plan, outcome] += 1

    def text(self) -> str:
        """All counts, in Prometheus' text format."""
        return "\n".join([*self._lines(), ""])

    def _lines(self) -> Iterator[str]:
        yield from _head("abkit_answers_total", "counter", "Answers by route and HTTP status.")
        for (route, status), count in sorted(self._answers.items()):
            yield f"abkit_answers_total{_labels({'route': route, 'status': status})} {count}"
        yield from _head("abkit_decisions_total", "counter", "Decisions by plan and outcome.")
        for (plan, outcome), count in sorted(self._outcomes.items()):
            yield f"abkit_decisions_total{_labels({'plan': plan, 'outcome': outcome})} {count}"
        yield from _head("abkit_answer_seconds", "histogram", "Time that answers took, by route.")
        for route, times in sorted(self._times.items()):
            yield from _histogram(route, times)


def _head(name: str, kind: str, what: str) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"


def _histogram(route: str, times: list[float]) -> Iterator[str]:
    total = 0
    for end, count in zip([*map(str, ENDS), "+Inf"], times, strict=False):
        total += int(count)
        yield f"abkit_answer_seconds_bucket{_labels({'route': route, 'le': end})} {total}"
    yield f"abkit_answer_seconds_sum{_labels({'route': route})} {times[-1]:.9g}"
    yield f"abkit_answer_seconds_count{_labels({'route': route})} {total}"


def _labels(values: Mapping[str, str]) -> str:
    """Labels whose values come from routes, plans and numbers, which hold nothing to escape."""
    return "{" + ",".join(f'{name}="{value}"' for name, value in values.items()) + "}"
