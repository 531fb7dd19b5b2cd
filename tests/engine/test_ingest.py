"""Ingest: what goes in, what is skipped, what a bad row costs, and what an interruption leaves."""

import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest

from bombs import scan_bomb
from conftest import COLORS, make_catalog, make_rows, paint, write_rows
from coordi.data import decoding, loading
from coordi.data.catalog import Seen
from coordi.data.images import decode_image
from coordi.engine import Engine, IngestInterrupted, IngestProgress
from coordi.engine import ingest as ingest_module
from coordi.errors import EncoderError, ImageError, NotFoundError, StoreLockedError
from coordi.geometry import unit_rows
from coordi.types import ImageRef, Item
from fakes import ColorHistogram
from pictureserver import jpeg, serving


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


def add_up(report):
    return report.read == report.added + report.updated + report.unchanged + report.failed


WORDS_ONLY = frozenset({"text"})


@pytest.mark.parametrize("takes", [frozenset({"image"}), frozenset({"image", "text"}), WORDS_ONLY])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "outside of the folders"),
        ("/dev/zero", "not there"),
        ("../secret.png", "--root"),
        ("images/link.png", "--root"),
        ("images/text.png", "not an image"),
        ("images/pipe.png", "not there"),
        ("images/empty.png", "empty|not an image"),
    ],
)
def test_only_pictures_within_the_roots_go_in_whatever_makes_the_vector(
    tmp_path, catalog, takes, name, reason
):
    paint(tmp_path / "secret.png", "red", 1)
    images = catalog.parent / "images"
    (images / "link.png").symlink_to(tmp_path / "secret.png")
    (images / "text.png").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (images / "empty.png").touch()
    os.mkfifo(images / "pipe.png")
    rows = rows_of(catalog)
    rows[3]["image"] = name
    write_rows(catalog, rows)
    encoder = ColorHistogram("some", "5" * 16, takes)
    with Engine.open(tmp_path / "s", encoder=encoder, create=True) as engine:
        report = engine.ingest(catalog)
        assert "item-3" not in engine.store.ids()
    assert (report.added, report.failed) == (23, 1)
    assert add_up(report)
    assert (report.problems[0].id, report.problems[0].origin.line) == ("item-3", 5)
    assert re.search(reason, report.problems[0].reason)


def test_further_roots_let_pictures_in_and_are_remembered(engine, catalog, tmp_path):
    paint(tmp_path / "more/secret.png", "red", 1)
    (catalog.parent / "images/2.png").unlink()
    (catalog.parent / "images/2.png").symlink_to(tmp_path / "more/secret.png")
    report = engine.ingest(catalog)
    assert f"--root {tmp_path / 'more'}" in report.problems[0].reason
    (tmp_path / "link").symlink_to(tmp_path / "more")
    assert engine.ingest(catalog, roots=[tmp_path / "link"]).added == 1
    assert engine.store.roots() == (catalog.parent, tmp_path / "more")
    assert engine.ingest(catalog).unchanged == 24
    assert engine.image("item-2")[0] == (tmp_path / "more/secret.png").read_bytes()
    with pytest.raises(NotFoundError, match="nowhere is not a folder"):
        engine.ingest(catalog, roots=[tmp_path / "nowhere"])


def test_the_folder_of_the_pictures_is_a_root(engine, catalog, tmp_path):
    moved = catalog.rename(tmp_path / "catalog.csv")
    assert engine.ingest(moved, images=catalog.parent).added == 24
    assert engine.store.roots() == (tmp_path, catalog.parent)


def test_every_folder_of_a_catalogue_of_many_files_is_a_root(engine, tmp_path):
    for name in ("a", "b"):
        shop = make_catalog(tmp_path / name, 2)
        rows = [{**row, "id": f"{name}-{row['id']}"} for row in rows_of(shop)]
        write_rows(shop, rows)
    assert engine.ingest(f"{tmp_path}/*/catalog.csv").added == 4
    assert engine.store.roots() == (tmp_path / "a", tmp_path / "b")


def test_a_catalogue_in_a_linked_folder_is_within_its_own_roots(engine, catalog, tmp_path):
    (tmp_path / "linked").symlink_to(catalog.parent)
    assert engine.ingest(tmp_path / "linked" / catalog.name).added == 24
    assert engine.image("item-0")[1] == "image/png"


def test_rows_of_an_earlier_version_are_looked_at_too(engine, catalog, tmp_path):
    """What an earlier version let in is reported by the next ingest, though it is unchanged."""
    paint(tmp_path / "secret.png", "red", 1)
    rows = rows_of(catalog)
    rows[3]["image"] = "../secret.png"
    write_rows(catalog, rows)
    engine.ingest(catalog, roots=[tmp_path])
    with engine.store._changing() as (_, dataset):
        engine.store._seal(dataset, roots=())
    report = engine.ingest(catalog)
    assert (report.unchanged, [problem.id for problem in report.problems]) == (23, ["item-3"])
    with pytest.raises(ImageError, match="outside"):
        engine.image("item-3")


class Rows:
    """Items as a catalogue, for what the readers do not give yet."""

    source, kind, mapping, count, tables = "made", "csv", {"image": "image"}, None, ()
    known_by, notes, fields, field_types = {}, (), {}, {}

    def __init__(self, items):
        self.items = items
        self.seen = Seen()
        self.finder = type("Finder", (), {"folder": None, "fetcher": None})

    def rows(self):
        return iter(self.items)

    def remarks(self):
        return ()


