# Two commands do everything: `make demo` and `make test`. Both mend a broken .venv by making a new one.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-oldest docs picture clean types processes oldest

# Programs that tests start load compiled modules, whatever the caller's own Python may write.
# Each pytest process keeps to one thread of BLAS and OpenMP: two of them share two cores, and waiting threads spin.
test processes oldest: export PYTHONDONTWRITEBYTECODE =
test processes oldest: export OMP_NUM_THREADS = 1

demo:
	@PYTHON="$(PYTHON)" .ci/venv report
	@$(BIN)/dataaudit demo --out demo-results

# Output stays together for each target, where this make can do that.
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

# What uses one core, or waits, goes two at a time, after the suite that uses both.
test:
	@PYTHON="$(PYTHON)" .ci/venv dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m pytest --durations=60 --durations-min=3 -n 2 --dist loadfile $(PROCESSES:%=--ignore=%)
	@$(MAKE) --no-print-directory --jobs=2 $(SYNC) processes types oldest

# Tests that start processes and nodes of their own, in one process.
PROCESSES := tests/cluster tests/holdout
processes:
	$(BIN)/python -m pytest --durations=20 $(PROCESSES)

types:
	$(BIN)/mypy

# Some of the tests on the oldest versions that pyproject.toml allows, and newer Pythons where they are.
test-oldest:
	@PYTHON="$(PYTHON)" .ci/venv dev
	@$(MAKE) --no-print-directory oldest

oldest:
	@PYTHON="$(PYTHON)" .ci/oldest

# The site, in docs/_build: no network, and a warning is an error.
docs:
	@PYTHON="$(PYTHON)" .ci/venv docs
	@mkdir -p docs/_build/source
	$(BIN)/python -m sphinx -b html -W --keep-going -c docs docs/_build/source docs/_build/html
	@echo "docs/_build/html/index.html"

# The README's picture, from Debian's Fashion-MNIST and its chromium; it says so where either is absent.
picture:
	@PYTHON="$(PYTHON)" .ci/venv dev
	@$(BIN)/python -m benchmarks.report.picture

clean:
	rm -rf .venv .venv-oldest demo-results dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
