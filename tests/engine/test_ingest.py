"""Ingest: what goes in, what is skipped, what a bad row costs, and what an interruption leaves."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from conftest import COLORS, make_rows, paint, write_rows
from coordi.data.images import decode_image
from coordi.engine import Engine, IngestInterrupted, IngestProgress
from coordi.engine import ingest as ingest_module
from coordi.errors import NotFoundError, StoreLockedError
from fakes import ColorHistogram


@pytest.fixture
def encoder():
    return ColorHistogram()


@pytest.fixture
def engine(tmp_path, encoder):
    with Engine.open(tmp_path / "store", encoder=encoder, create=True) as engine:
        yield engine


def rows_of(catalog: Path) -> list[dict[str, str]]:
    with catalog.open(newline="") as file:
        return list(csv.DictReader(file))


def contents(engine: Engine) -> dict[str, tuple[str, dict, bytes]]:
    """Everything stored, by id, vectors included."""
    vectors = {}
    for ids, rows in engine.store.vectors(engine.encoder.fingerprint):
        vectors |= dict(zip(ids, rows, strict=True))
    items = engine.get(engine.store.ids())
    return {i.id: (i.title, dict(i.fields), vectors[i.id].tobytes()) for i in items}


def test_every_row_goes_in_with_its_own_vector(engine, catalog, encoder):
    report = engine.ingest(catalog)
    assert (report.read, report.added, report.failed) == (24, 24, 0)
    assert report.mapping["title"] == "title"
    assert engine.store.ids() == [f"item-{n}" for n in range(24)]
    for number in (0, 7, 23):
        pixels = decode_image((catalog.parent / f"images/{number}.png").read_bytes())
        expected = encoder.encode_images([pixels])
        stored = engine.store.vectors_of([f"item-{number}"], encoder.fingerprint)
        np.testing.assert_allclose(stored, expected, atol=1e-6)
    item = engine.get(["item-3"])[0]
    assert (item.title, item.fields["category"], item.fields["price"]) == (
        "a black dress",
        "dress",
        13,
    )


def test_batches_and_steps_that_do_not_divide_the_rows(engine, catalog, encoder, monkeypatch):
    whole = Engine.open(catalog.parent / "whole", encoder=encoder, create=True)
    whole.ingest(catalog)
    monkeypatch.setattr(ingest_module, "BATCH", 5)
    monkeypatch.setattr(ingest_module, "AHEAD", 7)
    monkeypatch.setattr(ingest_module, "STEP_ITEMS", 9)
    assert engine.ingest(catalog).added == 24
    assert contents(engine) == contents(whole)


def test_second_ingest_encodes_and_writes_nothing(engine, catalog, encoder):
    engine.ingest(catalog)
    encoded, version = encoder.encoded, engine.store.version
    report = engine.ingest(catalog)
    assert (report.added, report.updated, report.unchanged) == (0, 0, 24)
    assert (encoder.encoded, engine.store.version) == (encoded, version)


def test_a_changed_picture_is_encoded_again_alone(engine, catalog, encoder):
    engine.ingest(catalog)
    before = contents(engine)
    paint(catalog.parent / "images/4.png", "purple", 99, size=(50, 50))
    encoded = encoder.encoded
    report = engine.ingest(catalog)
    assert (report.updated, report.unchanged) == (1, 23)
    assert encoder.encoded == encoded + 1
    after = contents(engine)
    assert [id for id in before if before[id] != after[id]] == ["item-4"]


def test_a_changed_price_is_stored_without_encoding(engine, catalog, encoder):
    engine.ingest(catalog)
    vector = contents(engine)["item-4"][2]
    rows = rows_of(catalog)
    rows[4]["price"] = "99"
    write_rows(catalog, rows)
    encoded = encoder.encoded
    report = engine.ingest(catalog)
    assert (report.updated, report.unchanged, encoder.encoded) == (1, 23, encoded)
    assert engine.get(["item-4"])[0].fields["price"] == 99
    assert contents(engine)["item-4"][2] == vector


def test_bad_rows_are_reported_and_the_rest_goes_in(engine, catalog):
    images = catalog.parent / "images"
    (images / "3.png").write_text("not a picture")
    (images / "5.png").write_bytes((images / "6.png").read_bytes()[:80])
    (images / "8.png").unlink()
    rows = rows_of(catalog)
    rows[9]["id"] = "item-1"
    write_rows(catalog, rows)
    report = engine.ingest(catalog)
    assert (report.added, report.failed, report.read) == (20, 4, 24)
    found = {(problem.origin.line, problem.id) for problem in report.problems}
    assert found == {(5, "item-3"), (7, "item-5"), (10, "item-8"), (11, "item-1")}
    assert all(problem.reason for problem in report.problems)
    assert engine.store.count() == 20


def test_a_repaired_picture_goes_in_the_next_time(engine, catalog):
    (catalog.parent / "images/3.png").write_text("not a picture")
    assert engine.ingest(catalog).failed == 1
    paint(catalog.parent / "images/3.png", "black", 3)
    report = engine.ingest(catalog)
    assert (report.added, report.unchanged, report.failed) == (1, 23, 0)


def test_a_catalogue_without_pictures_is_embedded_by_its_words(engine, tmp_path):
    path = tmp_path / "words.csv"
    write_rows(path, [{"id": str(n), "title": f"a {color} hat"} for n, color in enumerate(COLORS)])
    report = engine.ingest(path)
    assert (report.added, report.text_only, report.images_per_second) == (8, 8, 0)
    expected = engine.encoder.encode_texts([f"a {color} hat" for color in COLORS])
    stored = engine.store.vectors_of([str(n) for n in range(8)], engine.encoder.fingerprint)
    np.testing.assert_allclose(stored, expected, atol=1e-6)
    assert engine.ingest(path).unchanged == 8


def test_words_that_the_encoder_cannot_take_are_a_problem(tmp_path):
    path = tmp_path / "words.csv"
    write_rows(path, [{"id": "1", "title": "a hat"}])
    pictures_only = ColorHistogram("pictures-only", "f" * 16, frozenset({"image"}))
    with Engine.open(tmp_path / "s", encoder=pictures_only, create=True) as engine:
        report = engine.ingest(path)
    assert report.failed == 1
    assert "pictures-only takes pictures" in report.problems[0].reason


def test_vanished_rows_stay_unless_pruned(engine, catalog, tmp_path):
    other = tmp_path / "other.csv"
    write_rows(other, [{"id": "from-elsewhere", "title": "a red hat"}])
    engine.ingest(other)
    engine.ingest(catalog)
    (catalog.parent / "images/2.png").unlink()  # listed, though with a problem
    write_rows(catalog, rows_of(catalog)[:20])
    assert engine.ingest(catalog).pruned == 0
    assert engine.store.count() == 25
    assert engine.ingest(catalog, prune=True).pruned == 4
    assert set(engine.store.ids()) == {f"item-{n}" for n in range(20)} | {"from-elsewhere"}


def test_vanished_pictures_of_a_folder_are_pruned(engine, catalog):
    folder = catalog.parent / "images"
    engine.ingest(folder)
    (folder / "7.png").unlink()
    assert engine.ingest(folder, prune=True).pruned == 1
    assert "7.png" not in engine.store.ids()


@pytest.mark.parametrize("damage", ["empty", "torn"])
def test_nothing_is_pruned_by_a_catalogue_that_does_not_say_what_it_lists(engine, catalog, damage):
    engine.ingest(catalog)
    header, *lines = catalog.read_text().splitlines(keepends=True)
    left = [] if damage == "empty" else ["item-0\n", *lines[1:]]
    catalog.write_text(header + "".join(left))
    report = engine.ingest(catalog, prune=True)
    assert (report.pruned, engine.store.count()) == (0, 24)
    assert report.problems[-1].reason.startswith("nothing was pruned")
    assert (report.problems[-1].rows, report.failed) == (0, 0 if damage == "empty" else 1)


def test_what_costs_no_row_is_reported_and_not_counted(engine, catalog):
    rows = rows_of(catalog)
    column = next(name for name in rows[0] if "image" in name)
    write_rows(catalog, [row | {column: f"{row[column]}, gone.png"} for row in rows])
    report = engine.ingest(catalog)
    assert (report.read, report.added, report.failed) == (24, 24, 0)
    assert len(report.problems) == 24


class Interrupting(ColorHistogram):
    """Raises KeyboardInterrupt at the given batch."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def encode_prepared(self, batch):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().encode_prepared(batch)


