"""The drawn wardrobe: what it says about a garment is what its picture shows."""

import csv
import itertools
import json
import random
from dataclasses import replace

import numpy as np
import pytest

from coordi.data.specs import CollectionSpec
from coordi.doctor import examine
from coordi.drawn import (
    COLORS,
    KINDS,
    Garment,
    changed_attributes,
    draw_garment,
    draw_street,
    draw_wardrobe,
    goes_together,
    write_wardrobe,
)
from coordi.drawn.collections import load_collection
from coordi.drawn.edits import EDITABLE
from coordi.drawn.garments import NECKLINE_WORDS, PATTERN_WORDS, SLEEVE_WORDS
from coordi.drawn.palette import contrast
from coordi.errors import InputError

SIZE = 64


@pytest.fixture(scope="module")
def wardrobe():
    return draw_wardrobe(300, seed=3)


@pytest.fixture(scope="module")
def by_id(wardrobe):
    return {garment.id: garment for garment in wardrobe.garments}


def basic(kind: str, **changes: object) -> Garment:
    """The commonest garment of a kind, in red where it may be."""
    spec = KINDS[kind]
    garment = Garment(
        id="x",
        kind=kind,
        color="red" if not spec.colors else spec.colors[0],
        pattern="plain",
        second_color="white",
        sleeve=spec.sleeves[0],
        neckline=spec.necklines[0],
        length=spec.lengths[0],
        silhouette=spec.silhouettes[0],
        material=spec.materials[0],
        occasion=spec.occasions[0],
        season=spec.seasons[0],
        price=9.95,
        jitter=1,
    )
    return replace(garment, **changes)


def difference(first: Garment, second: Garment) -> np.ndarray:
    """Largest channel difference per pixel."""
    a, b = (draw_garment(g, SIZE).astype(int) for g in (first, second))
    return np.abs(a - b).max(axis=2)


def test_same_seed_same_wardrobe_and_pixels():
    first, second = draw_wardrobe(40, seed=7), draw_wardrobe(40, seed=7)
    assert first == second
    for a, b in zip(first.garments[::9], second.garments[::9], strict=True):
        assert draw_garment(a, SIZE).tobytes() == draw_garment(b, SIZE).tobytes()
        one, box = draw_street(a, 5, (48, 72))
        two, same_box = draw_street(b, 5, (48, 72))
        assert one.tobytes() == two.tobytes()
        assert box == same_box


def test_other_seeds_give_other_garments():
    looks = [{g.look for g in draw_wardrobe(40, seed=seed).garments} for seed in (0, 1)]
    assert len(looks[0] & looks[1]) < 5


def test_a_larger_wardrobe_begins_with_the_smaller_one():
    small, large = draw_wardrobe(30, seed=2), draw_wardrobe(60, seed=2)
    assert large.garments[:30] == small.garments


def test_garments_are_all_different_and_valid(wardrobe):
    assert len(wardrobe.garments) == 300
    assert len({g.id for g in wardrobe.garments}) == 300
    assert len({g.look for g in wardrobe.garments}) == 300
    assert {g.kind for g in wardrobe.garments} == set(KINDS)
    for g in wardrobe.garments:
        spec = KINDS[g.kind]
        assert g.pattern in spec.patterns
        assert g.sleeve in spec.sleeves
        assert g.neckline in spec.necklines
        assert g.length in spec.lengths
        assert g.silhouette in spec.silhouettes
        assert g.color in (spec.colors or COLORS)
        assert contrast(g.color, g.second_color)
        assert spec.price[0] < g.price < spec.price[1] + 1


@pytest.mark.parametrize("count", [0, -1, 5001])
def test_impossible_counts_are_refused(count):
    with pytest.raises(InputError, match="1 to 5000"):
        draw_wardrobe(count)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_tiny_wardrobes_hold_what_they_can(count):
    small = draw_wardrobe(count)
    ids = {g.id for g in small.garments}
    assert len(ids) == count
    assert {e.reference for e in small.edits} | {e.target for e in small.edits} <= ids


@pytest.mark.parametrize("kind", KINDS)
def test_every_visible_attribute_changes_the_picture(kind):
    spec = KINDS[kind]
    for name, values in {
        "sleeve": spec.sleeves,
        "neckline": spec.necklines,
        "length": spec.lengths,
        "silhouette": spec.silhouettes,
        "pattern": spec.patterns,
    }.items():
        garments = [basic(kind, **{name: value}) for value in values]
        for first, second in itertools.combinations(garments, 2):
            changed = (difference(first, second) > 24).mean()
            assert changed > 0.004, (name, getattr(first, name), getattr(second, name))


