"""Evaluation knows units, columns and named functions: outfits, blanks, edits and clusters."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score, roc_auc_score
from unitworlds import CHOICES, blanks, clusters, compatibility, edits

from coordi.errors import InputError
from coordi.evaluation.benchmark import reports_of
from coordi.evaluation.compare import compare, compare_common
from coordi.evaluation.page import page
from coordi.evaluation.report import Report, Statistic
from coordi.evaluation.tables import benchmark_markdown, results_markdown

WORLDS = {
    "compatibility": compatibility, "blanks": blanks, "edits": edits, "clusters": clusters,
}  # fmt: skip


@pytest.mark.parametrize("world", WORLDS)
def test_reports_of_any_units_are_kept_printed_and_compared(world, tmp_path):
    benchmark = WORLDS[world]()
    first, *_ = benchmark.models
    report, control = reports_of(benchmark, [first])
    assert (report.control, control.control) == (False, True)
    report.save(tmp_path / "r.json")
    again = Report.load(tmp_path / "r.json")
    assert again == report
    number = f"{len(benchmark.units):,} {benchmark.terms.unit}"
    for text in (
        benchmark_markdown([report, control]),
        page([report, control], ()),
        results_markdown([report, control]),
    ):
        assert benchmark.terms.benchmark in text
        assert number in text
        for name, value in report.values.items():
            assert name in text
            assert f"{value.value:.3f}" in text
            assert value.low <= value.value <= value.high
    differences = compare(again, control, rounds=200)
    assert [d.metric for d in differences] == list(benchmark.statistics)
    for d in differences:
        assert d.first == pytest.approx(report.values[d.metric].value, abs=1e-6)
        assert d.second == pytest.approx(control.values[d.metric].value, abs=1e-6)
        assert d.low <= d.high
    assert compare_common(again, control, rounds=200)[0] == differences
    assert all(d.difference == 0 and not d.real for d in compare(again, again, rounds=200))


def test_auc_is_scikit_learns_as_a_whole_and_by_slice():
    benchmark = compatibility()
    for report in reports_of(benchmark, ["one color"]):
        score, truth = (np.array(report.columns[name]) for name in ("score", "compatible"))
        assert report.values["AUC"].value == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
        names = np.array([unit.slice for unit in benchmark.units])
        assert len(report.slices) > 1
        for part in report.slices:
            rows = names == part.category
            expected = roc_auc_score(truth[rows], score[rows])
            assert part.values["AUC"].value == pytest.approx(expected)
            assert part.queries == rows.sum()


def test_scores_that_differ_in_their_last_digits_stay_apart_in_a_file():
    benchmark = compatibility()
    columns = benchmark.models["noise"]
    benchmark.models = {"tiny": columns | {"score": 0.5 + columns["score"] * 1e-9}}
    [report] = reports_of(benchmark, ["tiny"], controls=False)
    whole = reports_of(compatibility(), ["noise"], controls=False)[0]
    assert compare(report, whole, rounds=50)[0].difference == 0


def test_a_function_is_compared_on_the_same_draws_as_a_slow_loop_has_it():
    report, control = reports_of(compatibility(), ["one color"])
    [difference] = compare(report, control, rounds=100)
    groups = np.array(report.groups)
    names = np.unique(groups)
    picks = np.random.default_rng(0).integers(len(names), size=(100, len(names)))
    expected = []
    for pick in picks:
        rows = np.concatenate([np.flatnonzero(groups == names[at]) for at in pick])
        one, two = (
            roc_auc_score(*(np.array(r.columns[c])[rows] for c in ("compatible", "score")))
            for r in (report, control)
        )
        expected.append(two - one)
    low, high = np.sort(expected)[[2, 97]]
    assert (difference.low, difference.high) == (pytest.approx(low), pytest.approx(high))


def test_blanks_stand_beside_chance():
    report, chance = reports_of(blanks(), ["rules"])
    assert chance.values["accuracy"].value == 1 / CHOICES
    correct = report.columns["correct"]
    assert report.values["accuracy"].value == pytest.approx(sum(correct) / len(correct))
    [difference] = compare(chance, report)
    assert difference.real == (difference.low > 0 or difference.high < 0)


def test_edits_are_averaged_over_categories():
    benchmark = edits()
    [words] = reports_of(benchmark, ["words"], controls=False)
    for k in (1, 5):
        within = [part.values[f"R@{k}"].value for part in words.slices]
        assert words.values[f"mean R@{k}"].value == pytest.approx(np.mean(within))
    for part in words.slices:
        assert part.values["mean R@1"].value == pytest.approx(part.values["R@1"].value)


def test_clusters_are_told_by_their_agreement_with_labels():
    kind, color, one = reports_of(clusters(), ["kind", "color"])
    for report in (kind, color, one):
        cluster, label = (np.array(report.columns[name]) for name in ("cluster", "label"))
        assert report.values["NMI"].value == pytest.approx(
            normalized_mutual_info_score(label, cluster), abs=1e-12
        )
        most = sum(max(np.unique(label[cluster == c], return_counts=True)[1]) for c in set(cluster))
        assert report.values["purity"].value == pytest.approx(most / len(label))
    assert one.values["NMI"].value == 0


def test_a_slice_without_a_value_is_left_out_and_a_whole_without_one_is_refused():
    benchmark = compatibility()
    slices = {unit.slice for unit in benchmark.units}
    alone = min(slices)
    truth = benchmark.models["noise"]["compatible"].copy()
    truth[[unit.slice == alone for unit in benchmark.units]] = 1
    score = benchmark.models["noise"]["score"]
    benchmark.models = {"noise": {"score": score, "compatible": truth}}
    [report] = reports_of(benchmark, ["noise"], controls=False)
    assert {part.category for part in report.slices} == slices - {alone}
    benchmark.models = {"noise": {"score": score, "compatible": np.ones(len(score))}}
    with pytest.raises(InputError, match="drawn-outfits: AUC has no value"):
        reports_of(benchmark, ["noise"], controls=False)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.full(2 * 120, np.nan)])
def test_columns_that_do_not_fit_the_units_are_refused(wrong):
    benchmark = blanks()
    benchmark.models = {"odd": {"correct": wrong}}
    with pytest.raises(InputError, match="correct of odd is not one number a unit"):
        reports_of(benchmark, ["odd"], controls=False)


def test_other_rules_or_other_functions_do_not_compare():
    [a] = reports_of(blanks(), ["rules"], controls=False)
    harder = replace(a, terms=replace(a.terms, rules={"choices": 9}))
    with pytest.raises(InputError, match=r"differ in choices \(4 and 9\)"):
        compare(a, harder)
    other = replace(a, statistics={"accuracy": Statistic("median", ("correct",))})
    with pytest.raises(InputError, match="no metric in common"):
        compare(a, other)


@pytest.mark.parametrize(
    ("statistic", "message"),
    [
        (["cosine", ["score"]], "unknown aggregate 'cosine'"),
        (["roc_auc", ["score"]], "roc_auc takes 2 columns"),
        (["roc_auc", ["score", "nothing"]], "lacks a column"),
    ],
)
def test_a_report_whose_numbers_cannot_be_made_again_is_refused(tmp_path, statistic, message):
    [report] = reports_of(compatibility(), ["noise"], controls=False)
    content = json.loads(json.dumps(report.content()))
    content["statistics"]["AUC"] = statistic
    (tmp_path / "odd.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        Report.load(tmp_path / "odd.json")


def test_rules_of_other_kinds_are_printed_too():
    [report] = reports_of(blanks(), ["rules"], controls=False)
    odd = replace(
        report,
        terms=replace(report.terms, rules={"gallery": "all of them"}),
        missing_queries=report.units[:1],
        missing_gallery={},
        missing=1,
    )
    line = f"1 of {len(report.units):,} questions, counted as misses"
    assert line in benchmark_markdown([odd])
    assert line in results_markdown([odd])
