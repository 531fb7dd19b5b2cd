"""Every command, with and without --json, and what it says when something is wrong."""

import io
import json
import re
import socket
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import coordi.models.opening
from conftest import make_catalog, paint, write_rows
from coordi.cli import ingestion
from coordi.cli.app import make_app
from coordi.cli.output import Output
from coordi.cli.server import listen, listen_near
from coordi.data.catalog import Catalog
from coordi.data.colors import COLOR_DIM
from coordi.engine.report import IngestReport
from coordi.errors import InputError
from coordi.models.tagger.probe import Probe
from coordi.models.tagger.tagger import Tagger
from fakes import open_fake

runner = CliRunner()


@pytest.fixture(autouse=True)
def _fake(monkeypatch, tmp_path):
    monkeypatch.setattr(coordi.models.opening, "open_encoder", open_fake)
    monkeypatch.delenv("COORDI_STORE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(catalog, tmp_path):
    result = run("ingest", catalog, "--store", tmp_path / "store")
    assert result.exit_code == 0, result.output
    return tmp_path / "store"


def run(*arguments, **options):
    return runner.invoke(make_app(), [str(part) for part in arguments], **options)


def run_json(*arguments, code=0):
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    assert result.stderr == ""
    return json.loads(result.stdout)


# ingest


def test_ingest_shows_the_mapping_and_the_counts(catalog, tmp_path):
    result = run("ingest", catalog, "--store", tmp_path / "store")
    assert result.exit_code == 0
    assert re.search(r"title +<- title", result.stderr)
    assert "24 added" in result.stdout
    again = run("ingest", catalog, "--store", tmp_path / "store")
    assert again.exit_code == 0
    assert "24 unchanged" in again.stdout


def test_search_says_where_nothing_is_like_the_photo(catalog, store, tmp_path):
    said = "Nothing here looks like this photo"
    asked = ("search", "--image", catalog.parent / "images/0.png", "--store", store)
    assert said not in run(*asked).output  # no floor is known of so few items
    (place,) = run_json("stats", "--store", store)["vectors"]
    (store / "floors.json").write_text(
        json.dumps({place: {"items": 24, "photos": 1.5, "words": 0}})
    )
    assert said in run(*asked).output
    assert run_json(*asked)["floor"] == 1.5


def test_ingest_json(catalog, tmp_path):
    report = run_json("ingest", catalog, "--store", tmp_path / "store")
    assert set(report) == {
        "store", "interrupted", "source", "kind", "mapping", "encoder", "fingerprint", "read",
        "added", "updated", "unchanged", "failed", "pruned", "text_only", "problems", "seconds",
        "images_per_second", "known_by", "notes", "folded", "images", "further", "fields",
        "field_types", "left_aside", "roots", "token", "views", "prune_refused", "problem_count",
    }  # fmt: skip
    assert (report["added"], report["kind"], report["encoder"]) == (24, "csv", "coordi-mini")
    assert report["mapping"]["id"] == "id"


def test_ingest_with_a_given_mapping(catalog, tmp_path):
    arguments = ("--store", tmp_path / "store", "--map", "title=category", "--map", "color=title")
    result = run("ingest", catalog, *arguments)
    assert re.search(r"title +<- category +\(given\)", result.stderr)
    item = run_json("show", "item-0", "--store", tmp_path / "store")["items"][0]
    assert (item["title"], item["fields"]["color"]) == ("dress", "a red dress")


def test_ingest_says_what_it_guessed_and_what_it_left(catalog, tmp_path):
    path = catalog.parent / "feed.csv"
    cells = "images/0.png, images/1.png", "images/2.png"
    path.write_text(
        "SKU;Shots;Name;Price\n"
        f"1;{cells[0]};Tee;1.299,00 €\n2;{cells[1]};Cap;19,90 €\n3;images/3.png;Hat;call us\n"
    )
    result = run("ingest", path, "--store", tmp_path / "store")
    assert re.search(r"image +<- Shots +\(by its values\)", result.stderr)
    assert re.search(r"title +<- Name +\(by its name\)", result.stderr)
    assert "note: column Price was read as numbers with a comma" in result.stderr
    assert "3 added" in result.stdout
    for said in (
        "guessed by the values: image <- Shots",
        "column Price was read as numbers with a comma",
        "column Shots lists several pictures: the first is the main one, 1 further ones are kept",
    ):
        assert f"  {said}" in result.stdout  # once more, all together, where the work is done
    assert "0 rows could not be used; 1 problems cost no row" in result.stdout
    assert result.exit_code == 3
    report = run_json("ingest", path, "--store", tmp_path / "other", code=3)
    assert report["known_by"]["image"] == "by its values"
    assert len(report["notes"]) == 2
    assert (report["read"], report["failed"], report["problems"][0]["rows"]) == (3, 0, 0)


def test_ingest_of_a_folder_names_what_it_cannot_read(catalog, tmp_path):
    folder = catalog.parent / "images"
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 40)
    (folder / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    result = run("ingest", folder, "--store", tmp_path / "store")
    assert result.exit_code == 3
    assert "left aside, being no pictures: 1 .mp4" in result.stderr
    assert "phone.heic" in result.stdout


def test_a_wrong_mapping_lists_the_columns(catalog, tmp_path):
    result = run("ingest", catalog, "--store", tmp_path / "store", "--map", "title=nmae")
    assert result.exit_code == 1
    assert "nmae" in result.stderr
    assert "category" in result.stderr
    assert run("ingest", catalog, "--map", "title").exit_code == 2


def test_pictures_in_another_folder(tmp_path):
    made = make_catalog(tmp_path / "shop", 3)
    moved = tmp_path / "elsewhere.csv"
    made.rename(moved)
    result = run("ingest", moved, "--store", tmp_path / "store", "--images", tmp_path / "shop")
    assert result.exit_code == 0, result.output


def test_pictures_outside_need_a_root_that_the_report_names(catalog, tmp_path):
    paint(tmp_path / "vault/3.png", "red", 3)
    (catalog.parent / "images/3.png").unlink()
    (catalog.parent / "images/3.png").symlink_to(tmp_path / "vault/3.png")
    arguments = ("ingest", catalog, "--store", tmp_path / "store")
    report = run_json(*arguments, code=3)
    assert (report["added"], report["failed"]) == (23, 1)
    assert report["problems"][0]["reason"].endswith(f"--root {tmp_path / 'vault'}")
    report = run_json(*arguments, "--root", tmp_path / "vault", "--root", tmp_path)
    assert (report["added"], report["unchanged"], report["read"]) == (1, 23, 24)
    result = run(*arguments, "--root", tmp_path / "nowhere")
    assert (result.exit_code, "nowhere is not a folder" in result.stderr) == (1, True)


def test_bad_rows_give_a_table_a_report_and_exit_code_3(tmp_path):
    catalog = make_catalog(tmp_path / "shop", 30)
    for number in range(23):
        (tmp_path / f"shop/images/{number}.png").write_text("not a picture")
    report = tmp_path / "made" / "report.json"
    arguments = ("ingest", catalog, "--store", tmp_path / "store")
    result = run(*arguments)
    assert result.exit_code == 3
    assert "23 rows could not be used" in result.stdout
    assert result.stdout.count("not an image") == 20
    assert "... and 3 more" in result.stdout
    assert "catalog.csv:2 " in result.stdout
    result = run(*arguments, "--report", report)
    assert str(report) in result.stdout
    problems = json.loads(report.read_text())["problems"]
    assert [problem["id"] for problem in problems] == [f"item-{n}" for n in range(23)]
    assert set(problems[0]) == {"file", "line", "id", "column", "reason", "rows"}
    document = run_json(*arguments, code=3)
    assert (document["failed"], len(document["problems"])) == (23, 20)
    assert document["problem_count"] == 23


def test_the_report_says_everything_and_its_counts_add_up(catalog, tmp_path):
    folder = catalog.parent / "images"
    (folder / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    (folder / "torn.png").write_bytes(b"not a picture")
    file, store = tmp_path / "report.json", tmp_path / "store"
    shown = run_json("ingest", folder, "--store", store, "--report", file, code=3)
    report = json.loads(file.read_text())
    assert report == shown
    assert report["left_aside"] == {".mp4": 1}
    assert report["roots"] == [str(folder)]
    assert report["token"] == run_json("stats", "--store", store)["token"]
    sum_of = ("added", "updated", "unchanged", "failed", "folded")
    assert sum(report[name] for name in sum_of) == report["read"] == 25
    assert (report["images"], report["problems"][0]["file"]) == (24, str(folder / "torn.png"))
    again = run_json("ingest", catalog, "--store", tmp_path / "other")
    assert again["fields"]["price"] == "price"
    assert again["field_types"]["price"] == "integer"


def test_rows_folded_into_others_count_and_are_shown(catalog, tmp_path, monkeypatch):
    rows = Catalog.rows

    def folding(self):
        for row in rows(self):
            self.seen.folded = 5
            yield row

    monkeypatch.setattr(Catalog, "rows", folding)
    report = run_json("ingest", catalog, "--store", tmp_path / "store")
    assert (report["added"], report["folded"], report["read"]) == (24, 5, 29)
    again = run("ingest", catalog, "--store", tmp_path / "store")
    assert "24 unchanged, 5 folded into others" in again.stdout


def test_a_report_that_cannot_be_written_is_refused_before_the_work(catalog, tmp_path):
    (tmp_path / "file").touch()
    for report in (tmp_path, tmp_path / "file" / "report.json"):
        result = run("ingest", catalog, "--store", tmp_path / "store", "--report", report)
        assert result.exit_code == 2
        assert "--report" in result.stderr
        assert not (tmp_path / "store").exists()


def test_prune_asks_before_it_removes_much(store, catalog, monkeypatch):
    arguments = ("ingest", catalog, "--store", store, "--prune")
    lines = catalog.read_text().splitlines(keepends=True)
    new = lines[1].replace("item-0", "new")
    catalog.write_text("".join([*lines[:-6], new]))
    refused = run(*arguments)
    assert refused.exit_code == 1
    assert "no longer lists 6 of 25 items" in refused.stderr
    assert "--prune --yes" in refused.stderr
    assert "1 added" in refused.stdout
    document = run_json(*arguments, code=1)
    assert (document["prune_refused"], document["pruned"]) == ([6, 25], 0)
    assert run_json("stats", "--store", store)["items"] == 25
    asked = []
    monkeypatch.setattr(ingestion, "_answers", lambda out: not out.as_json)
    monkeypatch.setattr(typer, "confirm", lambda question, **_: asked.append(question))
    assert run(*arguments).exit_code == 1
    assert asked == ["--prune would remove 6 of 25 items of this catalogue. Remove them?"]
    assert run_json(*arguments, "--yes")["pruned"] == 6
    assert run_json("stats", "--store", store)["items"] == 19


def test_prune_of_a_handful_or_by_an_empty_file_asks_nothing(store, catalog):
    lines = catalog.read_text().splitlines(keepends=True)
    catalog.write_text("".join(lines[:-5]))
    assert run_json("ingest", catalog, "--store", store, "--prune")["pruned"] == 5
    catalog.write_text(lines[0])
    report = run_json("ingest", catalog, "--store", store, "--prune", "--yes", code=3)
    assert (report["pruned"], report["prune_refused"]) == (0, None)
    assert "lists no items at all" in report["problems"][0]["reason"]


@pytest.mark.parametrize("more", [(), ("--encoder", "nope"), ("--map", "title=nmae")])
def test_a_failed_ingest_leaves_no_store_behind(catalog, tmp_path, more):
    source = catalog if more else tmp_path / "nowhere.csv"
    store = tmp_path / "deep" / "store"
    assert run("ingest", source, "--store", store, *more).exit_code == 1
    assert not store.exists()
    assert run("ingest", catalog, "--store", store).exit_code == 0
    assert run("ingest", source, "--store", store, *more).exit_code == 1
    assert run_json("stats", "--store", store)["items"] == 24
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    assert run("ingest", source, "--store", mine, *more).exit_code == 1
    assert (mine / "letter.txt").exists()


def test_neither_does_one_that_fails_as_nobody_foresaw(catalog, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ImportError("a library that is half there")

    monkeypatch.setattr(ingestion, "run_ingest", fail)
    assert run("ingest", catalog, "--store", tmp_path / "store").exit_code == 1
    assert not (tmp_path / "store").exists()


def test_an_ingest_that_is_stopped_before_its_first_item_says_so(tmp_path, capsys):
    counts = dict.fromkeys(("read", "added", "updated", "unchanged", "failed", "pruned"), 0)
    report = IngestReport(
        "c.csv", "csv", {}, "fake", "0" * 16, **counts, text_only=0, problems=(),
        seconds=5.8, images_per_second=0.0,
    )  # fmt: skip
    for interrupted, said in ((True, "nothing stored yet"), (False, "nothing to do")):
        ingestion.show_report(Output(), report, tmp_path, interrupted=interrupted)
        assert f"{tmp_path}: {said} in 5.8 s" in capsys.readouterr().out


def test_views_from_the_command_line(catalog, tmp_path):
    catalog.write_text("id,image,title\na,images/0.png;images/1.png,tee\n")
    store = tmp_path / "store"
    assert run_json("ingest", catalog, "--store", store)["images"] == 1
    report = run_json("ingest", catalog, "--store", store, "--views", "all")
    assert (report["images"], report["updated"], report["views"]) == (1, 1, "all")
    assert "all pictures of an item): 1 vectors" in run("stats", "--store", store).stdout
    assert run("ingest", catalog, "--store", store, "--views", "best").exit_code == 2


def test_prune(store, catalog):
    lines = catalog.read_text().splitlines(keepends=True)
    catalog.write_text("".join(lines[:-2]))
    assert run_json("ingest", catalog, "--store", store)["pruned"] == 0
    assert run_json("ingest", catalog, "--store", store, "--prune")["pruned"] == 2


def test_control_characters_of_a_catalogue_never_reach_the_terminal(tmp_path):
    write_rows(tmp_path / "odd.csv", [{"id": "a", "title": "red \x1b[31m\x07 dress"}])
    assert run("ingest", tmp_path / "odd.csv", "--store", tmp_path / "s").exit_code == 0
    for command in (("show", "a"), ("search", "red")):
        result = run(*command, "--store", tmp_path / "s")
        assert "\x1b" not in result.stdout
        assert "\x07" not in result.stdout


# search


def test_search_by_words(store):
    result = run("search", "blue", "-n", "3", "--store", store)
    assert result.exit_code == 0
    assert result.stdout.count("blue") == 3
    assert "24 items" in result.stderr
    assert "--offset 3" in result.stderr


def test_search_json(store):
    answer = run_json("search", "blue", "-n", "2", "--explain", "--store", store)
    assert set(answer) == {
        "hits", "total", "filtered_out", "encoder", "fingerprint", "index", "seconds", "more",
        "reranker", "reranked", "token", "without_vector", "notes", "suggestion",
        "chips", "language", "garment", "garments", "floor",
    }  # fmt: skip
    hit = answer["hits"][0]
    named = {"fused", "fusion", "words"}
    assert set(hit) == {"item", "score", "parts", "duplicates", "match", "variants"} | named
    assert set(hit["item"]) == {
        "id", "title", "description", "fields", "image", "more", "origin",
    }  # fmt: skip
    assert sum(hit["parts"].values()) == pytest.approx(hit["score"])
    assert (answer["total"], answer["more"]) == (24, True)


def test_search_by_everything_together(store, catalog):
    photo = catalog.parent / "images/1.png"
    arguments = ["search", "red", "--image", photo, "--item", "item-2", "--weight", "text=0.1"]
    arguments += ["--weight", "image=2", "--crop", "0,0,1,0.5", "--where", "price < 20"]
    answer = run_json(*arguments, "--explain", "--store", store)
    assert answer["hits"][0]["item"]["title"] == "a green shirt"
    assert set(answer["hits"][0]["parts"]) == {"image", "text", "item"}
    assert answer["filtered_out"] == 14
    assert "item-2" not in [hit["item"]["id"] for hit in answer["hits"]]


def test_search_pages_and_limits(store):
    whole = run_json("search", "red", "-n", "24", "--store", store)["hits"]
    page = run_json("search", "red", "-n", "2", "--offset", "1", "--store", store)["hits"]
    assert page == whole[1:3]
    good = run_json("search", "red", "--min-score", "0.5", "--store", store)["hits"]
    assert [hit["item"]["id"] for hit in good] == [
        hit["item"]["id"] for hit in whole if hit["score"] >= 0.5
    ]
    folded = run_json("search", "red", "--collapse", "0.9", "--store", store)["hits"]
    assert len(folded[0]["duplicates"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--limit", "0"),
        ("--limit", "5000"),
        ("--limit", "x"),
        ("--limit", "9" * 5000),
        ("--offset", "-1"),
        ("--offset", "10000"),
        ("--min-score", "2"),
        ("--min-score", "nan"),
        ("--collapse", "0"),
        ("--collapse", "1.5"),
        ("--weight", "image=1"),
        ("--item", "item-1", "--item", "item-2"),
        ("--image", "a.png", "--image", "b.png"),
        ("--limit", "3", "-n", "4"),
        ("--store", "a", "--store", "b"),
        ("--images", "--no-images"),
        ("--no-such-option",),
    ],
)
def test_wrong_use_is_exit_code_2_and_json_where_asked(store, arguments):
    place = () if "--store" in arguments else ("--store", store)
    assert run("search", "red", *arguments, *place).exit_code == 2
    document = run_json("search", "red", *arguments, *place, code=2)
    assert document["error"]["type"] == "UsageError"
    assert document["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "a.csv", "--images", "a", "--images", "b"),
        ("ingest", "a.csv", "--encoder", "a", "--encoder", "b"),
        ("stats", "--store", "a", "--store", "b"),
        ("serve", "--port", "1", "--port", "2"),
        ("demo", "--folder", "a", "--folder", "b"),
        ("evaluate", "drawn-street", "-o", "a", "--out", "b"),
        ("train", "head", "-o", "a", "-o", "b"),
    ],
)
def test_no_command_takes_an_option_twice(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "more than once" in result.stderr


def test_what_may_be_repeated_may(store):
    wheres = ("--where", "category = 'shirt' or category = 'dress'", "--where", "price < 20")
    hits = run_json("search", "red", *wheres, "--store", store)["hits"]
    prices = {hit["item"]["fields"]["price"] for hit in hits}
    assert prices
    assert max(prices) < 20
    assert {hit["item"]["fields"]["category"] for hit in hits} == {"shirt", "dress"}
    assert run("search", "red", "--json", "--json", "--store", store).exit_code == 0


def test_words_that_the_encoder_does_not_know_are_said(store):
    result = run("search", "red zebra", "--store", store)
    assert "note: The encoder does not know “zebra”" in result.stderr
    notes = run_json("search", "красное платье", "--store", store)["notes"]
    assert len(notes) == 1
    assert "means nothing" in notes[0]
    assert run_json("search", "red", "--store", store)["notes"] == []


def test_search_by_a_picture_from_standard_input(store, catalog):
    data = (catalog.parent / "images/2.png").read_bytes()
    result = run("search", "--image", "-", "-n", "1", "--json", "--store", store, input=data)
    assert "blue" in json.loads(result.stdout)["hits"][0]["item"]["title"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["red", "--weight", "text"],
        ["red", "--weight", "text=much"],
        ["red", "--crop", "0,0,1,1"],
        ["--image", "x.png", "--crop", "0,0,2,1"],
        ["--image", "x.png", "--crop", "left"],
        ["red", "-n", "0"],
        ["red", "--colour"],
    ],
)
def test_wrong_use_is_exit_code_2(store, arguments):
    result = run("search", *arguments, "--store", store)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["red", "--where", "prize < 5"], "price"),
        (["red", "--where", "price <"], "price <"),
        (["--item", "nobody"], "nobody"),
        (["--image", "gone.png"], r"gone\.png"),
        (["red", "--encoder", "coordi-mimi"], "coordi-mini"),
        (["red", "--encoder", "other"], "coordi ingest CATALOG --encoder other"),
    ],
)
def test_an_error_is_one_message_and_exit_code_1(store, arguments, message):
    result = run("search", *arguments, "--store", store)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.search(message, result.stderr)
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.output
    assert "Traceback" in run("search", *arguments, "--debug", "--store", store).stderr
    error = run_json("search", *arguments, "--store", store, code=1)["error"]
    assert set(error) == {"type", "message"}
    assert re.search(message, error["message"])