def test_further_pictures_that_cannot_be_used_are_left_out_and_said(engine, catalog, tmp_path):
    folder = catalog.parent / "images"
    paint(tmp_path / "secret.png", "red", 1)
    (folder / "text.png").write_text("no picture")
    paths = (folder / "1.png", tmp_path / "secret.png", folder / "text.png", folder / "gone.png")
    item = Item("one", ImageRef(folder / "0.png"), more=tuple(map(ImageRef, paths)))
    for count in ((1, 0), (0, 1)):  # said each time, written once
        report = engine.ingest(Rows([item]), roots=[catalog.parent])
        assert (report.added, report.unchanged, report.failed) == (*count, 0)
        assert [problem.id for problem in report.problems] == ["one"] * 3
        assert all("without this further picture" in p.reason for p in report.problems)
        assert add_up(report)
    assert engine.get(["one"])[0].more == (ImageRef(folder / "1.png"),)
    encoded = engine.encoder.encoded
    paint(folder / "gone.png", "red", 2)
    assert engine.ingest(Rows([item])).updated == 1
    assert len(engine.get(["one"])[0].more) == 2
    assert engine.encoder.encoded == encoded  # its vector is of the main picture alone


class Blind(ColorHistogram):
    """Makes rows of `value` of what is red; `strict` refuses to, as towers do."""

    def __init__(self, value: float, strict: bool) -> None:
        super().__init__()
        self.value, self.strict = value, strict

    def encode_prepared(self, batch):
        rows = super().encode_prepared(batch)
        rows[batch[:, 0].mean((1, 2)) - batch[:, 1].mean((1, 2)) > 200] = self.value
        return unit_rows(rows) if self.strict else rows


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize(
    ("value", "strict", "reason"),
    [
        (np.nan, False, "not finite"),
        (np.nan, True, "not finite"),
        (np.inf, False, "not finite"),
        (0.0, False, "only zeros"),
        (0.0, True, "only zeros"),
    ],
)
def test_vectors_that_say_nothing_are_reported_by_item(
    catalog, tmp_path, value, strict, reason, words
):
    if words:
        write_rows(catalog, [{"id": r["id"], "title": r["title"]} for r in rows_of(catalog)])
    with Engine.open(tmp_path / "s", encoder=Blind(value, strict), create=True) as engine:
        report = engine.ingest(catalog)
        assert [p.id for p in report.problems] == ["item-0", "item-8", "item-16"]
        assert all(reason in p.reason and "color-histogram" in p.reason for p in report.problems)
        assert (report.added, report.failed, report.text_only) == (21, 3, 21 * words)
        assert add_up(report)
        for _, rows in engine.store.vectors(engine.encoder.fingerprint):
            np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_an_encoder_that_cannot_run_stops_the_ingest(catalog, tmp_path):
    class Broken(ColorHistogram):
        def encode_prepared(self, batch):
            raise EncoderError("no memory on the device")

    with (
        Engine.open(tmp_path / "s", encoder=Broken(), create=True) as engine,
        pytest.raises(EncoderError, match="no memory"),
    ):
        engine.ingest(catalog)


def test_a_slow_picture_is_a_reported_row(engine, catalog, monkeypatch):
    pool = decoding.Decoder(1, seconds=0.1)
    monkeypatch.setattr(loading, "shared", lambda: pool)
    (catalog.parent / "images/3.png").write_bytes(scan_bomb(4000, 90))
    report = engine.ingest(catalog)
    pool.close()
    assert (report.added, [problem.id for problem in report.problems]) == (23, ["item-3"])
    assert "took longer than 0.1 s to decode" in report.problems[0].reason


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
        assert add_up(stop.value.report)
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


def test_fetched_pictures_are_served_and_a_damaged_one_is_fetched_anew(
    engine, tmp_path, monkeypatch
):
    whole = jpeg("green", 64)
    monkeypatch.setattr("pictureserver.jpeg", lambda: whole[: len(whole) // 2])
    with serving() as server:
        rows = [{"id": 1, "title": "Tee", "image": f"{server.url}/a.jpg"}]
        write_rows(tmp_path / "feed.csv", rows)

        def run():
            with engine.fetcher(private=True) as fetcher:
                return engine.ingest(tmp_path / "feed.csv", fetch=fetcher)

        assert "damaged or cut off" in run().problems[0].reason
        monkeypatch.setattr("pictureserver.jpeg", lambda: whole)
        report = run()
        assert (report.added, report.failed) == (1, 0)
        assert f"1 pictures were fetched into {engine.store.path / 'fetched'}" in report.notes
        assert engine.image("1") == (whole, "image/jpeg")
        assert run().unchanged == 1
        assert server.asked == {"/a.jpg": 2}


def test_fetching_is_refused_in_the_own_network_by_default(engine, tmp_path):
    rows = [{"id": 1, "title": "Tee", "image": "http://127.0.0.1:9/a.jpg"}]
    write_rows(tmp_path / "feed.csv", rows)
    report = engine.ingest(tmp_path / "feed.csv", fetch=True)
    assert "--fetch-private" in report.problems[0].reason
