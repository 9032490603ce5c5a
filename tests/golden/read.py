"""The golden files: what another program printed, beside that program.

`t_test.json` is, whole, what `Rscript t_test.R` printed; `score.json` is what `python score.py` printed; and so on.
Each names its program and version. Run the program again to make the file again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def golden(name: str) -> dict[str, Any]:
    return json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


def cases(name: str, key: str = "cases") -> list[Any]:
    return golden(name)[key]
