"""Whole evaluations on painted pictures: numbers, reports, pages, comparisons."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from conftest import COLORS, paint
from coordi.data.collection import Collection, Trial
from coordi.errors import FingerprintError, InputError
from coordi.evaluation import retrieval, run
from coordi.evaluation.compare import compare
from coordi.evaluation.page import page
from coordi.evaluation.report import Report, Value
from coordi.evaluation.tables import benchmark_markdown, results_markdown
from coordi.ranking.rankings import rank, rank_chunks
from coordi.ranking.rerank import reranked
from coordi.ranking.truth import truth_of
from coordi.types import ImageRef, Photo
from worlds import vectors_with_ties, world


@pytest.fixture
def painted(tmp_path):
    """Two photos of each of eight garments, told apart by colour; one query is unreadable."""
    photos = []
    for side in ("query", "gallery"):
        for number, color in enumerate(COLORS):
            path = tmp_path / side / f"{color}.png"
            paint(path, color, seed=number + 10 * (side == "query"))
            kind = ("dress", "<skirt>")[number % 2]
            photos.append(Photo(f"{side}-{color}", ImageRef(path), color, side == "query", kind))
    (tmp_path / "query" / "gold.png").write_bytes(b"no picture")
    rows = np.arange(16)
    return Collection("painted", tuple(photos), rows[:0], Trial(rows[:8], rows[8:]))


@pytest.fixture
def reports(painted, tmp_path, monkeypatch):
    monkeypatch.delenv("COORDI_IMAGENET", raising=False)
    monkeypatch.setattr(retrieval, "list_encoders", list)  # no hub cache
    said = []
    out = run.evaluate(painted, ["color-histogram"], cache=tmp_path / "cache", say=said.append)
    assert any("--imagenet" in line for line in said)
    return out


def test_numbers_of_a_world_that_colour_solves(reports):
    by_name = {(r.model, r.control): r for r in reports}
    assert set(by_name) == {
        ("color-histogram", False), ("color-histogram", True), ("random", True),
        ("category-only", True),
    }  # fmt: skip
    model = by_name["color-histogram", False]
    assert model.values["R@1"].value == 7 / 8  # the unreadable query stays in the denominator
    assert model.columns["R@1"][COLORS.index("gold")] == 0
    assert model.columns["median rank"][COLORS.index("gold")] is None
    assert model.missing == 1
    assert "gold.png" in model.problems[0]
    assert by_name["category-only", True].values["R@1"].value == pytest.approx(1 / 4)
    assert [(s.category, s.queries) for s in model.slices] == [("<skirt>", 4), ("dress", 4)]
    assert model.worst[0].photo == "query-gold"
    assert model.worst[0].rank == 0
    assert model.best[0].found[0].right


def test_queries_without_an_answer_are_left_out_and_counted(painted, tmp_path):
    gone = replace(painted, test=replace(painted.test, gallery=painted.test.gallery[:-2]))
    out = run.evaluate(gone, ["random"], cache=tmp_path, controls=False)
    assert (out[0].terms.queries, out[0].terms.left_out, out[0].terms.rules["gallery"]) == (6, 2, 6)
    assert "Left out, because the gallery holds no answer: 2 more" in benchmark_markdown(out)
    empty = replace(painted, test=replace(painted.test, gallery=painted.test.gallery[:0]))
    with pytest.raises(InputError, match="no query of the test trial has an answer"):
        run.evaluate(empty, ["random"], cache=tmp_path)
    with pytest.raises(InputError, match="no val trial"):
        run.evaluate(painted, ["random"], cache=tmp_path, trial="val")


def test_reports_survive_json(reports, tmp_path):
    for report in reports:
        report.save(tmp_path / "r.json")
        assert Report.load(tmp_path / "r.json") == report
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="no report"):
        Report.load(tmp_path / "other.json")
    with pytest.raises(InputError, match="cannot read"):
        Report.load(tmp_path / "absent.json")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.addresses, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [v for k, v in attrs if k in ("src", "href", "srcset", "action")]
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_outside_and_escapes(reports, painted):
    text = page(reports, painted.photos)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.addresses
    assert all(a.startswith("data:image/jpeg;base64,") for a in tags.addresses)
    assert "url(" not in text
    assert "<skirt>" not in text
    assert "&lt;skirt&gt;" in text
    assert "no answer is ever found" in text
    assert "1 of 8 queries and 0 of 8 gallery photos, counted as misses" in text
    assert '<p class="reduced">' not in text
    short = [
        replace(r, terms=replace(r.terms, reduced=True, shortfalls={"x": (9, 8)})) for r in reports
    ]
    assert '<p class="reduced">' in page(short, painted.photos)


def test_published_numbers_stand_beside_a_whole_benchmark_only(reports):
    named = [replace(r, terms=replace(r.terms, benchmark="deepfashion-in-shop")) for r in reports]
    assert "Unicom ViT-L (published) | 0.967" in benchmark_markdown(named)
    assert "(published)" in page(named, ())
    reduced = [
        replace(r, terms=replace(r.terms, reduced=True, shortfalls={"x": (9, 8)})) for r in named
    ]
    assert "(published)" not in benchmark_markdown(reduced)
    assert "Reduced: x 8 of 9." in benchmark_markdown(reduced)
    assert "(published)" not in benchmark_markdown(reports)


def test_results_put_seeds_together(reports):
    trained = [
        replace(
            reports[0], model="net", seed=seed, recipe={"recipe": "head", "seed": seed},
            values={name: Value(value, value, value) for name in reports[0].values},
        )
        for seed, value in ((0, 0.5), (1, 0.7), (2, 0.6))
    ]  # fmt: skip
    text = results_markdown([*reports, *reports, *trained])
    assert re.search(r"\| net \(seeds 0, 1, 2\) \| 0.600 ± 0.100 \|", text)
    assert text.count("*random*") == 1
    assert text.index("| net") < text.index("*random*")
    other = replace(trained[0], recipe={"recipe": "head", "seed": 0, "lr": 1}, fingerprint="x")
    assert results_markdown([*trained, other]).count("| net (seed") == 2


def test_recipes_of_one_name_are_told_apart_by_what_they_learned_on(reports, painted):
    both = [
        replace(reports[0], model="head", seed=0, recipe={"encoder": encoder}, control=False)
        for encoder in ("coordi-mini", "models/resnet")
    ]
    for text in (benchmark_markdown(both), page(both, painted.photos)):
        assert "head (seed 0) on coordi-mini" in text
        assert "head (seed 0) on resnet" in text


def test_compare_tells_noise_from_a_difference(reports):
    good = reports[0]
    same = compare(good, good)
    assert all(d.difference == 0 and not d.real and d.p == 1 for d in same)
    rng = np.random.default_rng(0)
    photos = tuple(f"p{n}" for n in range(400))
    base = rng.random(400)

    def report(values, groups=photos):
        column = {"MRR": tuple(values.tolist()), "median rank": (None,) * 400}
        made = {name: good.statistics[name] for name in column}
        return replace(good, units=photos, groups=groups, columns=column, statistics=made)

    noisy = report(base + rng.normal(0, 0.1, 400))
    better = report(base + 0.05 + rng.normal(0, 0.1, 400))
    [noise], [real] = compare(report(base), noisy), compare(report(base), better)
    assert not noise.real
    assert real.real
    assert real.low < real.difference < real.high
    assert real.p < 0.01 < noise.p
    backwards = replace(
        better, units=photos[::-1], groups=photos[::-1],
        columns={name: column[::-1] for name, column in better.columns.items()},
    )  # fmt: skip
    assert compare(report(base), backwards) == [real]
    few = tuple(str(n % 2) for n in range(400))  # two garments: nothing is certain
    [unsure] = compare(report(base, few), noisy)
    assert unsure.p > 0.3


def test_compare_refuses_what_is_not_the_same_test(reports):
    a = reports[0]
    with pytest.raises(InputError, match="differ in gallery"):
        compare(a, replace(a, terms=replace(a.terms, rules=a.terms.rules | {"gallery": 9})))
    with pytest.raises(InputError, match=r"2 are in one alone"):
        compare(a, replace(a, units=("new", *a.units[1:])))


def test_a_reranker_orders_the_head_as_a_slow_loop_does():
    collection = world(8)
    trial = collection.test
    queries, gallery = (
        vectors_with_ties(len(trial.query), 0),
        vectors_with_ties(len(trial.gallery), 1),
    )
    weights = np.random.default_rng(2).integers(-2, 3, 3).astype(np.float32)

    class Judge:
        def score(self, query, items):
            return (items * query) @ weights

    before = rank(truth_of(collection, trial), queries, gallery, depth=40)
    chunks = rank_chunks(
        truth_of(collection, trial), queries, gallery, depth=40, chunk=7, all_answers=False
    )
    for part in reranked(chunks, Judge().score, queries, gallery, depth=10):
        for row, query in enumerate(part.query):
            old = before.ranked[query].tolist()
            head = sorted(
                old[:10], key=lambda p, q=query: -float((gallery[p] * queries[q]) @ weights)
            )
            assert part.ranked[row].tolist() == head + old[10:]
            places = np.flatnonzero(part.relevant[row])
            if len(places):
                assert part.first[row] == places[0] + 1
            else:
                assert part.first[row] == before.first[query]


def test_a_reranker_of_another_encoder_is_refused(painted, tmp_path, monkeypatch):
    class Judge:
        name, fingerprint, encoder, reads = "judge", "f" * 16, "random", "0" * 16

    monkeypatch.setattr(retrieval, "is_reranker", lambda name: name == "judge")
    monkeypatch.setattr(retrieval, "open_reranker", lambda name: Judge())
    with pytest.raises(FingerprintError, match="train the re-ranker again"):
        run.evaluate(painted, ["judge"], cache=tmp_path)
