"""Every picture of an item embedded, and the item found by its best one."""

import csv

import numpy as np
import pytest

from conftest import paint
from coordi.data.images import decode_image
from coordi.engine import Engine, IngestInterrupted
from coordi.engine import ingest as ingest_module
from coordi.errors import EncoderError, InputError
from coordi.types import Query
from fakes import ColorHistogram

ITEMS = {
    "tee": ["red", "blue", "purple"],
    "hat": ["green"],
    "bag": ["orange", "black"],
    "sock": ["white", "yellow", "gray", "navy"],
}


@pytest.fixture
def feed(tmp_path):
    """Items of several pictures, each of one colour."""
    folder = tmp_path / "shop"
    folder.mkdir()
    for number, color in enumerate(color for colors in ITEMS.values() for color in colors):
        paint(folder / f"{color}.png", color, number)
    return write(folder / "feed.csv", ITEMS)


def write(path, items, price="1"):
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "image", "title", "price"])
        for id, colors in items.items():
            rows.writerow([id, ";".join(f"{color}.png" for color in colors), id, price])
    return path


@pytest.fixture
def encoder():
    return ColorHistogram()


@pytest.fixture
def engine(tmp_path, encoder):
    with Engine.open(tmp_path / "store", encoder=encoder, create=True) as engine:
        yield engine


def look(engine, feed, color, **options):
    """Hits for one of the pictures: (id, score)."""
    pixels = decode_image((feed.parent / f"{color}.png").read_bytes())
    answer = engine.search(Query(image=pixels, **options))
    return [(hit.item.id, round(hit.score, 4)) for hit in answer.hits]


def counts(report):
    return report.added, report.updated, report.unchanged, report.images


def test_an_item_is_found_by_any_of_its_pictures(engine, feed):
    assert counts(engine.ingest(feed, views="all")) == (4, 0, 0, 10)
    for id, colors in ITEMS.items():
        for color in colors:
            hits = look(engine, feed, color)
            assert hits[0] == (id, 1.0)
            assert sorted(id for id, _ in hits) == sorted(ITEMS)
    assert look(engine, feed, "navy", where="title != 'sock'")[0][1] < 1
    assert look(engine, feed, "purple", limit=1, offset=1) == look(engine, feed, "purple")[1:2]
    [entry] = engine.stats().encoders
    assert entry.views == "all"


def test_an_items_own_views_are_not_its_neighbours(engine, feed):
    engine.ingest(feed, views="all")
    answer = engine.search(Query(item="sock", text="navy", weights={"item": 0.1}, explain=True))
    assert sorted(hit.item.id for hit in answer.hits) == ["bag", "hat", "tee"]
    for hit in answer.hits:
        assert sum(hit.parts.values()) == pytest.approx(hit.score)
    assert (answer.total, answer.filtered_out) == (4, 0)


def test_from_main_to_all_only_the_further_ones_are_embedded_and_back_drops_them(engine, feed):
    assert counts(engine.ingest(feed)) == (4, 0, 0, 4)
    assert look(engine, feed, "purple")[0][1] < 1
    assert counts(engine.ingest(feed, views="all")) == (0, 3, 1, 6)
    assert look(engine, feed, "purple")[0] == ("tee", 1.0)
    assert counts(engine.ingest(feed)) == (0, 0, 4, 0)  # it stays as it is
    assert counts(engine.ingest(feed, views="main")) == (0, 3, 1, 0)
    assert look(engine, feed, "purple")[0][1] < 1
    assert engine.stats().encoders[0].views == "main"
    assert counts(engine.ingest(feed)) == (0, 0, 4, 0)


def test_only_what_changed_is_embedded_again(engine, feed):
    engine.ingest(feed, views="all")
    paint(feed.parent / "yellow.png", "pink", 77, size=(40, 40))
    assert counts(engine.ingest(feed)) == (0, 1, 3, 1)
    assert look(engine, feed, "yellow")[0] == ("sock", 1.0)
    paint(feed.parent / "white.png", "brown", 78, size=(40, 40))  # a main one
    assert counts(engine.ingest(feed)) == (0, 1, 3, 1)
    assert look(engine, feed, "navy")[0] == ("sock", 1.0)
    write(feed, ITEMS | {"sock": ["white", "navy", "yellow"], "hat": ["green", "gray"]})
    assert counts(engine.ingest(feed)) == (0, 2, 2, 1)
    assert look(engine, feed, "gray")[0] == ("hat", 1.0)
    assert look(engine, feed, "navy")[0] == ("sock", 1.0)
    write(feed, ITEMS | {"sock": ["white", "navy", "yellow"], "hat": ["green", "gray"]}, "2")
    assert counts(engine.ingest(feed)) == (0, 4, 0, 0)
    assert look(engine, feed, "yellow")[0] == ("sock", 1.0)