def test_an_unexpected_error_says_how_to_see_more(store, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("the sky fell")

    monkeypatch.setattr(coordi.models.opening, "open_encoder", broken)
    result = run("search", "red", "--store", store)
    assert result.exit_code == 1
    assert "the sky fell" in result.stderr
    assert "--debug" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_store_comes_from_the_environment_or_the_default(store, tmp_path, monkeypatch):
    missing = run("search", "red")
    assert missing.exit_code == 1
    assert "$COORDI_STORE" in missing.stderr
    assert str(tmp_path / "coordi-store") in missing.stderr
    monkeypatch.setenv("COORDI_STORE", str(store))
    assert run("search", "red").exit_code == 0
    monkeypatch.delenv("COORDI_STORE")
    store.rename(tmp_path / "coordi-store")
    assert run("search", "red").exit_code == 0


# pictures


def test_pictures_are_drawn_on_request(store):
    assert "▀" not in run("search", "red", "-n", "1", "--store", store).stdout
    shown = run("search", "red", "-n", "1", "--images", "--store", store, color=True).stdout
    assert shown.count("\n") >= 9
    assert "\x1b[38;2;" in shown
    assert "▀" in run("show", "item-0", "--images", "--store", store).stdout


def test_a_vanished_picture_does_not_stop_the_list(store, catalog):
    (catalog.parent / "images/0.png").unlink()
    result = run("search", "red", "-n", "2", "--images", "--store", store)
    assert result.exit_code == 0
    assert "cannot read" in result.stdout
    assert "▀" in result.stdout


# show, delete, stats, encoders


def test_show(store, catalog):
    result = run("show", "item-3", "item-4", "--store", store)
    assert "a black dress" in result.stdout
    assert str(catalog.parent / "images/4.png") in result.stdout
    items = run_json("show", "item-3", "item-4", "--store", store)["items"]
    assert [item["id"] for item in items] == ["item-3", "item-4"]
    assert items[0]["fields"] == {"category": "dress", "price": 13}
    assert items[0]["origin"].endswith("catalog.csv:5")
    assert run("show", "nobody", "--store", store).exit_code == 1


def test_show_of_good_and_bad_ids_shows_the_good_ones(store):
    result = run("show", "nobody", "item-3", "--store", store)
    assert result.exit_code == 3
    assert "a black dress" in result.stdout
    assert "'nobody'" in result.stderr
    document = run_json("show", "item-3", "nobody", "item-4", "--store", store, code=3)
    assert [item["id"] for item in document["items"]] == ["item-3", "item-4"]
    assert document["missing"] == ["nobody"]


def test_delete(store):
    result = run("delete", "item-3", "item-4", "item-3", "--store", store)
    assert (result.exit_code, result.stdout) == (0, "2 deleted\n")
    document = run_json("delete", "item-3", "item-5", "--store", store, code=3)
    assert document == {"deleted": 1, "missing": 1}


def test_stats(store):
    result = run("stats", "--store", store)
    assert "24 items" in result.stdout
    assert "10 to 33" in result.stdout
    assert "dress (8)" in result.stdout
    document = run_json("stats", "--store", store)
    assert {"store", "items", "bytes", "version", "encoders", "vectors"} <= set(document)
    assert document["items"] == 24
    price = next(field for field in document["fields"] if field["name"] == "price")
    assert (price["kind"], price["minimum"], price["maximum"]) == ("integer", 10, 33)


def test_a_second_encoder_fills_beside_and_is_used_by_name(store, catalog):
    one = catalog.with_name("one.csv")
    one.write_text("\n".join(catalog.read_text().splitlines()[:2]))
    run_json("ingest", one, "--store", store, "--encoder", "other", "--json")
    figures = run_json("stats", "--store", store, "--json")
    assert list(figures["vectors"].values()) == [24, 1]
    shown = run("stats", "--store", store).output
    assert "24 vectors; searches use it" in shown
    assert "1 vectors, 23 items have none" in shown
    refused = run("encoders", "use", "other", "--store", store)
    assert refused.exit_code == 1
    assert "only 1 of 24 items have a vector of other" in refused.output
    run_json("ingest", catalog, "--store", store, "--encoder", "other", "--json")
    run_json("encoders", "use", "other", "--store", store, "--json")
    assert run_json("search", "red", "--store", store, "--json")["encoder"] == "other"
    unknown = run("encoders", "use", "nope", "--store", store)
    assert "unknown encoder of this store 'nope'" in unknown.output


def test_verify(store):
    found = run_json("verify", "--store", store, "--json")
    assert (found["sound"], found["items"], found["faults"]) == (True, 24, [])
    assert "sound. 24 items" in run("verify", "--store", store).output
    for file in (store / "items.lance/data").iterdir():
        file.write_bytes(file.read_bytes()[:-9])
    shown = run("verify", "--store", store)
    assert shown.exit_code == 1
    assert "its items are lost" in shown.output
    mended = run("verify", "--repair", "--store", store)
    assert mended.exit_code == 3
    assert "24 items were in damaged files" in mended.output
    assert run("verify", "--store", store).exit_code == 0
    assert run("verify", "--store", store / "nowhere").exit_code == 1


def test_encoders():
    assert "coordi-mini" in run("encoders").stdout
    names = [entry["name"] for entry in run_json("encoders")["encoders"]]
    assert names[0] == "coordi-mini"


def test_version_and_help():
    assert re.fullmatch(r"coordi \d+\.\d+\.\d+\n", run("--version").stdout)
    for command in (
        "ingest",
        "search",
        "show",
        "delete",
        "stats",
        "encoders",
        "train",
        "serve",
        "demo",
    ):
        help_text = run(command, "--help").stdout
        assert "--json" in help_text
        assert "--debug" in help_text


# serve and demo


def test_a_taken_port_is_said_before_anything_else(store):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("serve", "--port", port, "--store", store)
        assert result.exit_code == 1
        assert "in use" in result.stderr
        free = int(re.search(r"--port (\d+) is free now", result.stderr)[1])
        listen("127.0.0.1", free).close()
        with listen_near("127.0.0.1", port) as found:
            assert found.getsockname()[1] != port
    with pytest.raises(InputError, match="--host"):
        listen("203.0.113.1", 8000)


def test_demo_draws_ingests_and_serves(tmp_path, monkeypatch):
    import uvicorn

    served = []
    monkeypatch.setattr("coordi.cli.demo.GARMENTS", 12)
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: served.append(self.config.app))
    result = run("demo", "--port", "0")
    assert result.exit_code == 0, result.output
    assert "12 added" in result.stdout
    assert re.search(r"12 items at http://127\.0\.0\.1:\d+", result.stdout)
    again = run_json("demo", "--port", "0")
    assert again["items"] == 12
    assert again["address"].startswith("http://127.0.0.1:")
    assert len(served) == 2