@pytest.mark.parametrize("at", [0, 1, 3])
def test_interruption_keeps_what_is_encoded_and_the_next_run_goes_on(
    catalog, tmp_path, encoder, monkeypatch, at
):
    monkeypatch.setattr(ingest_module, "BATCH", 5)
    with Engine.open(tmp_path / "store", encoder=Interrupting(at), create=True) as engine:
        with pytest.raises(IngestInterrupted) as stop:
            engine.ingest(catalog)
        assert stop.value.report.added == 5 * at == engine.store.count()
    with Engine.open(tmp_path / "store", encoder=encoder) as engine:
        report = engine.ingest(catalog)
        assert (report.unchanged, report.added) == (5 * at, 24 - 5 * at)
        undisturbed = Engine.open(tmp_path / "whole", encoder=encoder, create=True)
        undisturbed.ingest(catalog)
        assert contents(engine) == contents(undisturbed)


def test_progress_never_goes_back_and_ends_complete(engine, catalog, monkeypatch):
    monkeypatch.setattr(ingest_module, "PROGRESS_SECONDS", 0.0)
    seen: list[IngestProgress] = []
    engine.ingest(catalog, on_progress=seen.append)
    counts = [(now.read, now.stored) for now in seen]
    assert counts == sorted(counts)
    assert (seen[-1].read, seen[-1].stored, seen[-1].total) == (24, 24, 24)
    assert seen[-1].images_per_second > 0


