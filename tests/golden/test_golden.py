"""Every golden file stands beside the program that printed it."""

from pathlib import Path

import pytest

from tests.golden.read import golden

FILES = sorted(Path(__file__).parent.glob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_golden_file_names_its_program_version_and_command(file):
    data = golden(file.stem)
    assert any(character.isdigit() for character in data["program"])
    assert data["command"]
    assert any(file.with_suffix(suffix).exists() for suffix in (".R", ".py"))
    assert all(data[key] for key in data if key not in ("program", "command"))
