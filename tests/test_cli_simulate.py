"""`abkit simulate`: from a plan file alone to a table, JSON and a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from abkit.cli import main

PLAN = """\
unit: user
variant: variant
control: old
metrics:
  revenue: {kind: mean, value: revenue}
  errors: {kind: proportion, value: error, role: guardrail, direction: decrease, margin: 0.01}
"""


@pytest.fixture
def plan(tmp_path: Path) -> str:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN, encoding="utf-8")
    return str(file)


def test_a_plan_is_enough(plan: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", plan, "--runs", "200"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("200 runs of 1 look at 10,000 units: a release without any effect is rolled back in ")
    assert "`units` sets another number" in " ".join(out.split())
    assert err == ""


def test_the_same_seed_prints_the_same_bytes(plan: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for seed in ("1", "1", "2"):
        assert main(["simulate", plan, "--runs", "200", "--seed", seed, "--format", "json"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]
    assert json.loads(printed[0])["schema"] == "abkit.operating-characteristics/1"


def test_scenarios_are_chosen_by_name(plan: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--scenario", "late data", "--scenario", "no effect"]
    assert main(["simulate", plan, "--runs", "50", "--format", "json", *chosen]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["scenario"]["name"] for row in rows] == ["no effect", "late data"]


def test_looks_units_and_a_page(plan: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert main(["simulate", plan, "--runs", "50", "--looks", "3", "--units", "900", "--page", str(page)]) == 0
    assert capsys.readouterr().out.startswith("50 runs of 3 looks at up to 900 units")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_history_tells_how_large_effects_are(plan: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{user},{user % 7},{int(user % 9 == 0)}\n" for user in range(500))
    (tmp_path / "log.csv").write_text(f"user,revenue,error\n{rows}", encoding="utf-8")
    options = ["--history", str(tmp_path / "log.csv"), "--runs", "50", "--scenario", "no effect"]
    assert main(["simulate", plan, *options]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "`errors`: -1 is its margin, 0.01, a z of 1.58 on average at the last look" in out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--scenario", "no efect"], "Did you mean 'no effect'?"),
        (["--runs", "0"], "`runs` must be at least 1; got 0."),
        (["--seed", "-1"], "`--seed` must be at least 0; got -1."),
        (["--units", "1"], "`units` must be at least 4; got 1."),
        (["--page", "page.pdf"], "`--page` must be a file that ends with .html; got 'page.pdf'."),
        (
            ["--page", "/nowhere/page.html", "--runs", "5", "--scenario", "no effect"],
            "`page` must be a file that can be",
        ),
        (["--history", "nowhere.parquet"], "nowhere.parquet"),
    ],
)
def test_a_wrong_option_is_named(plan: str, options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", plan, *options]) in (64, 65)
    out, err = capsys.readouterr()
    assert says in err
    assert out == ""
    assert err.count("\n") == 1
