"""docs/calibration-bayes.md: each part of it is written by its own simulation, between its own markers."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "calibration-bayes.md"


def write_section(name: str, text: str) -> None:
    """Replace what stands between the markers of this part, or add it at the end."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Calibration of Bayesian answers\n"
    part = f"{begin}\n\n{text.strip()}\n\n{end}"
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    page = found.sub(lambda _: part, page) if found.search(page) else f"{page.rstrip()}\n\n{part}\n"
    PAGE.write_text(page, encoding="utf-8")
