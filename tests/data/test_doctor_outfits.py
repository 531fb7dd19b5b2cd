"""Outfits and composed retrieval's text: every trap, planted, is found; clean ones have none."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from conftest import paint
from coordi.data.fashioniq import PUBLISHED, read_fashioniq
from coordi.doctor import examine
from coordi.doctor.blanks import _won, blank_shortcuts, order_auc
from coordi.errors import CatalogError

KINDS = ("top", "trousers", "shoes")


class Closet:
    """Outfits of three kinds of items; every item is worn once, so that nothing leaks."""

    def __init__(self, folder: Path, count: int = 60) -> None:
        self.folder = folder
        rng = np.random.default_rng(1)
        families = iter(rng.permutation(KINDS * count))  # so that no kind calls for another
        self.items = [
            {"id": f"{kind}-{n}", "family": next(families), "season": "2023"}
            for n in range(count)
            for kind in KINDS
        ]
        self.outfits = [
            (f"outfit-{n}", [f"{kind}-{n}" for kind in rng.permutation(KINDS)])
            for n in range(count)
        ]

    def write(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        for number, item in enumerate(self.items):
            item |= {"image": f"{item['id']}.png", "title": f"thing {number}"}
            path = self.folder / item["image"]
            if not path.exists():
                paint(path, "gray", number, (16, 16))
        lines = [
            {"outfit_id": name, "item_id": item} for name, items in self.outfits for item in items
        ]
        for file, rows in (("items.csv", self.items), ("outfits.csv", lines)):
            with (self.folder / file).open("w", newline="") as out:
                writer = csv.DictWriter(out, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        return self.folder / "outfits.csv"

    def findings(self, check: str):
        audit = examine(self.write())
        assert audit.kind == "outfits"
        return [finding for finding in audit.findings if finding.check == check]


@pytest.fixture
def closet(tmp_path):
    return Closet(tmp_path / "closet")


def test_clean_outfits_have_no_finding(closet):
    audit = examine(closet.write())
    assert audit.findings == ()
    assert audit.facts == {"outfits": 60, "items": 180, "pictures": 180}


def test_duplicate_outfits_and_those_that_differ_in_one_item(closet):
    closet.outfits += [("again", list(reversed(closet.outfits[0][1])))]
    closet.outfits += [("nearly", [*closet.outfits[1][1][:2], "shoes-5"])]
    same, near = closet.findings("duplicate outfits")
    assert (same.count, same.total, same.severity) == (2, 62, "error")
    assert (near.count, near.total) == (2, 61)


def test_items_shared_between_the_sides_of_a_random_split(closet):
    for _, items in closet.outfits:
        items[2] = "shoes-0"
    (found,) = closet.findings("shared items")
    assert found.count == found.total  # one pair of shoes with everything
    assert found.figures == {"groups": 1, "largest group": 60}


def test_unknown_items(closet):
    closet.outfits[3][1][0] = "nowhere"
    (found,) = closet.findings("unknown items")
    assert found.count == 1
    assert "outfits.csv:11" in found.exhibits[0].text  # header, three outfits of three lines


def test_odd_outfits(closet):
    closet.outfits[0] = ("single", ["top-0"])
    closet.outfits[1] = ("twice", ["top-1", "top-1", "shoes-1"])
    single, twice = closet.findings("odd outfits")
    assert [exhibit.text for exhibit in single.exhibits] == ["single"]
    assert [exhibit.text for exhibit in twice.exhibits] == ["twice"]


def test_popular_items(closet):
    for number, (_, items) in enumerate(closet.outfits):
        items[:] = [f"top-{number % 2}" if item.startswith("top") else item for item in items]
    evenness, idle = closet.findings("popularity")
    assert evenness.severity == "warning"
    assert (idle.severity, idle.count) == ("note", 58)
    blanks = closet.findings("shortcuts")
    assert any("popularity" in finding.figures for finding in blanks)


def test_popularity_helps_until_negatives_are_matched_in_it(tmp_path):
    closet = Closet(tmp_path / "closet", 240)
    rng = np.random.default_rng(0)
    # Of every kind a few items are worn often and most seldom, independently of each other.
    often = np.arange(40) ** 2
    for _, items in closet.outfits:
        for place, kind in enumerate(KINDS):
            items[place] = f"{kind}-{rng.choice(40, p=often / often.sum())}"
    closet.items = [item for item in closet.items if int(item["id"].split("-")[1]) < 40]
    audit = examine(closet.write())
    (table,) = [f for f in audit.figures if f.check == "shortcuts"]
    assert table.headings == ("cue", "anywhere", "same kind", "same kind, same popularity")
    cues = {row[0]: [float(cell.replace(",", "")) for cell in row[1:]] for row in table.rows}
    assert cues["popularity"][0] > 0.45
    assert cues["popularity"][1] > 0.45
    assert cues["popularity"][2] < 0.4


def test_a_background_that_outfits_share_answers_the_blank(closet):
    shades = ("red", "green", "blue", "white", "black", "orange", "purple", "gold")
    closet.folder.mkdir()
    for number, item in enumerate(closet.items):
        paint(closet.folder / f"{item['id']}.png", shades[number // 3 % 8], number, (16, 16))
    found = closet.findings("shortcuts")
    assert found[0].severity == "error"
    assert "background" in found[0].figures


def test_kinds_that_call_for_each_other_answer_the_blank(closet):
    for item in closet.items:
        item["family"] = item["id"].split("-")[0]
    (found,) = closet.findings("shortcuts")
    assert "family pairs" in found.figures
    assert "from anywhere" in found.title


def test_the_order_of_the_items_tells(closet):
    for item in closet.items:
        item["family"] = item["id"].split("-")[0]
    for _, items in closet.outfits:
        items.sort()
    (found,) = closet.findings("order")
    # One shuffle of three in six is the order itself, and ties count half.
    assert found.figures["auc"] > 0.8


def test_order_auc_of_a_known_case():
    kinds = np.array([0, 1])
    always = [(0, 1)] * 400
    auc, count = order_auc(always, kinds)
    assert count == 200
    assert auc == pytest.approx(0.75, abs=0.05)  # half the shuffles change nothing: ties
    either = [(0, 1), (0, 1), (1, 0), (1, 0)] * 100
    assert order_auc(either, kinds)[0] == pytest.approx(0.5, abs=0.05)


def test_ties_count_by_their_share():
    assert _won(np.array([1.0, 1.0, 0.0, 0.0])) == pytest.approx(0.5)
    assert _won(np.array([0.0, 1.0, 0.0, 0.0])) == 0
    assert _won(np.array([2.0, 2.0, 2.0, 2.0])) == pytest.approx(0.25)


def test_blanks_need_outfits():
    from coordi.doctor.looks import LOOK
    from coordi.doctor.outfits import OutfitSubject
    from coordi.doctor.subject import Subject

    items = Subject("none", (), {}, np.zeros(0, LOOK), lambda rows: {})
    assert list(blank_shortcuts(OutfitSubject(items, (), ()))) == []


def test_which_catalogue_is_meant_must_be_clear(closet):
    path = closet.write()
    (closet.folder / "more.csv").write_text((closet.folder / "items.csv").read_text())
    with pytest.raises(CatalogError, match="--catalog"):
        examine(path)
    assert examine(path, catalog=closet.folder / "items.csv").findings == ()


# composed retrieval


class Edits:
    """A clean folder in FashionIQ's layout, with counts of its own."""

    def __init__(self, folder: Path, monkeypatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.captions, self.splits = {}, {}
        for category in ("dress", "shirt"):
            for side in ("train", "val"):
                ids = [f"{category}-{side}-{n}" for n in range(12)]
                self.splits[category, side] = ids
                self.captions[category, side] = [
                    {
                        "candidate": ids[n],
                        "target": ids[n + 1],
                        "captions": [
                            f"is {n} shades lighter in {category}",
                            f"has {n} {side} pockets",
                        ],
                    }
                    for n in range(10)
                ]

    def write(self) -> Path:
        for name, stem, parts in (
            ("captions", "cap", self.captions),
            ("image_splits", "split", self.splits),
        ):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
            for (category, side), entries in parts.items():
                path = self.folder / name / f"{stem}.{category}.{side}.json"
                path.write_text(json.dumps(entries))
        return self.folder

    def findings(self, check: str):
        return [finding for finding in self.audit().findings if finding.check == check]

    def audit(self):
        folder = self.write()
        counts = read_fashioniq(folder).counts
        self.monkeypatch.setattr("coordi.doctor.edits.PUBLISHED", counts)
        return examine(folder)


@pytest.fixture
def edits(tmp_path, monkeypatch):
    return Edits(tmp_path / "edits", monkeypatch)


def test_clean_edits_have_no_finding(edits):
    audit = edits.audit()
    assert audit.findings == ()
    assert audit.kind == "edits"
    assert audit.facts == {"categories": 2, "triplets": 40, "images": 48}


def test_counts_that_are_not_the_published_ones(edits):
    audit = examine(edits.write())
    (found,) = [f for f in audit.findings if f.check == "published counts"]
    assert (found.severity, found.count) == ("error", len(PUBLISHED))


def test_leaks_across_categories_and_within(edits):
    edits.splits["dress", "train"] += edits.splits["shirt", "val"][:3]
    edits.splits["shirt", "train"] += edits.splits["shirt", "val"][11:]
    other, own = edits.findings("leaks across the split")
    assert (other.count, other.figures) == (3, {"images": 3, "targets": 2})
    assert "another category" in other.title
    assert (own.count, own.figures) == (1, {"images": 1, "targets": 0})


def test_short_captions(edits):
    edits.captions["dress", "val"][0]["captions"] = ["is black", "red"]
    edits.captions["dress", "val"][1]["captions"][0] = "is black"
    (found,) = edits.findings("captions")
    assert (found.count, found.total) == (3, 80)
    assert found.figures["triplets"] == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": "dress-val-0"}, "reference as target"),
        ({"captions": ["has long sleeves", "Has long sleeves."]}, "same caption twice"),
        ({"captions": ["is the same", "has two long arms"]}, "nothing changes"),
        ({"target": "dress-val-2", "candidate": "dress-val-1"}, "repeat the reference"),
        (
            {
                "candidate": "dress-val-1",
                "target": "dress-val-5",
                "captions": ["is 1 shades lighter in dress", "has 1 val pockets"],
            },
            "same question",
        ),
    ],
)  # fmt: skip
def test_unclear_triplets(edits, change, words):
    edits.captions["dress", "val"][0] |= change
    found = edits.findings("unclear triplets")
    assert [words in finding.title for finding in found] == [True]


def test_targets_that_no_gallery_holds(edits):
    edits.captions["dress", "val"][0]["target"] = "gone"
    edits.splits["shirt", "val"].append("shirt-val-0")
    lost, twice = edits.findings("strangers")
    assert (lost.severity, lost.count) == ("error", 1)
    assert twice.count == 1


def test_captions_that_fit_many(edits):
    for triplet in edits.captions["dress", "val"][:4]:
        triplet["captions"] = ["it is much darker", "it has longer sleeves"]
    (found,) = edits.findings("one labelled answer")
    assert (found.count, found.total) == (4, 20)


def test_entries_that_are_no_triplets(edits):
    edits.captions["dress", "val"][4] = {"captions": "red", "candidate": 3}
    (found,) = edits.findings("unusable entries")
    assert "cap.dress.val.json:5" in found.exhibits[0].text


def test_a_file_that_is_no_json(edits):
    folder = edits.write()
    (folder / "captions/cap.dress.val.json").write_text("{")
    with pytest.raises(CatalogError, match=r"cap\.dress\.val\.json"):
        examine(folder)
