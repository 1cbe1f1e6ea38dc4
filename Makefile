# Two commands do everything: `make demo` and `make test`. Both mend a broken .venv by making a new one.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test clean

demo:
	@PYTHON="$(PYTHON)" .ci/venv report
	@$(BIN)/dataaudit demo --out demo-results

test:
	@PYTHON="$(PYTHON)" .ci/venv dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/cluster --ignore=tests/holdout
	$(BIN)/python -m pytest tests/cluster tests/holdout

clean:
	rm -rf .venv demo-results dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
