"""`coordi doctor`: its report, its JSON, its page and its exit codes."""

import html.parser
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import coordi.models.opening
from conftest import make_catalog
from coordi.cli.app import make_app
from fakes import open_fake

runner = CliRunner()


@pytest.fixture(autouse=True)
def _fake(monkeypatch, tmp_path):
    monkeypatch.setattr(coordi.models.opening, "open_encoder", open_fake)
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return runner.invoke(make_app(), ["doctor", *map(str, arguments)])


def test_warnings_alone_are_exit_code_0(catalog):
    first, second = (catalog.parent / f"images/{n}.png" for n in (0, 1))
    second.write_bytes(first.read_bytes())
    result = run(catalog)
    assert result.exit_code == 0, result.output
    assert "2 pictures are pixel for pixel the same" in result.stdout
    assert re.search(r"^warning +duplicate pictures$", result.stdout, re.MULTILINE)
    assert "0 errors" in result.stdout


def test_an_error_is_exit_code_3(catalog):
    (catalog.parent / "images/0.png").unlink()
    result = run(catalog)
    assert result.exit_code == 3
    assert re.search(r"^error +missing and damaged pictures$", result.stdout, re.MULTILINE)
    # The table breaks a long path wherever its width ends.
    assert "0.png is not there" in " ".join(result.stdout.split()), result.stdout


def test_json_is_one_document(catalog):
    (catalog.parent / "images/0.png").write_bytes((catalog.parent / "images/1.png").read_bytes())
    result = run(catalog, "--json", "--encoder", "none")
    assert result.exit_code == 0
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert set(document) == {
        "dataset", "kind", "facts", "findings", "figures", "clean", "skipped",
    }  # fmt: skip
    assert document["skipped"]["label noise"] == "needs an encoder"
    (found, *_) = [f for f in document["findings"] if f["check"] == "duplicate pictures"]
    assert found["exhibits"][0]["ids"] == ["item-0", "item-1"]
    assert set(found) == {
        "check", "severity", "title", "advice", "count", "total", "figures", "exhibits",
    }  # fmt: skip


class Links(html.parser.HTMLParser):
    """Everything that a page would fetch."""

    def __init__(self):
        super().__init__()
        self.sources, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href", "srcset")]


def test_the_page_needs_nothing_else_and_escapes_what_it_shows(catalog, tmp_path):
    text = catalog.read_text().replace("item-0,", "<script>alert(1)</script>,")
    catalog.write_text(text)
    (catalog.parent / "images/0.png").write_bytes((catalog.parent / "images/1.png").read_bytes())
    result = run(catalog, "--html", tmp_path / "audit.html")
    assert result.exit_code == 0
    assert str(tmp_path / "audit.html") in result.stdout
    page = (tmp_path / "audit.html").read_text()
    links = Links()
    links.feed(page)
    assert "script" not in links.tags
    assert "&lt;script&gt;" in page
    assert links.tags.count("img") >= 2
    assert all(source.startswith("data:image/jpeg;base64,") for source in links.sources)
    assert "url(" not in page
    assert not list(tmp_path.glob(".*.partial"))


def test_a_page_that_cannot_be_written_is_refused_at_once(catalog):
    result = run(catalog, "--html", "nowhere/audit.html")
    assert result.exit_code == 2
    assert "nowhere" in result.output


def test_an_unknown_dataset_names_what_there_is(tmp_path):
    result = run("no-such-thing")
    assert result.exit_code == 1
    assert "no-such-thing" in result.stderr
    assert "mango-street" in result.stderr
    missing = run("no-such-thing.csv")
    assert missing.exit_code == 1
    assert "no-such-thing.csv is not there" in missing.stderr


def test_a_collection_of_ones_own(tmp_path):
    (tmp_path / "small.yaml").write_text("{kind: drawn, count: 24, size: 48, val: 0.2, test: 0.3}")
    result = run("small.yaml", "--json", "--encoder", "none", "--cache", tmp_path / "cache")
    assert result.exit_code in (0, 3), result.output
    document = json.loads(result.stdout)
    assert (document["dataset"], document["kind"]) == ("small", "collection")
    assert any(table["headings"][0] == "trial" for table in document["figures"])
    assert "leaks across the split" in document["clean"]


def test_ctrl_c_is_130(tmp_path):
    catalog = make_catalog(tmp_path / "shop", 2000)
    program = Path(__file__).parents[1] / "fakes.py"
    process = subprocess.Popen(
        [sys.executable, str(program), "doctor", str(catalog)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"FAKE_ENCODER_DELAY": "0.5", "PATH": "/usr/bin:/bin"},
        text=True,
    )
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
