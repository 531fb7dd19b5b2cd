"""docs/api.md names the routes, parameters, codes and limits that the service has."""

import json
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from coordi.serve import Limits, create_app
from coordi.serve.asking import SearchForm
from coordi.serve.errors import HTTP_CODES, TABLE
from coordi.serve.wire import SearchOut

from .fakes import FakeEngine

DOCS = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_route_is_documented_and_there_is_no_other():
    documented = set(re.findall(r"`(?:GET|POST) (/v1/[a-z]+)", DOCS))
    paths = create_app(FakeEngine()).openapi()["paths"]
    assert documented == {re.sub(r"/\{.*", "", path) for path in paths}


def test_every_search_parameter_is_documented():
    table = DOCS.split("| Parameter |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`(?=[,| ])", table.replace("`score`", ""))) >= set(
        SearchForm.model_fields
    )


def test_every_error_code_is_documented():
    codes = {code for _, code, *_ in TABLE.values()} | set(HTTP_CODES.values())
    table = DOCS.split("## Errors")[1]
    assert [code for code in sorted(codes) if f"`{code}`" not in table] == []


def test_the_answer_shown_is_one():
    shown = re.search(r"```json\n(\{\n  \"hits\".*?)```", DOCS, re.S)
    TypeAdapter(SearchOut).validate_python(json.loads(shown[1]), extra="forbid")


@pytest.mark.parametrize("stated", ["10 MB", "50 million pixels", "(at most 100)"])
def test_the_limits_stated_are_the_defaults(stated):
    assert stated in DOCS
    assert Limits() == Limits(upload_bytes=10_000_000, upload_pixels=50_000_000, page=100)
