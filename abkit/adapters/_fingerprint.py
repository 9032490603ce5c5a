"""Which log it was: where it lay with a digest of its bytes, or statistics as themselves."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from abkit.adapters._source import files_of, open_source
from abkit.errors import DataError
from abkit.experiment import Experiment
from abkit.logs import label_name
from abkit.source import Source
from abkit.suffstats._base import Statistics

BLOCK = 1 << 20


def logged(experiment: Experiment, log: object) -> dict[str, Any]:
    """A log as an audit has it: plain values."""
    if isinstance(log, Mapping):
        return {"statistics": _plain(log)}
    folder = experiment.folder if log is None else Path()
    log = Source(path=os.fspath(log)) if isinstance(log, (str, os.PathLike)) else log
    source = experiment.log if log is None else log
    if not isinstance(source, Source):
        return {"table": type(source).__name__}
    lay = {name: value for name, value in asdict(source).items() if value is not None}
    return {**lay, "folder": str(folder.resolve()), "sha256": _digest(source, folder)}


@contextmanager
def reopened(log: Mapping[str, Any]) -> Iterator[tuple[object, str | None]]:
    """The log that was recorded, and whether it has changed since, in a sentence."""
    if "statistics" in log:
        yield log["statistics"], None
        return
    if "folder" not in log:
        raise DataError(f"the log was a table in memory ({log.get('table')}); give it to replay this decision.")
    source, folder = Source(**{key: log[key] for key in log if key not in ("folder", "sha256")}), Path(log["folder"])
    changed = _digest(source, folder) != log["sha256"]
    with open_source(source, folder) as found:
        yield found, "the log has changed since" if changed else None


def _digest(source: Source, folder: Path) -> str | None:
    """Of the bytes of a log's files, in the order of their names; None: a database, which has no bytes to read."""
    if source.sql is not None:
        return None
    pattern = files_of(source.path, folder) if source.path is not None else str(folder / str(source.duckdb))
    files = [pattern] if Path(pattern).exists() else sorted(glob.glob(pattern))  # noqa: PTH207 - may be absolute
    found = hashlib.sha256()
    try:
        for file in files:
            found.update(f"{Path(file).name}\0{Path(file).stat().st_size}\0".encode())
            with Path(file).open("rb") as opened:
                while block := opened.read(BLOCK):
                    found.update(block)
    except OSError as error:
        raise DataError(f"the log {source.path or source.duckdb!r} cannot be read: {error.strerror}.") from error
    return found.hexdigest()


def _plain(log: Mapping[Any, Any]) -> dict[str, Any]:
    """Statistics at any depth as `to_dict` writes them."""
    return {
        label_name(key): _plain(value)
        if isinstance(value, Mapping)
        else value.to_dict()
        if isinstance(value, Statistics)
        else value
        for key, value in log.items()
    }
