"""Results of questions about power: printed, compared and pickled."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import abkit as ab


@pytest.mark.parametrize("mde", [0.5, [0.1, 0.2, 0.0]], ids=str)
def test_equal_answers_are_equal_and_survive_pickling(mde: object) -> None:
    found = ab.power.two_means(mde=mde, sd=1.0, power=0.8)
    same = ab.power.two_means(mde=mde, sd=1.0, power=0.8)
    assert found == same == pickle.loads(pickle.dumps(found))
    assert hash(found) == hash(same)
    assert found != ab.power.two_means(mde=mde, sd=1.0, power=0.9)
    assert found != "an answer"


def test_an_answer_is_a_sentence() -> None:
    text = str(ab.power.two_means(mde=0.02, relative=True, baseline=10.0, sd=1.0, power=0.8))
    assert "find an effect of 2% of the baseline with a chance of 80% (alpha 0.05)" in text


def test_a_monitor_is_named_by_what_was_chosen() -> None:
    found = ab.power.two_means(mde=0.1, sd=1.0, power=0.8, monitor=ab.GroupSequential(looks=5))
    assert "under GroupSequential(looks=5)\n" in str(found)


def test_answers_of_arrays_are_a_table() -> None:
    lines = str(ab.power.two_means(mde=[0.1, 0.2, 0.0], sd=1.0, power=0.8)).splitlines()
    assert lines[0] == "3 answers, solved for `n`"
    assert lines[1].split() == ["n_control", "n_treatment", "mde", "power", "alpha"]
    assert lines[2].split() == ["1570.73", "1570.73", "0.1", "0.8", "0.05"]
    assert lines[4].split() == ["-", "-", "0", "0.8", "0.05"]
    assert lines[5].startswith("  -: an effect of 0 is not beyond the null of 0")
    many = str(ab.power.two_means(mde=np.full((3, 5), 0.1), sd=1.0, power=0.8)).splitlines()
    assert many[0] == "15 answers, solved for `n`, the first 10 of them here; `to_dict()` has all"
    assert len([line for line in many if line.endswith("0.05")]) == 10