def test_a_further_picture_that_cannot_be_decoded_is_left_out_and_said(engine, feed):
    whole = (feed.parent / "yellow.png").read_bytes()
    (feed.parent / "yellow.png").write_bytes(whole[:60])
    for count in ((4, 0), (0, 4)):
        report = engine.ingest(feed, views="all")
        assert (report.added, report.unchanged, report.failed) == (*count, 0)
        assert report.read == report.added + report.unchanged
        [problem] = report.problems
        assert (problem.id, problem.rows) == ("sock", 0)
        assert "without this further picture" in problem.reason
    assert [ref.path.stem for ref in engine.get(["sock"])[0].more] == ["gray", "navy"]
    assert look(engine, feed, "navy")[0] == ("sock", 1.0)
    (feed.parent / "yellow.png").write_bytes(whole)
    assert counts(engine.ingest(feed)) == (0, 1, 3, 1)
    assert look(engine, feed, "yellow")[0] == ("sock", 1.0)


def test_an_item_whose_main_picture_fails_is_one_failed_row(engine, feed):
    (feed.parent / "white.png").write_bytes((feed.parent / "white.png").read_bytes()[:60])
    report = engine.ingest(feed, views="all")
    assert (report.added, report.failed, report.read, len(report.problems)) == (3, 1, 4, 1)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_stopped_ingest_is_completed(engine, feed, encoder, monkeypatch, batch):
    monkeypatch.setattr(ingest_module, "BATCH", batch)
    monkeypatch.setattr(ingest_module, "AHEAD", batch)
    encode = encoder.encode_prepared

    def stopped(pixels):
        if encoder.encoded >= 4:
            raise KeyboardInterrupt
        return encode(pixels)

    monkeypatch.setattr(encoder, "encode_prepared", stopped)
    with pytest.raises(IngestInterrupted) as stop:
        engine.ingest(feed, views="all")
    done = stop.value.report
    assert done.read == done.added == engine.store.count() < 4
    monkeypatch.undo()
    report = engine.ingest(feed)
    assert (report.views, report.added + done.added, report.unchanged) == ("all", 4, done.added)
    for id, colors in ITEMS.items():
        assert [look(engine, feed, color)[0] for color in colors] == [(id, 1.0)] * len(colors)


def test_a_second_encoder_has_views_of_its_own(engine, feed, tmp_path):
    engine.ingest(feed, views="all")
    other = ColorHistogram("other", "0" * 16)
    with Engine.open(tmp_path / "store", encoder=other) as second:
        assert counts(second.ingest(feed)) == (0, 4, 0, 4)
        assert look(second, feed, "purple")[0][1] < 1
    assert look(engine, feed, "purple")[0] == ("tee", 1.0)
    assert [entry.views for entry in engine.stats().encoders] == ["all", "main"]
    assert counts(engine.ingest(feed)) == (0, 0, 4, 0)


def test_views_come_back_with_the_store(engine, feed, tmp_path, encoder):
    engine.ingest(feed, views="all")
    engine.store.delete(["bag"])
    engine.store.compact()
    with Engine.open(tmp_path / "store", encoder=encoder) as again:
        assert look(again, feed, "purple")[0] == ("tee", 1.0)
        assert "bag" not in dict(look(again, feed, "black"))
        [vectors] = again.store.further_of(["sock"], encoder.fingerprint)
        assert vectors.shape == (3, encoder.dim)
        assert np.isfinite(vectors).all()


def test_what_cannot_be_is_said_before_the_work(feed, tmp_path):
    words = ColorHistogram(modalities=frozenset({"text"}))
    with Engine.open(tmp_path / "store", encoder=words, create=True) as engine:
        with pytest.raises(EncoderError, match="takes no pictures"):
            engine.ingest(feed, views="all")
        with pytest.raises(InputError, match="one of main, all"):
            engine.ingest(feed, views="best")
        assert engine.store.count() == 0