def test_a_relative_catalogue_is_stored_by_absolute_paths(engine, catalog, monkeypatch):
    monkeypatch.chdir(catalog.parent)
    engine.ingest("catalog.csv")
    monkeypatch.chdir("/")
    assert engine.image("item-0")[1] == "image/png"
    assert engine.ingest(os.path.relpath(catalog)).unchanged == 24


def test_one_ingest_at_a_time(engine, catalog, tmp_path, encoder):
    engine.ingest(catalog)
    with (
        Engine.open(tmp_path / "store", encoder=encoder) as second,
        engine.store.writing(),
        pytest.raises(StoreLockedError),
    ):
        second.ingest(catalog)


def test_a_missing_catalogue_names_itself(engine, tmp_path):
    with pytest.raises(NotFoundError, match=r"nothing\.csv"):
        engine.ingest(tmp_path / "nothing.csv")


def test_rows_in_two_encoders_keep_both_vectors(catalog, tmp_path):
    first, second = ColorHistogram(), ColorHistogram("other", "0123456789abcdef")
    with Engine.open(tmp_path / "store", encoder=first, create=True) as engine:
        engine.ingest(catalog)
    with Engine.open(tmp_path / "store", encoder=second) as engine:
        assert engine.ingest(catalog).updated == 24
        for encoder in (first, second):
            assert sum(len(ids) for ids, _ in engine.store.vectors(encoder.fingerprint)) == 24


def test_many_rows_in_many_writes(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(ingest_module, "STEP_ITEMS", 10)
    path = tmp_path / "words.csv"
    write_rows(path, [{"id": row["id"], "title": row["title"]} for row in make_rows(150)])
    assert engine.ingest(path).added == 150
    assert engine.store.ids() == [f"item-{n}" for n in range(150)]
