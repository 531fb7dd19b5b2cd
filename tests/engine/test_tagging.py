"""Tagging a store: what its items teach, what they are told, and what stays theirs."""

import numpy as np
import pytest

from conftest import paint, write_rows
from coordi.data.colors import color_features, garment_pixels
from coordi.engine import Engine, tagging
from coordi.errors import InputError
from coordi.models.tagger import packaged
from coordi.models.tagger.probe import Probe, fit
from coordi.models.tagger.tagger import Tagger
from coordi.types import Query
from fakes import ColorHistogram

KIND = {"red": "Shirts", "blue": "Skirts"}
COUNT, SILENT = 140, 20


def rows_of(numbers):
    """Red shirts and blue skirts; the last say no category, and one says a wrong one."""
    out = []
    for number in numbers:
        color = ("red", "blue")[number % 2]
        category = KIND[color] if number < COUNT - SILENT else ""
        out.append(
            {
                "id": f"i{number:03}",
                "image": f"images/{color}{number % 6}.png",
                "title": f"garment {number}",
                "category": "Hats" if number == 3 else category,
            }
        )
    return out  # fmt: skip


@pytest.fixture(autouse=True)
def _dyes(monkeypatch):
    """Colours by pixels, learned from plain ones: those that ship know photos."""
    rng = np.random.default_rng(0)
    names, rows = [], []
    for name, color in {"red": (255, 0, 0), "blue": (0, 0, 255), "green": (0, 128, 0)}.items():
        for _ in range(40):
            image = np.clip(color + rng.integers(-12, 13, (60, 40, 3)), 0, 255).astype(np.uint8)
            names.append(name)
            rows.append(color_features(garment_pixels(image)))
    features = np.stack(rows)
    probe = fit("color", features, names, reads="color")
    numbers = np.array([probe.classes.index(name) for name in names])
    tagger = Tagger("", (probe.calibrated(features, numbers),), "colours")
    monkeypatch.setattr(packaged, "pixel_colors", lambda: tagger)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    for seed in range(6):
        for color in KIND:
            paint(folder / f"images/{color}{seed}.png", color, seed)
    write_rows(folder / "catalog.csv", rows_of(range(COUNT)))
    return folder / "catalog.csv"


@pytest.fixture
def engine(shop, tmp_path):
    with Engine.open(tmp_path / "store", encoder=ColorHistogram(), create=True) as engine:
        engine.ingest(shop)
        yield engine


def kinds(engine):
    return [item.fields.get("auto_category") for item in engine.get(sorted(engine.store.ids()))]


def test_items_teach_the_others_and_keep_what_they_say(engine):
    report = engine.tag(learn=["category"])
    assert report.written["category"] == SILENT
    assert kinds(engine) == [None] * (COUNT - SILENT) + ["Shirts", "Skirts"] * (SILENT // 2)
    [wrong] = engine.get(["i003"])
    assert wrong.fields["category"] == "Hats"
    [last] = engine.get(["i139"])
    assert last.fields["auto_category_confidence"] >= 0.9
    assert last.fields["auto_color"] == "blue"
    facets = {facet.name: facet.values for facet in engine.facets()}
    assert dict(facets["auto_category"]) == {"Shirts": 10, "Skirts": 10}
    found = engine.search(Query(text="skirts", by="words", limit=100)).hits
    assert "i139" in {hit.item.id for hit in found}


def test_the_same_again_has_nothing_to_do(engine):
    engine.tag(learn=["category"])
    version = engine.store.version
    report = engine.tag()
    assert (report.items, report.already, report.origin) == (0, COUNT, "learned")
    assert engine.store.version == version


def test_an_ingest_tags_what_it_brings(engine, shop, tmp_path):
    engine.tag(learn=["category"])
    assert engine.ingest(shop).unchanged == COUNT
    for color in KIND:
        paint(tmp_path / f"images/{color}0.png", color, 0)
    rows = [{**row, "id": f"new{n}", "image": f"images/{('red', 'blue')[n]}0.png"}
            for n, row in enumerate(rows_of([COUNT, COUNT + 1]))]  # fmt: skip
    write_rows(tmp_path / "more.csv", rows)
    report = engine.ingest(tmp_path / "more.csv")
    assert any("2 items were tagged" in note for note in report.notes)
    assert [item.fields["auto_category"] for item in engine.get(["new0", "new1"])] == [
        "Shirts", "Skirts"]  # fmt: skip


def test_tags_are_taken_away_again(engine):
    before = [item.fields for item in engine.get(sorted(engine.store.ids()))]
    engine.tag(learn=["category"])
    assert engine.untag() == COUNT
    assert [item.fields for item in engine.get(sorted(engine.store.ids()))] == before
    assert {facet.name for facet in engine.facets()} == {"category"}
    assert tagging.kept(engine.store.path) is None


def test_a_stopped_run_goes_on_behind_what_it_did(engine, monkeypatch):
    monkeypatch.setattr(tagging, "STEP_ITEMS", 50)

    def stop(done, total):
        if done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="go on from there"):
        engine.tag(learn=["category"], on_progress=stop)
    assert len(engine.store.told()) == 100
    report = engine.tag()
    assert (report.items, report.already, report.origin) == (40, 100, "learned")
    assert kinds(engine)[-2:] == ["Shirts", "Skirts"]


def test_what_cannot_be_learned_says_why(engine):
    with pytest.raises(InputError, match=r"fields: category"):
        engine.tag(learn=["fabric"])
    with pytest.raises(InputError, match="automatic"):
        engine.tag(learn=["auto_category"])
    with Engine.open(engine.store.path, encoder=ColorHistogram()) as again:
        again.delete([f"i{n:03}" for n in range(20, COUNT)])
        with pytest.raises(InputError, match="cannot be learned: 20 items"):
            again.tag(learn=["category"])


def test_without_a_tagger_only_colours_are_told(shop, tmp_path):
    fake = ColorHistogram("pictures-only", "f" * 16, frozenset({"image"}))
    with Engine.open(tmp_path / "store", encoder=fake, create=True) as engine:
        engine.ingest(shop)
        report = engine.tag()
        assert set(report.written) == {"color"}
        assert any("only colours" in note for note in report.notes)
        [red] = engine.get(["i000"])
        assert red.fields["auto_colors"] == "red"
        assert red.fields["auto_colors_share_1"] > 0.9


def test_a_lost_picture_is_reported_and_the_rest_goes_on(engine, shop):
    taken = shop.parent / "images/red0.png"
    data = taken.read_bytes()
    taken.unlink()
    try:
        report = engine.tag(learn=["category"])
    finally:
        taken.write_bytes(data)
    assert {problem.id for problem in report.problems} >= {"i000"}
    assert report.items == COUNT
    assert "auto_color" not in engine.get(["i000"])[0].fields


def test_a_given_file_is_used(engine, tmp_path):
    dim = ColorHistogram.dim
    weights = np.zeros((dim, 2), np.float32)
    gender = Probe("gender", ("men", "women"), weights, np.array([0, 5], np.float32),
                   confidence=0.9)  # fmt: skip
    Tagger(engine.encoder.fingerprint, (gender,), "mine").save(tmp_path / "mine.npz")
    assert engine.tag(tagger=tmp_path / "mine.npz").written == {"gender": COUNT}
