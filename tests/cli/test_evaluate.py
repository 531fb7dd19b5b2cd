"""`coordi evaluate`, `compare` and `results` on the drawn and on a painted catalogue."""

import json

import pytest
from typer.testing import CliRunner

from conftest import make_catalog
from coordi.cli.app import make_app
from coordi.errors import InputError

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


def test_files_that_are_gone_and_files_that_are_broken_give_one_number(shop):
    images = shop / "shop" / "images"
    whole = evaluate(shop, "--no-controls", "--json")
    assert whole.exit_code == 0, whole.output
    outcomes = []
    for harm in (lambda file: file.write_bytes(b"broken"), lambda file: file.unlink()):
        for number in range(0, 60, 4):
            harm(images / f"{number}.png")
        answer = evaluate(shop, "--no-controls", "--json")
        assert answer.exit_code == 3
        [report] = json.loads(answer.stdout)["reports"]
        outcomes.append(
            {k: report[k] for k in ("values", "missing", "missing_queries", "missing_gallery")}
            | {"terms": report["terms"]}
        )
    assert outcomes[0] == outcomes[1]
    assert outcomes[0]["terms"] == json.loads(whole.stdout)["reports"][0]["terms"]
    assert len(outcomes[0]["missing_queries"]) == outcomes[0]["missing"] > 0
    page = (shop / "out" / "kinds" / "report.html").read_text()
    assert f"{outcomes[0]['missing']} of 32 queries and" in page


def test_reports_that_do_not_miss_the_same_are_compared_on_what_they_share(shop):
    evaluate(shop, "--no-controls")
    report = shop / "out" / "kinds" / "color-histogram.json"
    report.rename(shop / "whole.json")
    for number in range(0, 6):
        (shop / "shop" / "images" / f"{number}.png").unlink()
    assert evaluate(shop, "--no-controls").exit_code == 3
    refused = run("compare", shop / "whole.json", report)
    assert refused.exit_code == 1
    assert "do not miss the same pictures" in refused.stderr


def test_the_common_part_is_counted(shop):
    (shop / "items.yaml").write_text(
        "path: shop/catalog.csv\nitem: '{category} {price}'\ngroup: '{category}'\n"
        "test: 0.5\nval: 0\napart: photo\n"
    )
    rows = (shop / "shop" / "catalog.csv").read_text().splitlines()
    head, body = rows[0], [line.split(",") for line in rows[1:]]
    for n, cells in enumerate(body):
        cells[-1] = str(n // 2)  # two photos of an item
        cells[3] = f"kind-{n // 2}"
    (shop / "shop" / "catalog.csv").write_text("\n".join([head, *map(",".join, body)]))
    arguments = ("evaluate", shop / "items.yaml", "--root", shop, "--cache", shop / "cache",
                 "--out", shop / "out", "--model", "color-histogram", "--no-controls")  # fmt: skip
    assert run(*arguments).exit_code == 0
    report = shop / "out" / "items" / "color-histogram.json"
    content = json.loads(report.read_text())
    report.rename(shop / "whole.json")
    lost = content["units"][0]
    (shop / "shop" / "images" / f"{lost.removeprefix('item-')}.png").unlink()
    assert run(*arguments).exit_code == 3
    told = run("compare", shop / "whole.json", report, "--common")
    assert told.exit_code == 0, told.stderr
    assert "Left out: 2 queries of the first and 2 of the second report" in told.stdout
    document = json.loads(run("compare", shop / "whole.json", report, "--common", "--json").stdout)
    assert document["queries"] == len(content["units"]) - 2
    assert document["left_out"] == {
        "first": 2, "second": 2, "missing_queries": 1, "missing_answers": 1, "missing_gallery": 1,
    }  # fmt: skip


def test_an_unknown_benchmark_lists_the_known_ones(tmp_path):
    answer = run("evaluate", "kaggle-typ", "--root", tmp_path)
    assert answer.exit_code == 1
    for word in ("Did you mean 'kaggle-type'", "drawn-street", "street2shop"):
        assert word in answer.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "drawn-street", "--out", "taken"),
        ("evaluate", "drawn-street", "--out", "taken/below"),
        ("results", ".", "--markdown", "taken/below.md"),
        ("results", ".", "--markdown", "folder"),
        ("doctor", "drawn-street", "--html", "taken/below.html"),
        ("doctor", "drawn-street", "--html", "folder"),
    ],
)
def test_what_cannot_be_written_is_found_before_the_work(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "folder").mkdir()
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert arguments[2] in answer.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder", "taken"]


def test_a_name_in_a_collection_cannot_lead_out_of_the_folder(shop):
    spec = (shop / "kinds.yaml").read_text()
    (shop / "kinds.yaml").write_text(f"{spec}name: ../../夏/x\n")
    answer = evaluate(shop, "--no-controls")
    assert answer.exit_code == 0, answer.output
    assert [file.name for file in (shop / "out").iterdir()] == ["-..-夏-x"]


def test_seed_and_recipe_come_from_the_artefact(shop, tmp_path):
    from coordi.evaluation.provenance import recipe_of

    folder = tmp_path / "run" / "artifact"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("```yaml\nrecipe: wrong\nseed: 9\n```")
    assert recipe_of(str(folder)) == (None, {})
    (tmp_path / "run" / "recipe.yaml").write_text("recipe: head\nseed: 3\nname: net\n")
    assert recipe_of(str(folder)) == (3, {"recipe": "head", "seed": 3, "name": "net"})
    (folder / "recipe.yaml").write_text("recipe: head\nseed: 4\n")
    assert recipe_of(f"{folder}@color")[0] == 4
    assert recipe_of("coordi-mini") == (None, {})
    (folder / "recipe.yaml").write_text("[" * 10_000)
    with pytest.raises(InputError, match=r"recipe\.yaml is no recipe"):
        recipe_of(str(folder))
