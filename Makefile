# Two commands for a fresh machine with Python 3.11 or newer:
#
#   make demo [CATALOG=path] [OPTIONS=...]   installs coordi's base, embeds a catalogue, serves it
#   make test                                installs extras and tools as well, runs the tests
#
# OPTIONS are those of `coordi demo`: OPTIONS=--fetch downloads pictures that stand as addresses.
#
# Both use the environment .venv, and skip what an earlier run has done.

PYTHON ?= python3
VENV ?= .venv
CATALOG ?=
OPTIONS ?=

BIN := $(VENV)/bin
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv)
STAMPS := $(VENV)/.stamps

ifdef UV
# uv does not read pip's settings; hand it the places where pip looks for packages.
pip_setting = $(shell $(PYTHON) -m pip config list 2>/dev/null | sed -n "s/.*$(1)='\(.*\)'/\1/p" | tail -1)
export UV_FIND_LINKS ?= $(call pip_setting,find-links)
export UV_EXTRA_INDEX_URL ?= $(call pip_setting,extra-index-url)
INSTALL := VIRTUAL_ENV=$(VENV) uv pip install
else
INSTALL := $(BIN)/python -m pip install
endif

.PHONY: demo test

demo: $(STAMPS)/package
	$(BIN)/coordi demo $(if $(CATALOG),"$(CATALOG)") $(OPTIONS)

test: $(STAMPS)/tools
	$(BIN)/python -m pytest -n auto --dist loadfile

$(STAMPS)/python:
	$(PYTHON) -m venv $(VENV)
	$(if $(UV),,$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1')
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/package: pyproject.toml constraints.txt | $(STAMPS)/python
	$(INSTALL) -c constraints.txt -e .
	touch $@

$(STAMPS)/tools: pyproject.toml constraints.txt | $(STAMPS)/python
	$(INSTALL) -c constraints.txt -e . --group dev
	touch $@ $(STAMPS)/package
