"""A missing picture is a miss: in the metrics, in reports on every side, and in comparisons."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import COLORS, paint
from coordi.data.collection import Collection, Trial
from coordi.errors import InputError
from coordi.evaluation import retrieval, run
from coordi.evaluation.compare import compare, compare_common, missing_note
from coordi.evaluation.page import page
from coordi.evaluation.report import Report
from coordi.evaluation.tables import benchmark_markdown, results_markdown
from coordi.ranking.metrics import average_precision_at_r, found_rank, hit_at, reciprocal_rank
from coordi.ranking.rankings import joined, rank, rank_chunks
from coordi.ranking.rerank import reranked
from coordi.ranking.truth import truth_of
from coordi.types import ImageRef, Origin, Photo, Problem
from worlds import slow_average_precision_at_r, slow_ranking, vectors_with_ties, world


class Judge:
    """A re-ranker that turns the order of similarity round."""

    def score(self, query, items):
        return -(items @ query)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    share=st.floats(0, 1),
    rules=st.sampled_from(
        [{}, {"apart": "group"}, {"match": "color", "within": "category"}, {"match": "category"}]
    ),
    turned=st.booleans(),
)
def test_missing_is_a_miss_for_every_metric_as_a_slow_loop_has_it(seed, share, rules, turned):
    collection = world(seed, **rules)
    trial = collection.test
    rng = np.random.default_rng(seed)
    queries = vectors_with_ties(len(trial.query), seed)
    gallery = vectors_with_ties(len(trial.gallery), seed + 1)
    lost_query, lost_gallery = (rng.random(len(v)) < share for v in (queries, gallery))
    answers = truth_of(collection, trial).answers()
    queries[lost_query], gallery[lost_gallery] = 0, 0
    parts = rank_chunks(truth_of(collection, trial), queries, gallery, depth=10, chunk=5)
    if turned:
        parts = reranked(parts, Judge().score, queries, gallery, depth=4)
    parts = list(parts)
    got = joined(parts, max(part.ranked.shape[1] for part in parts))
    np.testing.assert_array_equal(got.answers, answers)  # what is missing remains an answer
    shown = got.ranked[got.ranked >= 0]
    assert not lost_gallery[shown].any()  # and is found by nobody
    for at in range(len(queries)):
        order, right, count = slow_ranking(collection, trial, queries, gallery, at)
        if turned:
            by_score = sorted(
                range(min(4, len(order))), key=lambda i: queries[at] @ gallery[order[i]]
            )
            right = [right[i] for i in by_score] + right[4:]
        first = right.index(True) + 1 if True in right else 0
        assert hit_at(got, 1)[at] == (first == 1)
        assert reciprocal_rank(got)[at] == (1 / first if first else 0)
        assert found_rank(got)[at] == (first or np.inf)
        if not turned:
            assert average_precision_at_r(got)[at] == slow_average_precision_at_r(right, count)
        if lost_query[at]:
            assert not order
            assert first == 0


def test_barred_photos_take_no_places_of_a_reranker():
    """Its own photo, its group and what is missing are no candidates: depth 3 reorders 3 others."""
    collection = world(11, apart="group", overlap=20)
    trial = collection.test
    queries = vectors_with_ties(len(trial.query), 0)
    gallery = vectors_with_ties(len(trial.gallery), 1)
    gallery[:20] = 0
    plain = rank(truth_of(collection, trial), queries, gallery, depth=10)
    seen = []

    class Counting(Judge):
        def score(self, query, items):
            seen.append(items)
            return super().score(query, items)

    chunks = rank_chunks(truth_of(collection, trial), queries, gallery, depth=10, all_answers=False)
    got = joined(list(reranked(chunks, Counting().score, queries, gallery, depth=3)), 10)
    assert all(len(items) == 3 and items.any(axis=1).all() for items in seen)
    np.testing.assert_array_equal(np.sort(got.ranked[:, :3]), np.sort(plain.ranked[:, :3]))


@pytest.fixture
def painted(tmp_path):
    """Two photos of each of eight garments, told apart by colour."""
    photos = []
    for side in ("query", "gallery"):
        for number, color in enumerate(COLORS):
            path = tmp_path / side / f"{color}.png"
            paint(path, color, seed=number + 10 * (side == "query"))
            photos.append(Photo(f"{side}-{color}", ImageRef(path), color, side == "query", "dress"))
    rows = np.arange(16)
    return Collection("painted", tuple(photos), rows[:0], Trial(rows[:8], rows[8:]))


def measured(collection, tmp_path, model="color-histogram"):
    [report] = run.evaluate(collection, [model], cache=tmp_path / "cache", controls=False)
    return report


def lose(tmp_path, *names):
    for name in names:
        (tmp_path / f"{name}.png").unlink()


def test_a_report_says_what_is_missing_on_each_side(painted, tmp_path):
    lose(tmp_path, "query/red", "gallery/red", "gallery/gold")
    (tmp_path / "query/green.png").write_bytes(b"no picture")
    odd = Problem(Origin("a.csv", 3), "no image")
    report = measured(replace(painted, problems=(odd,)), tmp_path)
    assert (report.terms.queries, report.terms.rules["gallery"], report.terms.left_out) == (8, 8, 0)
    assert report.missing_queries == ("query-red", "query-green")
    assert report.missing_gallery == {"gallery-red": "red", "gallery-gold": "gold"}
    assert (report.missing, report.unusable) == (4, 1)
    assert report.keys == COLORS
    hits = dict(zip(COLORS, report.columns["R@1"], strict=True))
    assert [color for color, hit in hits.items() if not hit] == ["red", "green", "gold"]
    line = "Missing or unreadable pictures: 2 of 8 queries and 2 of 8 gallery photos"
    other = "Rows of the data that give no photo, so are in no count: 1."
    for text in (
        benchmark_markdown([report]),
        page([report], painted.photos),
        results_markdown([report]),
    ):
        assert line in text
        assert other in text
    path = tmp_path / "r.json"
    report.save(path)
    assert Report.load(path) == report
    content = json.loads(path.read_text())
    assert content["missing_queries"] == ["query-red", "query-green"]


def test_a_reason_that_the_reader_knew_is_told_before_that_of_the_decoder(painted, tmp_path):
    lose(tmp_path, "query/red")
    told = {"query-red": Problem(Origin("list.txt", 7), "it was at http://a.example")}
    report = measured(replace(painted, missing=told), tmp_path)
    assert report.problems == ("list.txt:7: it was at http://a.example",)


@pytest.mark.parametrize("side", ["query", "gallery"])
def test_where_a_whole_side_is_missing_nothing_is_measured(painted, tmp_path, side):
    lose(tmp_path, *(f"{side}/{color}" for color in COLORS))
    with pytest.raises(InputError, match=rf"not one {side} picture of 8 can be read .*data root"):
        measured(painted, tmp_path)


def test_compare_refuses_what_does_not_miss_the_same_and_compares_what_is_shared(painted, tmp_path):
    whole = measured(painted, tmp_path)
    lose(tmp_path, "query/red", "gallery/green")
    less = measured(painted, tmp_path)
    assert all(d.difference == 0 for d in compare(less, less))
    words = (
        r"First: none; second: 1 of 8 queries and 1 of 8 .* in one alone: 1 queries and 1 gallery"
    )
    with pytest.raises(InputError, match=words):
        compare(whole, less)
    differences, out = compare_common(whole, less)
    assert (out.first, out.second) == (2, 2)  # red is missing, green has lost its answer
    assert (out.missing_queries, out.missing_answers, out.missing_gallery) == (1, 1, 1)
    assert [d.difference for d in differences if d.metric == "R@1"] == [0]
    assert compare_common(whole, whole)[1].first == 0
    lose(tmp_path, "query/gold", *(f"gallery/{c}" for c in COLORS if c not in ("green", "gold")))
    with pytest.raises(InputError, match="share no query"):
        compare_common(measured(painted, tmp_path), whole)


def test_what_a_report_of_an_earlier_version_misses_is_not_known_and_that_is_said(
    painted, tmp_path
):
    report = measured(painted, tmp_path)
    path = tmp_path / "old.json"
    report.save(path)
    content = json.loads(path.read_text())
    for name in ("keys", "missing_queries", "missing_gallery", "unusable"):
        del content[name]
    path.write_text(json.dumps(content))
    clean = Report.load(path)
    assert missing_note(clean, report) == ""  # it counted none, so none is missing
    assert compare(clean, report)
    path.write_text(json.dumps(content | {"missing": 3}))
    old = Report.load(path)
    assert compare(old, report)
    assert "counts 3 missing pictures without saying which" in missing_note(old, report)
    assert "3, and an earlier version of coordi did not say which" in benchmark_markdown([old])
    with pytest.raises(InputError, match="evaluate again to find the common part"):
        compare_common(report, old)


def test_a_table_of_systems_that_do_not_miss_the_same_says_so(painted, tmp_path):
    whole = measured(painted, tmp_path)
    lose(tmp_path, "query/red")
    less = measured(painted, tmp_path, "random")
    for text in (benchmark_markdown([whole, less]), page([whole, less], painted.photos)):
        assert "do not miss the same pictures" in text
        assert "color-histogram: none; random: 1 of 8 queries" in text


def test_pictures_without_a_direction_are_told(painted, tmp_path, monkeypatch):
    class Blind:
        name, fingerprint, dim, image_size = "blind", "b" * 16, 4, 8
        modalities = frozenset({"image"})

        def prepare(self, image):
            return image[:1, :1].transpose(2, 0, 1).astype(np.float32)

        def encode_prepared(self, batch):
            out = np.ones((len(batch), 4), np.float32) / 2
            out[batch[:, 0, 0, 0] > 200] = 0  # red, white, orange and gold
            return out

    monkeypatch.setattr(retrieval, "open_encoder", lambda name: Blind())
    report = measured(painted, tmp_path, "blind")
    assert report.missing == 0
    assert "8 pictures get a vector of zeros" in report.note

    class Broken(Blind):
        fingerprint = "c" * 16

        def encode_prepared(self, batch):
            return np.full((len(batch), 4), np.nan, np.float32)

    monkeypatch.setattr(retrieval, "open_encoder", lambda name: Broken())
    with pytest.raises(Exception, match="blind gives 8 of 8 pictures a vector that is not finite"):
        measured(painted, tmp_path, "broken")


class Parsed(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>|`\n# x \ud800'


def test_nothing_of_a_catalogue_becomes_html(painted, tmp_path):
    def named(photo):
        return replace(
            photo, id=f"{photo.id}{HOSTILE}", category=HOSTILE, item=photo.item + HOSTILE
        )

    hostile = replace(painted, name=HOSTILE, photos=tuple(map(named, painted.photos)))
    lose(tmp_path, "query/red", "gallery/gold")
    odd = Problem(Origin(HOSTILE, 3), HOSTILE, HOSTILE)
    report = measured(replace(hostile, problems=(odd,)), tmp_path)
    report = replace(report, model=HOSTILE, note=HOSTILE, recipe={"encoder": HOSTILE})
    text = page([report], hostile.photos)
    tags = Parsed(text).tags
    assert {"img", "figure", "table"} <= {tag for tag, _ in tags}
    assert not {"script", "iframe", "svg"} & {tag for tag, _ in tags}
    assert not [name for _, attrs in tags for name in attrs if name.startswith("on")]
    assert all(a["src"].startswith("data:image/jpeg") for tag, a in tags if tag == "img")
    for text in (benchmark_markdown([report]), results_markdown([report])):
        assert "<" not in text
    report.save(tmp_path / "r.json")
    assert Report.load(tmp_path / "r.json").units == report.units


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    photos = []
    for number, color in enumerate(COLORS * 2):
        paint(folder / f"{number}.png", color, seed=number)
        photos.append(Photo(str(number), ImageRef(folder / f"{number}.png"), color))
    rows = np.arange(16)
    made = Collection("painted", tuple(photos), rows[:0], Trial(rows[:8], rows[8:]))
    report = measured(made, folder)
    report.save(folder / "whole.json")
    return folder


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_report_with_anything_in_it_is_read_or_refused_by_name(written, data):
    content = json.loads((written / "whole.json").read_text())
    place, key = content, data.draw(st.sampled_from(sorted(content)))
    while data.draw(st.booleans()):
        if isinstance(place[key], dict) and place[key]:
            place, key = place[key], data.draw(st.sampled_from(sorted(place[key])))
        elif isinstance(place[key], list) and place[key]:
            place, key = place[key], data.draw(st.integers(0, len(place[key]) - 1))
        else:
            break
    place[key] = data.draw(JSON)
    path = written / "odd.json"
    path.write_text(json.dumps(content), "utf-8")
    told = ""
    try:
        report = Report.load(path)
    except InputError as error:
        told = str(error)
    if told:
        assert str(path) in told
        assert "\n" not in told
        return
    whole = Report.load(written / "whole.json")
    results_markdown([report, whole])
    page([report], ())
    for first, second in ((report, whole), (whole, report)):
        try:
            compare(first, second, rounds=10)
            compare_common(first, second, rounds=10)
        except InputError:
            pass


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "NaN", "7", "{", '{"format": "coordi-report-1"}', "[" * 100_000,
        '{"format": "coordi-report-1", "values": ' + '{"a":' * 50_000, "\ufeff{}", "9" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused_by_name(tmp_path, text):
    path = tmp_path / "r.json"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=r"r\.json"):
        Report.load(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"r\.json"):
        Report.load(path)
