# Two commands do everything: `make demo` and `make test`. Both mend a broken .venv by making a new one.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-oldest clean

demo:
	@PYTHON="$(PYTHON)" .ci/venv report
	@$(BIN)/dataaudit demo --out demo-results

# Each pytest process keeps to one thread of BLAS and OpenMP: two of them share two cores, and waiting threads spin.
test:
	@PYTHON="$(PYTHON)" .ci/venv dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --durations=60 --durations-min=3 -n 2 --dist loadfile --ignore=tests/cluster --ignore=tests/holdout
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --durations=20 tests/cluster tests/holdout
	@PYTHON="$(PYTHON)" .ci/oldest

# Some of the tests on the oldest versions that pyproject.toml allows, and newer Pythons where they are.
test-oldest:
	@PYTHON="$(PYTHON)" .ci/venv dev
	@PYTHON="$(PYTHON)" .ci/oldest

clean:
	rm -rf .venv .venv-oldest demo-results dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
