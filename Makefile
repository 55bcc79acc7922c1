# The targets people need; tools/prepare.py sets up what each asks for.
.PHONY: run test prove lint bench docs pin clean
PYTHON ?= python3
BIN := .venv/bin
# Where it is set, every process of ours would compile all that it imports anew, and take twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

run:
	@$(PYTHON) tools/prepare.py run
	@exec $(BIN)/guardship up

test:
	@$(PYTHON) tools/prepare.py dev
	@$(BIN)/pytest -q -p no:cacheprovider $(TESTS)

prove:
	@$(PYTHON) tools/prepare.py dev
	@GUARDSHIP_PROVE=1 $(BIN)/pytest -q -p no:cacheprovider --durations=20 $(TESTS)
	@$(BIN)/python tools/prove.py

lint:
	@$(PYTHON) tools/prepare.py dev
	@$(BIN)/ruff check src tests benchmarks tools hatch_build.py
	@$(BIN)/ruff format --check --quiet src tests benchmarks tools hatch_build.py
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/codespell src tests docs README.md CONTRIBUTING.md SECURITY.md changes benchmarks tools web/src
	@cd web && npm run --silent lint

bench:
	@$(PYTHON) tools/prepare.py dev
	@$(BIN)/python -m benchmarks

docs:
	@$(PYTHON) tools/prepare.py python
	@$(BIN)/python tools/reference_pages.py
	@$(BIN)/mkdocs build --strict --quiet

pin:
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url pyproject.toml requirements/run.in -o requirements/run.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -c requirements/run.txt pyproject.toml requirements/dev.in -o requirements/dev.txt

clean:
	@rm -rf .venv .make web/node_modules src/guardship/api/static site
