"""`coordi evaluate`, `compare` and `results` on the drawn and on a painted catalogue."""

import json

import pytest
from typer.testing import CliRunner

from conftest import make_catalog
from coordi.cli.app import make_app

runner = CliRunner()


def run(*arguments):
    return runner.invoke(make_app(), [str(part) for part in arguments])


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A collection of 60 painted pictures, three of a garment kind each."""
    monkeypatch.setenv("COORDI_IMAGENET", "color-histogram")  # any name that opens here
    make_catalog(tmp_path / "shop", 60)
    (tmp_path / "kinds.yaml").write_text(
        "kind: catalog\npath: shop/catalog.csv\nmatch: category\ntest: 0.5\nval: 0.25\n"
    )
    return tmp_path


def evaluate(shop, *more):
    return run(
        "evaluate", shop / "kinds.yaml", "--root", shop, "--cache", shop / "cache",
        "--out", shop / "out", "--model", "color-histogram", *more,
    )  # fmt: skip


def test_evaluate_compare_and_results(shop):
    answer = evaluate(shop, "--json")
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    names = [(report["model"], report["control"]) for report in document["reports"]]
    assert names[0] == ("color-histogram", False)
    assert {name for name, control in names if control} >= {"random", "category-only"}
    folder = shop / "out" / "kinds"
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    assert "category-only" in (folder / "report.md").read_text()
    a, b = folder / "color-histogram.json", folder / "control-random.json"
    compared = run("compare", a, b)
    assert compared.exit_code == 0
    assert "R@1" in compared.stdout
    same = json.loads(run("compare", a, a, "--json").stdout)
    assert [d["real"] for d in same["differences"]] == [False] * len(same["differences"])
    made = run("results", shop / "out", "--markdown", shop / "results.md")
    assert made.exit_code == 0
    assert "## kinds" in (shop / "results.md").read_text()


def test_val_stands_apart_from_test(shop):
    answer = evaluate(shop, "--trial", "val", "--no-controls")
    assert answer.exit_code == 0, answer.output
    assert "kinds, val" in answer.stdout
    assert [file.name for file in (shop / "out").iterdir()] == ["kinds-val"]
    first = next((shop / "out" / "kinds-val").glob("*.json"))
    evaluate(shop, "--no-controls")
    refused = run("compare", first, shop / "out" / "kinds" / "color-histogram.json")
    assert refused.exit_code == 1
    assert "differ in trial" in refused.stderr


def test_a_missing_picture_is_told(shop):
    (shop / "shop" / "images" / "1.png").write_bytes(b"broken")
    (shop / "shop" / "images" / "2.png").write_bytes(b"broken")
    for number in range(3, 60, 2):
        (shop / "shop" / "images" / f"{number}.png").write_bytes(b"broken")
    answer = evaluate(shop, "--no-controls")
    assert answer.exit_code == 3
    assert "Missing or unreadable pictures: " in answer.stdout
    assert "queries and" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "nothing-like-it"), "nothing-like-it"),
        (("evaluate", "kaggle-type", "--trial", "dev"), "neither test nor val"),
        (("compare", "a.json", "b.json"), "a.json"),
        (("results", "."), "no report"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    answer = run(*arguments)
    assert answer.exit_code in (1, 2)
    assert message in answer.stderr
