"""What all tests of engines share."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from tests.adapters.engines import CONNECTIONS
from tests.adapters.logs import event_log


@pytest.fixture(autouse=True)
def close_connections() -> Iterator[None]:
    yield
    while CONNECTIONS:
        CONNECTIONS.pop().disconnect()


@pytest.fixture(scope="session")
def log() -> pd.DataFrame:
    return event_log()