def test_demo_of_an_own_catalogue_keeps_its_own_store(catalog, tmp_path, monkeypatch):
    import uvicorn

    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    assert run_json("demo", catalog, "--port", "0")["items"] == 24
    other = make_catalog(tmp_path / "second", 3)
    assert run_json("demo", other, "--port", "0")["items"] == 3
    assert len(list((Path(tmp_path) / ".demo").glob("store-*"))) == 2


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("https://shop.example/a.jpg", "OPTIONS=--fetch"),
        ("a.jpg", r"the first row that could not be used: image file .*a\.jpg is not there"),
    ],
)
def test_a_demo_without_an_item_is_no_empty_page(tmp_path, monkeypatch, image, says):
    import uvicorn

    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: pytest.fail("served nothing"))
    given = tmp_path / "shop.csv"
    given.write_text(f"id,title,image\n1,Tee,{image}\n")
    result = run("demo", given, "--port", "0", "--report", tmp_path / "report.json")
    assert result.exit_code == 1
    assert re.search(says, " ".join(result.stderr.split()))
    assert json.loads((tmp_path / "report.json").read_text())["problem_count"] == 1
    assert not list((Path(tmp_path) / ".demo").glob("store-*"))


def test_a_demo_takes_the_folder_of_its_pictures(tmp_path, monkeypatch):
    import uvicorn

    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    given = make_catalog(tmp_path / "shop", 2)
    apart = given.rename(tmp_path / "apart.csv")
    assert run_json("demo", apart, "--images", tmp_path / "shop", "--port", "0")["items"] == 2


