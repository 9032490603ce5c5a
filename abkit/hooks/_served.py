"""The plans that a server answers for, and the bytes of their logs."""

from __future__ import annotations

import glob
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abkit.errors import DataError, PlanError

if TYPE_CHECKING:
    from abkit.experiment import Experiment
    from abkit.source import Source

SUFFIXES = (".yaml", ".yml", ".json")
#: What a plan may be called, so that a name is never a path and needs no escape in an address or a metric.
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
#: How long the rows of a database are taken for unchanged, in seconds: unlike a file, it does not say when they were.
LASTING = 5.0


@dataclass(frozen=True, slots=True)
class Served:
    """A plan, by the name of its file, and the folder that its log's path starts from."""

    name: str
    plan: Experiment
    source: Source
    base: Path

    @property
    def clocked(self) -> bool:
        """Whether the verdict may change with the time alone."""
        timing = self.plan.timing
        return timing.stale is not None or timing.deadline is not None


def served_plans(paths: Iterable[str | Path]) -> Mapping[str, Served]:
    """The plans of files, and of all plan files that lie in folders, by name."""
    plans: dict[str, Served] = {}
    for file in (file for path in paths for file in _files(Path(path))):
        served = _served(file)
        if served.name in plans:
            raise PlanError(f"two plans are named {served.name!r}; rename the file {str(file)!r}, or leave it out.")
        plans[served.name] = served
    if not plans:
        raise PlanError("there is no plan to serve; name plan files, or folders that hold some.")
    return dict(sorted(plans.items()))


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    else:
        yield path


def _served(file: Path) -> Served:
    from abkit.experiment import Experiment

    if not re.fullmatch(NAME, file.stem):
        raise PlanError(
            f"the plan {str(file)!r} must be a file whose name has letters, digits, '.', '_' and '-' only, since it is "
            "part of an address."
        )
    try:
        plan = Experiment.from_file(file)
    except PlanError as error:
        raise PlanError(f"{file.name}: {error}") from error
    if plan.log is None:
        raise PlanError(f"{file.name}: `log` must say where the log lies, since a request cannot.")
    return Served(file.stem, plan, plan.log, file.parent)


def fingerprint(served: Served) -> object:
    """What changes when the log does: names, times, sizes and places of its files; of a database the time."""
    source = served.source
    if source.path is not None:
        return tuple(_stat(file) for file in _log_files(source.path, served.base))
    if source.duckdb is not None:
        path = str(served.base / source.duckdb)
        return _stat(path), _stat(f"{path}.wal")
    return time.monotonic() // LASTING


def _log_files(path: str, base: Path) -> list[str]:
    from abkit.adapters._source import files_of

    try:
        found = files_of(path, base)
    except DataError:
        return []
    return [found] if Path(found).exists() else sorted(glob.glob(found))  # noqa: PTH207 - an absolute pattern


def _stat(file: str) -> tuple[object, ...]:
    try:
        found = Path(file).stat()
    except OSError:
        return (file,)
    return file, found.st_mtime_ns, found.st_size, found.st_ino
