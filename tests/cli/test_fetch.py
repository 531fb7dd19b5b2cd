"""`coordi ingest --fetch`: what is said, and with which exit code."""

import json

from typer.testing import CliRunner

from conftest import write_rows
from coordi.cli.app import make_app
from pictureserver import serving

HISTOGRAM = ("--encoder", "color-histogram")


def ingest(folder, *options):
    given = ("ingest", str(folder / "feed.csv"), "--store", str(folder / "store"), *HISTOGRAM)
    return CliRunner().invoke(make_app(), [*given, *options])


def test_pictures_are_fetched_and_what_does_not_come_is_listed(tmp_path):
    with serving() as server:
        cells = ("a.jpg", "html", "a.jpg")
        rows = [{"id": n, "title": "T", "image": f"{server.url}/{c}"} for n, c in enumerate(cells)]
        write_rows(tmp_path / "feed.csv", rows)
        refused = ingest(tmp_path, "--fetch")
        assert refused.exit_code == 3
        assert not server.asked
        report = json.loads(ingest(tmp_path, "--fetch-private", "--json").stdout)
        assert (report["added"], report["failed"]) == (2, 1)
        assert "web page" in report["problems"][0]["reason"]
        assert any("1 pictures were fetched" in note for note in report["notes"])
        elsewhere = ingest(tmp_path, "--fetch-private", "--fetch-cache", str(tmp_path / "kept"))
        assert elsewhere.exit_code == 3
        assert len([p for p in (tmp_path / "kept").glob("??/*") if p.is_file()]) == 1
        assert server.asked == {"/a.jpg": 2, "/html": 2}


def test_without_the_option_it_is_named(tmp_path):
    write_rows(tmp_path / "feed.csv", [{"id": 1, "image": "https://cdn.example/a.jpg"}])
    result = ingest(tmp_path, "--json")
    assert "--fetch" in json.loads(result.stdout)["problems"][0]["reason"]
    address = ["https://shop.example/feed.csv", "--store", str(tmp_path / "other")]
    away = CliRunner().invoke(make_app(), ["ingest", *address, *HISTOGRAM, "--json"])
    assert away.exit_code == 1
    assert "--fetch" in away.output