def test_progress_lines_where_no_bar_can_be_drawn(catalog, tmp_path, monkeypatch):
    monkeypatch.setattr("coordi.cli.progress.PLAIN_SECONDS", 0.0)
    result = run("ingest", catalog, "--store", tmp_path / "store")
    assert re.search(r"24 of 24 rows, [\d,]+ images/s", result.stderr)


def test_progress_bar_on_a_terminal(catalog, tmp_path, monkeypatch):
    from coordi.cli.ingestion import run_ingest
    from coordi.cli.output import Output
    from coordi.engine import Engine

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    with Engine.open(tmp_path / "store", encoder=open_fake("coordi-mini"), create=True) as engine:
        run_ingest(engine, str(catalog), Output(), mapping={})
    assert "24/24" in screen.getvalue()
    assert "images/s" in screen.getvalue()


def test_words_in_other_languages_and_what_they_mean(store):
    plain = run_json("search", "red dress", "--store", store, "--limit", "3")
    found = run_json("search", "赤い 👗", "--store", store, "--limit", "3")
    assert found["notes"] == []
    assert [chip["id"] for chip in found["chips"]] == ["color:red", "category:dress"]
    assert [hit["item"]["id"] for hit in found["hits"]] == [
        hit["item"]["id"] for hit in plain["hits"]
    ]
    result = run("search", "赤い 👗", "--store", store)
    assert "Read as: color:red (“赤い”), category:dress" in result.stderr
    bare = run_json("search", "red dress", "--drop", "color:red", "--store", store)
    assert [chip["id"] for chip in bare["chips"]] == ["category:dress"]


# tag


def test_tag_tells_colours_and_takes_them_back(store, tmp_path):
    probe = Probe("color", ("blue", "red"), np.zeros((COLOR_DIM, 2), np.float32),
                  np.array([0, 9], np.float32), reads="color", confidence=0.9)  # fmt: skip
    Tagger("", (probe,), "colours").save(tmp_path / "tagger.npz")
    document = run_json("tag", "--tagger", tmp_path / "tagger.npz", "--store", store)
    assert (document["items"], document["written"]) == (24, {"color": 24})
    shown = run("show", "item-0", "--store", store).stdout
    assert re.search(r"color \(automatic\) +red \(100% sure\)", shown)
    assert "_confidence" not in shown
    assert run_json("stats", "--store", store)["fields"][0]["name"] == "auto_color"
    assert run_json("tag", "--remove", "--store", store) == {"removed": 24}
    assert run("tag", "--remove", "--learn", "x", "--store", store).exit_code == 2


def test_tag_says_what_it_did(store):
    result = run("tag", "--store", store)
    assert result.exit_code == 0
    assert "24 items looked at" in result.stdout
    assert "auto_color" in result.stdout
