# PYTHON=... picks the interpreter for .venv; without it the first of these that is new enough is taken.
PYTHON_CANDIDATES = $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)
CATALOGUES = $(patsubst %.po,%.mo,$(wildcard templates/translations/*/LC_MESSAGES/*.po))
PIP_INSTALL = .venv/bin/python -m pip install --quiet --disable-pip-version-check
BUILD_FILES = pyproject.toml hatch_build.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two pips in one .venv would tread on each other.
.NOTPARALLEL:
.PHONY: help run test soak format texts translations

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Development data stay in the clone; the command by itself would use the user's data folder.
run: export SURFPASS_DATA_DIR ?= $(CURDIR)/.surfpass
run: .venv/.installed $(CATALOGUES) ## install into .venv and start the whole PoP in the foreground
	@exec .venv/bin/surfpass run

test: .venv/.installed-dev $(CATALOGUES) ## install what the tests need and check everything
	@tests/install-system-packages
	@echo 'ruff check' && .venv/bin/ruff check --quiet .
	@echo 'ruff format --check' && .venv/bin/ruff format --check --quiet . \
		|| { echo 'Some files are not formatted; "make format" puts them right:' >&2; \
		     .venv/bin/ruff format --check . >&2; exit 1; }
	@echo 'mypy --strict' && .venv/bin/mypy --no-error-summary
	@echo 'lint-imports' && out=$$(.venv/bin/lint-imports 2>&1) || { echo "$$out" >&2; exit 1; }
	@echo 'pytest, two at a time' && .venv/bin/pytest --quiet --numprocesses 2 -m 'not soak and not alone'
	@echo 'pytest, one by one' && .venv/bin/pytest --quiet -m 'alone and not soak'

soak: .venv/.installed-dev $(CATALOGUES) ## the long rounds that "make test" leaves out
	@tests/install-system-packages
	@.venv/bin/pytest -m soak

format: .venv/.installed-dev ## format the code and repair what ruff can repair
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format --quiet .

EXTRACT = .venv/bin/pybabel --quiet extract --mapping-file pyproject.toml --keywords '_l lazy_gettext lazy_ngettext:1,2' \
	--add-location file --sort-by-file --width 120
UPDATE = .venv/bin/pybabel --quiet update --output-dir templates/translations \
	--ignore-obsolete --no-fuzzy-matching --ignore-pot-creation-date --width 120

# Guests are spoken to in more languages than staff, so the texts of either have catalogues of their own.
texts: .venv/.installed-dev ## carry new, changed and deleted texts into the gettext catalogues, to be translated there
	@template=$$(mktemp) && trap 'rm -f "$$template"' EXIT && \
	$(EXTRACT) --ignore-dirs staff --output-file "$$template" portal templates && \
	$(UPDATE) --domain messages --input-file "$$template" && \
	$(EXTRACT) --output-file "$$template" portal/staff templates/staff && \
	$(UPDATE) --domain staff --input-file "$$template"

translations: .venv/.installed $(CATALOGUES) ## compile the gettext catalogues
	@:

# --clear: whatever an interrupted or outdated attempt left behind is no good.
.venv/bin/python:
	@python=; \
	for candidate in $(PYTHON_CANDIDATES); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'surfpass needs Python 3.11 or newer, and none of "$(PYTHON_CANDIDATES)" is:' \
			'install one (Debian 12 or later: apt-get install python3 python3-venv) or name it with PYTHON=...' >&2; \
		exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$python comes without venv: install it" \
			'(Debian: apt-get install python3-venv) and run make again.' >&2; \
		exit 1; \
	fi; \
	"$$python" -m venv --clear .venv || { rm -rf .venv; exit 1; }

.venv/.installed: .venv/bin/python $(BUILD_FILES)
	@echo 'Installing surfpass into .venv (the first time takes a minute)'
	@$(PIP_INSTALL) --editable .
	@touch $@

.venv/.installed-dev: .venv/bin/python $(BUILD_FILES)
	@echo 'Installing surfpass and its development tools into .venv (the first time takes a minute)'
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch .venv/.installed $@

# The build compiles them as well; this rule is for catalogues edited since.
%.mo: %.po | .venv/bin/python
	@.venv/bin/pybabel --quiet compile --input-file $< --output-file $@ \
		--locale $(notdir $(patsubst %/LC_MESSAGES/,%,$(dir $<)))
