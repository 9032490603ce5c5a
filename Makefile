# Two commands do all set-up: `make demo` and `make test`. They need Python 3.11 or newer, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-engines lint docs examples calibrate bench clean

$(VENV)/.core: pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "abkit needs Python 3.11 or newer; set PYTHON=..."'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(VENV)/.core
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

$(VENV)/.engines: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable '.[test,bayes,sql,spark]'
	touch $@

$(VENV)/.lint: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable '.[test,lint]'
	touch $@

$(VENV)/.docs: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --editable '.[test,docs]'
	touch $@

$(VENV)/.bench: $(VENV)/.core
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	touch $@

demo: $(VENV)/.core  ## two experiments from log to verdict
	$(BIN)/abkit demo

test: $(VENV)/.test  ## everything that needs no server: tests, docstrings, guides
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not postgres and not spark and not bayes and not calibration"
	$(BIN)/python -m pytest -n auto --quiet --doctest-modules abkit
	$(BIN)/python -m pytest -n auto --quiet --doctest-glob='*.md' README.md docs

test-engines: $(VENV)/.engines  ## PostgreSQL (ABKIT_POSTGRES, ABKIT_POSTGRES_LOG), PySpark (Java) and PyMC
	$(BIN)/python -m pytest -m "postgres or spark"
	$(BIN)/python -m pytest -n auto --dist loadfile -m bayes

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir site

examples: $(VENV)/.engines  ## every script runs, and every plan is read
	for script in examples/*.py examples/strategies/*.py; do $(BIN)/python -W error $$script > /dev/null || exit 1; done

calibrate: $(VENV)/.engines  ## slow: error rates and coverage by simulation, and their table in the docs
	$(BIN)/python -m pytest -m calibration

bench: $(VENV)/.bench  ## abkit beside its peers: hand-written SQL, tea-tasting, bayesian-testing, SciPy, statsmodels
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) site build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
