"""Floors are measured when a store is filled, kept with it, and never in the way."""

import json

import numpy as np
import pytest

from conftest import make_catalog
from coordi.engine import Engine
from coordi.engine.floors import NAME
from coordi.types import Query
from fakes import ColorHistogram


@pytest.fixture
def filled(tmp_path):
    with Engine.open(tmp_path / "store", encoder=ColorHistogram(), create=True) as engine:
        engine.ingest(make_catalog(tmp_path / "first", 40))
        yield engine


def kept(engine):
    return json.loads((engine.store.path / NAME).read_text())


def floor(engine, **asked):
    return engine.search(Query(**(asked or {"image": np.zeros((8, 8, 3), np.uint8)}))).floor


def test_a_filled_store_knows_what_is_far(filled):
    (entry,) = kept(filled).values()
    assert entry["items"] == 40
    assert floor(filled) == entry["photos"]
    assert floor(filled, text="blue") is None  # items have the word


def test_it_is_measured_anew_once_the_store_has_grown(filled, tmp_path):
    before = kept(filled)
    filled.ingest(make_catalog(tmp_path / "few", 44))
    assert kept(filled) == before
    filled.ingest(make_catalog(tmp_path / "many", 60))
    (entry,) = kept(filled).values()
    assert entry["items"] == 60


def test_each_encoder_has_its_own(filled, tmp_path):
    other = ColorHistogram("other", "0123456789abcdef")
    with Engine.open(filled.store.path, encoder=other) as second:
        assert floor_of_file(filled, other) is None
        second.ingest(make_catalog(tmp_path / "again", 40))
    assert set(kept(filled)) == {ColorHistogram().fingerprint, other.fingerprint}


def floor_of_file(engine, encoder):
    return kept(engine).get(encoder.fingerprint)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"c0105c0105c01050": {"photos": "x"}}', "null"]
)
def test_without_a_file_or_with_a_damaged_one_nothing_is_said_to_be_far(filled, content):
    place = filled.store.path / NAME
    place.write_text(content)
    assert floor(filled) is None
    place.unlink()
    assert floor(filled) is None
