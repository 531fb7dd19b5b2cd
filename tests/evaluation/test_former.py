"""Reports that earlier versions wrote (folder `former`) are opened, printed and compared."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coordi.cli.app import make_app
from coordi.errors import InputError
from coordi.evaluation.compare import compare, compare_common
from coordi.evaluation.page import page
from coordi.evaluation.report import FORMAT, Report
from coordi.evaluation.tables import benchmark_markdown

FORMER = Path(__file__).parent / "former"
FILES = FORMER / "color-histogram.json", FORMER / "random.json"


def test_a_former_report_prints_what_it_printed():
    reports = [Report.load(file) for file in FILES]
    assert benchmark_markdown(reports) == (FORMER / "report.md").read_text()
    assert "never meets itself" in page(reports, ())


def test_former_reports_differ_by_what_they_differed_by():
    first, second = map(Report.load, FILES)
    expected = json.loads((FORMER / "differences.json").read_text())
    assert [asdict(difference) for difference in compare(first, second)] == expected
    assert compare_common(first, second)[1].first == 0


def test_a_former_report_becomes_one_of_today_and_compares_with_it(tmp_path):
    former = Report.load(FILES[0])
    former.save(tmp_path / "today.json")
    content = json.loads((tmp_path / "today.json").read_text())
    assert content["format"] == FORMAT
    before = json.loads(FILES[0].read_text())
    assert content["units"] == before["photos"]
    assert content["columns"] == before["per_query"]
    assert before["terms"].items() <= content["terms"].items()
    today = Report.load(tmp_path / "today.json")
    assert today == former
    assert not any(d.real for d in compare(former, today))


def test_commands_open_former_reports(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(make_app(), [str(part) for part in arguments])

    compared = run("compare", *FILES)
    assert compared.exit_code == 0, compared.stderr
    assert "painted: 8 queries" in compared.stdout
    for file in FILES:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    made = run("results", tmp_path)
    assert made.exit_code == 0, made.stderr
    assert "8 queries, 8 gallery photos (test side)" in made.stdout


@pytest.mark.parametrize(
    ("place", "value"),
    [("match", None), ("gallery", "many"), ("queries", 9), ("benchmark", 7)],
)
def test_a_former_report_without_its_terms_is_refused(tmp_path, place, value):
    content = json.loads(FILES[0].read_text())
    content["terms"][place] = value
    (tmp_path / "odd.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"odd\.json is a damaged report"):
        Report.load(tmp_path / "odd.json")
    del content["terms"][place]
    (tmp_path / "odd.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"odd\.json is a damaged report"):
        Report.load(tmp_path / "odd.json")