def test_kinds_do_not_look_alike():
    garments = {kind: basic(kind, color="blue") for kind in KINDS}
    for first, second in itertools.combinations(KINDS, 2):
        apart = difference(garments[first], garments[second])
        assert (apart > 24).mean() > 0.025, (first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_seen_does_not_change_the_picture(kind):
    garment = basic(kind)
    other = replace(garment, id="y", material="?", occasion="?", season="?", price=1.0)
    assert difference(garment, other).max() == 0
    for silhouette in KINDS[kind].silhouettes:
        garment = basic(kind, silhouette=silhouette)
        assert difference(garment, replace(garment, second_color="navy")).max() == 0


def test_a_colour_is_the_colour_it_is_called():
    for name, value in COLORS.items():
        picture = draw_garment(basic("tee", color=name), SIZE).astype(float)
        middle = np.median(picture[28:48, 26:38].reshape(-1, 3), axis=0)
        far = {other: np.abs(middle - rgb).sum() for other, rgb in COLORS.items()}
        assert min(far, key=far.__getitem__) == name, (middle, value)


def test_long_sleeves_are_seen_where_sleeves_are():
    changed = difference(basic("tee", sleeve="short"), basic("tee", sleeve="long")) > 24
    sleeves = changed[30:, :16].sum() + changed[30:, -16:].sum()
    assert sleeves > 60
    assert sleeves > 20 * changed[30:48, 24:40].sum()


def test_longer_dresses_reach_lower_for_their_width():
    shapes = {}
    for length in KINDS["dress"].lengths:
        inked = (draw_garment(basic("dress", length=length), SIZE).min(axis=2) < 200).nonzero()
        shapes[length] = np.ptp(inked[0]) / np.ptp(inked[1])
    assert shapes["mini"] < shapes["knee-length"] < shapes["maxi"]


def test_the_picture_is_antialiased_on_a_light_ground():
    picture = draw_garment(basic("skirt"), SIZE)
    assert picture.shape == (SIZE, SIZE, 3)
    assert picture.dtype == np.uint8
    assert picture[0].min() > 235
    assert picture[:, 0].min() > 235
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_edits_lead_to_targets_that_differ_in_exactly_one_thing(wardrobe, by_id):
    assert len(wardrobe.edits) > 300
    seen = set()
    for edit in wardrobe.edits:
        reference, target = by_id[edit.reference], by_id[edit.target]
        (name,) = changed_attributes(reference, target)
        assert reference.look != target.look
        seen.add(name)
        new = getattr(target, name)
        known = {new, *new.split("-"), PATTERN_WORDS.get(new), "without"}
        words = edit.text.replace("-", " ").split()
        assert any(w in edit.text or w in words for w in known if w), (edit, new)
    assert seen == set(EDITABLE)


def test_an_edit_has_one_exact_target(wardrobe, by_id):
    """No second garment of the wardrobe looks like the target of an edit."""
    looks = [g.look for g in wardrobe.garments]
    assert all(looks.count(by_id[edit.target].look) == 1 for edit in wardrobe.edits)


def test_titles_say_what_is_seen(wardrobe):
    for g in wardrobe.garments:
        title = g.title.lower()
        assert title.startswith(g.color)
        assert g.material in title
        for words, value in (
            (SLEEVE_WORDS, g.sleeve),
            (NECKLINE_WORDS, g.neckline),
            (PATTERN_WORDS, g.pattern),
        ):
            assert words.get(value, "") in title
        assert g.pattern == "plain" or g.second_color in title
        assert all(v in title for v in (g.length, g.silhouette) if v != "regular")
        assert "  " not in title


def test_a_title_reads_like_a_shops():
    tee = basic("tee", color="navy", pattern="stripes", sleeve="long", silhouette="slim")
    assert tee.title == "Navy and white striped slim long-sleeve cotton crew-neck tee"
    assert basic("bag").title == "Red leather tote bag"


def test_outfits_break_no_rule_and_chance_breaks_many(wardrobe, by_id):
    assert len(wardrobe.outfits) == 150
    assert len({frozenset(outfit.items) for outfit in wardrobe.outfits}) == 150
    for outfit in wardrobe.outfits:
        assert goes_together([by_id[item] for item in outfit.items]) == []
    rng = random.Random(0)
    by_slot = {}
    for garment in wardrobe.garments:
        by_slot.setdefault(garment.slot, []).append(garment)
    slots = ("top", "bottom", "shoes", "outer", "bag")
    broken = sum(bool(goes_together([rng.choice(by_slot[s]) for s in slots])) for _ in range(200))
    assert broken > 150


def test_each_rule_is_named_when_broken():
    def rules(*garments):
        return {rule.split(":")[0] for rule in goes_together(garments)}

    quiet = {"color": "black", "occasion": "casual", "season": "all year"}
    tee, jeans, shoes = (basic(k, **quiet) for k in ("tee", "jeans", "sneakers"))
    assert rules(tee, jeans, shoes) == set()
    assert rules(tee, jeans) == {"slots"}
    assert rules(tee, shoes) == {"slots"}
    assert rules(tee, tee, jeans, shoes) == {"slots"}
    assert rules(tee, jeans, shoes, basic("dress", **quiet)) == {"slots"}
    assert rules(tee, jeans, replace(shoes, occasion="office")) == {"occasion"}
    assert rules(replace(tee, season="summer"), jeans, replace(shoes, season="winter")) == {
        "season"
    }
    red, green = replace(tee, color="red"), replace(shoes, color="green")
    assert rules(red, jeans, green) == {"colour"}
    assert rules(red, jeans, replace(shoes, color="orange")) == set()
    assert rules(red, replace(jeans, color="blue"), shoes) == set()
    striped = {"pattern": "stripes"}
    assert rules(replace(tee, **striped), jeans, replace(shoes, **striped)) == {"pattern"}


@pytest.mark.parametrize("kind", KINDS)
def test_street_pictures_show_the_garment_in_the_box(kind):
    garment = basic(kind, color="red" if not KINDS[kind].colors else "blue")
    photo, (left, top, right, bottom) = draw_street(garment, 4, (96, 144))
    assert photo.shape == (144, 96, 3)
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1
    inside = photo[int(top * 144) : int(bottom * 144), int(left * 96) : int(right * 96)].astype(int)
    strongest = 2 if KINDS[kind].colors else 0
    others = [channel for channel in range(3) if channel != strongest]
    tinted = inside[..., strongest] > inside[..., others].max(axis=2) + 40
    assert tinted.mean() > 0.12


def test_street_pictures_change_with_their_seed():
    garment = basic("coat")
    first, second = (draw_street(garment, seed, (48, 72))[0].astype(int) for seed in (1, 2))
    assert np.abs(first - second).mean() > 15


def test_write_wardrobe(tmp_path):
    folder = tmp_path / "shop"
    catalog = write_wardrobe(folder, count=12, seed=1, size=32)
    assert catalog == folder / "catalog.csv"
    expected = draw_wardrobe(12, seed=1)
    with catalog.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [g.id for g in expected.garments]
    assert [row["title"] for row in rows] == [g.title for g in expected.garments]
    assert all((folder / row["image"]).stat().st_size > 100 for row in rows)
    edits = [json.loads(line) for line in (folder / "edits.jsonl").read_text().splitlines()]
    assert edits == [
        {"reference": e.reference, "text": e.text, "target": e.target} for e in expected.edits
    ]
    with (folder / "street.csv").open(encoding="utf-8", newline="") as file:
        photos = list(csv.DictReader(file))
    assert [photo["item"] for photo in photos] == [g.id for g in expected.garments[::4]]
    assert all((folder / photo["image"]).is_file() for photo in photos)


def test_what_the_wardrobe_writes_is_read_by_our_own_readers(tmp_path):
    write_wardrobe(tmp_path / "shop", count=40, seed=1, size=32)
    spec = CollectionSpec(
        kind="pairs", path="shop/catalog.csv", pairs="shop/street.csv", val=0.2, test=0.4
    )
    made = load_collection(spec, tmp_path, cache=tmp_path / "cache")
    assert not made.problems
    assert not made.missing
    assert made.counts["shop photos"] == 40
    assert made.counts["street photos"] == 10
    street = [photo for photo in made.photos if photo.street]
    assert all(photo.box and photo.image.path.is_file() for photo in street)
    audit = examine(tmp_path / "shop/outfits.csv")
    assert audit.kind == "outfits"
    assert "unknown items" in audit.clean


def test_writing_twice_changes_nothing_and_other_arguments_replace(tmp_path):
    folder = tmp_path / "shop"
    times = []
    for _ in range(2):
        write_wardrobe(folder, count=2, size=32)
        times.append({p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*")})
    assert times[0] == times[1]
    write_wardrobe(folder, count=3, size=32)
    assert len(list((folder / "images").iterdir())) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["shop"]


def test_a_broken_off_write_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("coordi.drawn.folder.draw_street", fail)
    with pytest.raises(KeyboardInterrupt):
        write_wardrobe(tmp_path / "shop", count=2, size=32)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_files_is_left_alone(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="holds other files"):
        write_wardrobe(tmp_path, count=2, size=32)
    assert [p.name for p in tmp_path.iterdir()] == ["photo.jpg"]


def test_an_empty_folder_is_used(tmp_path):
    (tmp_path / "shop").mkdir()
    assert write_wardrobe(tmp_path / "shop", count=1, size=32).is_file()


def test_files_are_the_same_bytes_each_time(tmp_path):
    for name in ("a", "b"):
        write_wardrobe(tmp_path / name, count=4, size=32)
    first, second = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in ("a", "b")
    )
    assert first == second
    assert len(first) > 8
