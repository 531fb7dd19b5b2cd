"""Every trap, planted, is found; a clean dataset has none: catalogues and collections."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow

from coordi.data.collection import Collection, Trial
from coordi.doctor import Finding, examine, worst
from coordi.doctor.colors import contradicted, lab, measured_words
from coordi.doctor.neighbors import nearest, suspects
from coordi.doctor.tables import balance, is_no_label
from coordi.types import ImageRef, Origin, Photo, Problem
from fakes import ColorHistogram

INKS = {"red": (190, 50, 50), "blue": (50, 70, 190)}
PAPER = (240, 240, 240)


def draw(path: Path, ink, seed: int, paper=PAPER, size=(48, 64)) -> None:
    """A garment: a rectangle of one colour with three holes before a background, with noise."""
    width, height = size
    rng = np.random.default_rng(seed)
    pixels = np.empty((height, width, 3))
    pixels[:] = paper
    pixels[height // 5 : -height // 5, width // 5 : -width // 5] = ink
    for _ in range(3):
        y, x = rng.integers(height // 5, height // 2), rng.integers(width // 5, width // 2)
        pixels[y : y + height // 5, x : x + width // 5] = paper
    pixels += rng.integers(-6, 7, pixels.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


class Shop:
    """A catalogue without a fault, and the ways to plant one."""

    def __init__(self, folder: Path, count: int = 40) -> None:
        self.folder = folder
        self.rows = []
        for number in range(count):
            color = list(INKS)[number % 2]
            self.rows.append(
                {
                    "id": f"item-{number}",
                    "image": f"images/{number}.png",
                    "title": f"{color} thing {number}",
                    "category": {"red": "dress", "blue": "shirt"}[color],
                    "color": color,
                    "season": ["summer", "winter"][number // 2 % 2],
                }
            )
            draw(folder / f"images/{number}.png", INKS[color], number)

    def picture(self, number: int) -> Path:
        return self.folder / f"images/{number}.png"

    def write(self) -> Path:
        path = self.folder / "shop.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        return path

    def findings(self, check: str) -> list[Finding]:
        audit = examine(self.write(), encoder=ColorHistogram())
        return [finding for finding in audit.findings if finding.check == check]


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "shop")


def test_a_clean_catalogue_has_no_finding(shop):
    audit = examine(shop.write(), encoder=ColorHistogram())
    assert audit.findings == ()
    assert worst(audit) is None
    assert audit.facts == {"items": 40, "pictures": 40, "columns": 3}
    assert "label noise" in audit.clean
    assert set(audit.skipped) == {
        "published counts", "leaks across the split", "titles across the split",
        "copies in the gallery", "shortcuts of the trials",
    }  # fmt: skip


def test_without_an_encoder_label_noise_is_named_as_not_run(shop):
    audit = examine(shop.write())
    assert audit.skipped["label noise"] == "needs an encoder"
    assert "label noise" not in audit.clean


def test_missing_and_damaged_pictures(shop):
    shop.picture(3).unlink()
    shop.picture(4).write_bytes(shop.picture(4).read_bytes()[:200])
    missing, damaged = shop.findings("missing and damaged pictures")
    assert (missing.count, damaged.count) == (1, 1)
    assert missing.severity == "error"  # one in forty
    assert "item-3" in missing.exhibits[0].text
    assert "item-4" in damaged.exhibits[0].text


def test_repeated_ids(shop):
    shop.rows[7]["id"] = "item-1"
    (found,) = shop.findings("repeated ids")
    assert (found.severity, found.count) == ("error", 1)


def test_identical_pictures_and_their_torn_labels(shop):
    pixels = Pillow.open(shop.picture(0))
    pixels.save(shop.picture(1), compress_level=1)  # other bytes, the same pixels
    assert shop.picture(0).read_bytes() != shop.picture(1).read_bytes()
    found = shop.findings("duplicate pictures")
    assert found[0].exhibits[0].rows == (0, 1)
    assert (found[0].count, found[0].figures["groups"]) == (2, 1)
    assert [f.title.split(":")[0] for f in found[1:]] == ["category", "color"]


def test_identical_pictures_on_two_sides_of_a_stated_split(shop):
    for number, row in enumerate(shop.rows):
        row["split"] = "train" if number % 4 else "test"
    assert shop.findings("duplicate pictures") == []
    shop.picture(1).write_bytes(shop.picture(0).read_bytes())
    shop.rows[8]["title"] = shop.rows[9]["title"]
    leaks = [f for f in shop.findings("duplicate pictures") if f.severity == "error"]
    assert [(leak.count, leak.total) for leak in leaks] == [(1, 10)]
    (title,) = shop.findings("leaks across the split")
    assert title.exhibits[0].rows == (8, 9)


def printed(art: np.ndarray, left: int, top: int) -> Pillow.Image:
    """A coloured print somewhere on paper."""
    photo = np.full((120, 90, 3), 240, np.uint8)
    large = Pillow.fromarray(art).resize((60, 80), Pillow.Resampling.BICUBIC)
    photo[top : top + 80, left : left + 60] = np.asarray(large)
    return Pillow.fromarray(photo)


def test_near_duplicates(shop):
    art = np.random.default_rng(5).integers(40, 160, (8, 6, 3)).astype(np.uint8)
    for number, (left, top, quality) in enumerate([(10, 10, 95), (16, 8, 95), (10, 10, 80)]):
        printed(art, left, top).save(shop.picture(number), "JPEG", quality=quality)
    printed(art[::-1, ::-1], 10, 10).save(shop.picture(3))  # the same colours elsewhere
    printed(np.roll(art, 1, 2), 10, 10).save(shop.picture(4))  # the same print recoloured
    assert shop.findings("duplicate pictures") == []
    (found,) = shop.findings("near duplicates")
    assert [exhibit.rows for exhibit in found.exhibits] == [(0, 1, 2)]


def test_label_noise_names_the_mislabelled_item(shop):
    shop.rows[0]["category"] = "shirt"
    (found,) = shop.findings("label noise")
    assert found.count == 1
    assert found.exhibits[0].text.startswith("item-0: shirt")
    assert found.exhibits[0].rows[0] == 0
    assert all(row % 2 == 0 for row in found.exhibits[0].rows)  # its neighbours are red


def test_labels_that_are_none(shop):
    for row in shop.rows[:6]:
        row["category"] = "Not sure"
    (found,) = shop.findings("labels that are none")
    assert (found.count, found.figures) == (6, {"Not sure": 6.0})


@pytest.mark.parametrize("value", ["Not sure", "N/A", "skip", "OTHER", "unknown ", "n.a."])
def test_no_label(value):
    assert is_no_label(value)


@pytest.mark.parametrize("value", ["dress", "Other Shoes", "naval", "Nautica", "skipper"])
def test_a_label(value):
    assert not is_no_label(value)


def test_spellings(shop):
    for row in shop.rows[0:20:2]:
        row["category"] = "Dresses"
    for row in shop.rows[1:20:2]:
        row["category"] = "SHIRTS"
    (found,) = shop.findings("spellings")
    assert [exhibit.text for exhibit in found.exhibits] == ["SHIRTS = shirt"]


def test_repeated_titles(shop):
    for row in shop.rows[:5]:
        row["title"] = "red thing"
    (found,) = shop.findings("repeated titles")
    assert (found.count, found.severity) == (5, "warning")


def test_a_column_whose_rows_look_alike_is_a_split_key(shop):
    for number, row in enumerate(shop.rows):
        row["model"] = f"m{number // 4}-{row['color']}"  # two of a colour
        row["batch"] = f"b{number // 2}"  # one of each colour: nothing to keep together
    (found,) = shop.findings("split keys")
    assert found.title.startswith("model: 40 rows")
    assert found.figures["groups"] == 20
    assert found.figures["distance"] < 0.5


def test_titles_that_differ_in_the_colour_word_alone(shop):
    for number in range(4):
        shop.rows[number]["title"] = f"{shop.rows[number]['color']} linen dress {number // 2}"
    (found,) = shop.findings("split keys")
    assert (found.count, found.figures["groups"]) == (4, 2)


def test_empty_and_one_value_columns(shop):
    for number, row in enumerate(shop.rows):
        row |= {"brand": "", "line": "she", "size": "S" if number < 5 else ""}
    empty, sparse = shop.findings("empty columns")
    assert "brand" in empty.title
    assert sparse.figures == {"size: filled": 0.125}
    (same, *_) = shop.findings("one-value columns")
    assert [exhibit.text for exhibit in same.exhibits] == ["line: she", "size: S"]


def test_imbalance(shop):
    for number, row in enumerate(shop.rows):
        row["sleeve"] = "long" if number < 30 else "short" if number < 37 else "none at all"
    large, tail = shop.findings("class imbalance")
    assert "75% of the rows are 'long'" in large.title
    assert (tail.count, tail.total) == (1, 3)


def test_balance_in_closed_form():
    even, _ = balance(["a", "b", "c", "d"] * 3)
    assert even["entropy"] == pytest.approx(1)
    assert even["gini"] == pytest.approx(0)
    assert even["tail"] == 4
    skewed, largest = balance(["a"] * 9 + ["b"])
    assert largest == "a"
    assert skewed["largest"] == pytest.approx(0.9)
    assert skewed["gini"] == pytest.approx(0.4)  # (0.9 - 0.1) / 2
    assert skewed["entropy"] == pytest.approx(0.4690, abs=1e-4)  # bits of a 9:1 coin


def test_a_background_that_tells_the_season_is_a_shortcut(shop):
    for number, row in enumerate(shop.rows):
        paper = PAPER if row["season"] == "summer" else (200, 190, 150)
        draw(shop.picture(number), INKS[row["color"]], number, paper)
    (found,) = [f for f in shop.findings("shortcuts") if "background" in f.title]
    assert found.severity == "error"
    assert found.title.startswith("season: the background alone gives 1.00")


def test_a_picture_size_that_tells_the_season_is_a_shortcut(shop):
    for number, row in enumerate(shop.rows):
        size = (48, 64) if row["season"] == "summer" else (64, 64)
        draw(shop.picture(number), INKS[row["color"]], number, size=size)
    assert any("size in pixels" in f.title for f in shop.findings("shortcuts"))


def test_color_labels_that_the_pictures_contradict(tmp_path):
    shop = Shop(tmp_path / "shop", 60)
    for row in shop.rows:
        row["shade"] = row["color"]
        row["color"] = {"red": "red", "blue": "yellow"}[row["color"]]
    torn, columns = shop.findings("colour labels")
    assert "color: 'yellow' is contradicted by 30 of 30 pictures, which look blue" in torn.title
    assert (columns.count, columns.total) == (30, 60)


def test_lab_of_known_colors():
    values = lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [119, 119, 119]], np.uint8))
    np.testing.assert_allclose(values[0], [100, 0, 0], atol=0.2)
    np.testing.assert_allclose(values[1], [0, 0, 0], atol=0.2)
    np.testing.assert_allclose(values[2], [53.24, 80.09, 67.20], atol=0.2)
    np.testing.assert_allclose(values[3], [50.0, 0, 0], atol=0.3)


def test_colors_in_words():
    seen = lab(np.array([[200, 40, 50], [35, 35, 38], [190, 190, 60]], np.uint8))
    assert measured_words(seen)[:2] == ["red", "black"]
    assert contradicted("blue", seen).tolist() == [True, False, True]  # dark cloth has no hue
    assert contradicted("white", seen).tolist() == [True, True, True]
    assert contradicted("silver", seen).tolist() == [False, False, False]  # unknown value


# neighbours


@settings(deadline=None)
@given(
    arrays(
        np.float32, st.tuples(st.integers(2, 12), st.integers(1, 3)), elements=st.integers(-4, 4)
    ),
    st.integers(1, 5),
    st.booleans(),
)
def test_nearest_is_the_slow_loop(rows, k, kept_apart):
    apart = np.arange(len(rows), dtype=np.int64) // 2 if kept_apart else None
    found = nearest(rows, np.arange(len(rows)), k, apart)
    for row, near in enumerate(found):
        distances = ((rows - rows[row]) ** 2).sum(1)
        free = [
            other
            for other in range(len(rows))
            if other != row and (apart is None or apart[other] != apart[row])
        ]
        best = sorted(distances[free])[: found.shape[1]]
        kept = [other for other in near if other in free]
        assert sorted(distances[kept]) == best[: len(kept)]
        assert len(kept) >= min(len(free), found.shape[1])


def test_suspects_need_agreement_and_company():
    labels = np.array([0] * 6 + [1] * 6 + [2], np.int64)
    near = np.array([[1, 2, 3, 4]] * 13)  # everyone's neighbours carry label 0
    found, said = suspects(labels, near)
    assert found.tolist() == [6, 7, 8, 9, 10, 11]  # label 2 is alone: no one to agree with
    assert set(said.tolist()) == {0}
    torn = np.array([[1, 2, 6, 7]] * 13)
    assert suspects(labels, torn)[0].tolist() == []


# collections


def collection(folder: Path, test_items: Sequence[int], **changes) -> Collection:
    """Twelve garments, each in two photos; the first of a pair is the query."""
    photos = []
    for number in range(24):
        draw(folder / f"{number}.png", tuple(INKS.values())[number // 2 % 2], number)
        photos.append(
            Photo(
                f"photo-{number}",
                ImageRef(path=folder / f"{number}.png"),
                f"garment-{number // 2}",
                category=("dress", "shirt")[number // 2 % 2],
            )
        )
    test = np.array([row for row in range(24) if row // 2 in test_items], np.int64)
    train = np.setdiff1d(np.arange(24), test)
    return Collection("pairs", tuple(photos), train, Trial(test[::2], test), **changes)


def checks(audit, severity="error"):
    return [finding.check for finding in audit.findings if finding.severity == severity]


def test_a_clean_collection_has_no_finding(tmp_path):
    audit = examine(collection(tmp_path, [8, 9, 10, 11]))
    assert audit.findings == ()
    assert audit.kind == "collection"
    assert "leaks across the split" in audit.clean
    assert "copies in the gallery" in audit.clean


def test_published_counts_that_are_not_met(tmp_path):
    counts = {"published": {"images": 25, "items": 12}, "counts": {"images": 24, "items": 12}}
    audit = examine(collection(tmp_path, [8, 9, 10, 11], **counts))
    assert checks(audit) == ["published counts"]
    assert audit.findings[0].exhibits[0].text == "images: 24 instead of 25"
    met = examine(collection(tmp_path, [8, 9, 10, 11], published={"a": 1}, counts={"a": 1}))
    assert met.findings == ()


def test_missing_photos_of_a_published_collection(tmp_path):
    lost = Problem(Origin("list.txt", 4), "image file x.jpg is not there", id="x")
    same = {"published": {"a": 1}, "counts": {"a": 1}}
    audit = examine(collection(tmp_path, [8, 9, 10, 11], problems=(lost,), **same))
    assert checks(audit) == ["missing and damaged pictures"]


def test_a_garment_on_two_sides(tmp_path):
    made = collection(tmp_path, [8, 9, 10, 11])
    leaking = Collection(
        made.name, made.photos, np.append(made.train, made.test.query[0]), made.test
    )
    audit = examine(leaking)
    assert checks(audit) == ["leaks across the split"]


def test_a_training_picture_that_is_asked_about(tmp_path):
    made = collection(tmp_path, [8, 9, 10, 11])
    (tmp_path / "16.png").write_bytes((tmp_path / "0.png").read_bytes())
    assert checks(examine(made)) == ["duplicate pictures"]


def test_a_query_that_finds_its_own_picture(tmp_path):
    made = collection(tmp_path, [8, 9, 10, 11])
    (tmp_path / "17.png").write_bytes((tmp_path / "16.png").read_bytes())
    audit = examine(made)
    (found,) = [f for f in audit.findings if f.check == "copies in the gallery"]
    assert (found.count, found.total) == (1, 4)


def test_a_background_per_garment_solves_the_trial(tmp_path):
    made = collection(tmp_path, list(range(4, 12)))
    for number in range(24):
        draw(tmp_path / f"{number}.png", INKS["red"], number, (250, 250 - 8 * (number // 2), 200))
    (found,) = [f for f in examine(made).findings if "background" in f.title]
    assert found.severity == "error"
    assert found.figures["hit"] == pytest.approx(1)


def test_the_category_cue_of_a_trial_in_closed_form(tmp_path):
    audit = examine(collection(tmp_path, [8, 9, 10, 11]))
    (table,) = [f for f in audit.figures if f.headings[0] == "trial"]
    # Of 7 others one is right; of the 3 others of its category one is right.
    assert table.rows[0][1] == "0.143"
    assert table.rows[0][-1] == "0.333"
