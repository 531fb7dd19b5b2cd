"""Street views: the cut-out is the garment, views are repeatable, boxes hold it, sides differ."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageDraw

from coordi.data.images import decode_image, encode_jpeg, read_bytes
from coordi.data.rendering import Job, render
from coordi.data.splits import split_of
from coordi.drawn import draw_garment, draw_wardrobe
from coordi.drawn.street_views import (
    Backdrop,
    DrawnBackdrops,
    StreetBackdrops,
    cut_out,
    paste_view,
    render_views,
    street_view,
)
from coordi.drawn.street_views.light import relight
from coordi.drawn.street_views.render import jittered
from coordi.errors import CatalogError, ImageError
from coordi.types import ImageRef, Photo

GROUNDS = {
    "white": lambda y, x: 255 + 0 * x,
    "grey": lambda y, x: 236 + 0 * x,
    "graded": lambda y, x: 250 - 40 * y**2,
    "shaded": lambda y, x: 160 - 25 * x + 10 * y,
}


def packshot(color=(200, 40, 60), ground="white", size=(160, 120), shadow=False):
    """A tee-like shape → picture and the mask of the shape."""
    height, width = size
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    plain = np.clip(GROUNDS[ground](y, x), 0, 255)[..., None].repeat(3, 2).astype(np.uint8)
    picture, mask = Pillow.fromarray(plain), Pillow.new("L", (width, height))
    shape = [(20, 30), (45, 20), (75, 20), (100, 30), (95, 60), (84, 55), (84, 130), (36, 130),
             (36, 55), (25, 60)]  # fmt: skip
    if shadow:
        ImageDraw.Draw(picture).polygon(
            [(x + 3, y + 3) for x, y in shape], tuple(plain[-1, 0] - 20)
        )
    ImageDraw.Draw(picture).polygon(shape, color)
    ImageDraw.Draw(mask).polygon(shape, 255)
    return np.asarray(picture), np.asarray(mask) > 0


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("shadow", [False, True])
@pytest.mark.parametrize("color", [(200, 40, 60), (20, 20, 24), (90, 120, 200)])
def test_the_cut_out_is_the_garment_on_every_ground(ground, shadow, color):
    picture, mask = packshot(color, ground, shadow=shadow)
    cutout = cut_out(picture)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert abs(cutout.shape[0] - (rows[-1] - rows[0] + 1)) <= 6
    assert abs(cutout.shape[1] - (columns[-1] - columns[0] + 1)) <= 6
    solid = cutout[..., 3] > 127
    assert solid.sum() == pytest.approx(mask.sum(), rel=0.12)
    np.testing.assert_allclose(np.median(cutout[solid], axis=0)[:3], color, atol=6)


def test_pale_cloth_on_a_pale_ground_is_held_by_its_outline():
    picture, mask = packshot((243, 243, 243), "grey")
    solid = cut_out(picture)[..., 3] > 127
    assert solid.sum() == pytest.approx(mask.sum(), rel=0.12)


def test_the_ground_within_a_handle_goes():
    picture = Pillow.new("RGB", (160, 200), (250, 250, 250))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((30, 100, 130, 180), (120, 60, 30))
    draw.ellipse((40, 20, 120, 170), outline=(120, 60, 30), width=8)
    cutout = cut_out(np.asarray(picture))
    assert cutout[40, 50, 3] < 30
    assert cutout[120, 50, 3] > 220


@pytest.mark.parametrize(
    "picture",
    [
        np.full((80, 60, 3), 240, np.uint8),
        np.random.default_rng(0).integers(0, 256, (80, 60, 3), dtype=np.uint8),
        np.zeros((4, 4, 3), np.uint8),
    ],
    ids=["nothing", "no plain ground", "too small"],
)
def test_what_cannot_be_cut_out_says_what_to_do(picture):
    with pytest.raises(ImageError, match="give a"):
        cut_out(picture)


@given(seed=st.integers(0, 2**32), width=st.integers(48, 200), height=st.integers(48, 260))
@settings(max_examples=25, deadline=None)
def test_views_of_any_size_are_repeatable_and_boxes_lie_within(seed, width, height):
    background = np.random.default_rng(1).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    shot, _ = packshot()
    view, box = street_view(shot, background, np.random.default_rng(seed), (width, height))
    again, same = street_view(shot, background, np.random.default_rng(seed), (width, height))
    assert view.shape == (height, width, 3)
    assert view.dtype == np.uint8
    assert 0 <= box[0] < box[2] <= 1
    assert 0 <= box[1] < box[3] <= 1
    assert box == same
    np.testing.assert_array_equal(view, again)


@pytest.mark.parametrize("seed", range(12))
def test_the_box_holds_the_garment_and_its_colour_stays(seed):
    background = np.full((320, 240, 3), (90, 130, 90), np.uint8)
    shot, _ = packshot((220, 30, 40))
    view, (left, top, right, bottom) = street_view(shot, background, np.random.default_rng(seed))
    pixels = view.astype(int)
    red = pixels[..., 0] > 1.6 * pixels[..., 1:].max(-1)
    rows, columns = (
        slice(int(top * 320), int(bottom * 320)),
        slice(int(left * 240), int(right * 240)),
    )
    assert red[rows, columns].mean() > 0.3
    assert red[rows, columns].sum() > 0.97 * red.sum()


def test_light_keeps_black_and_white_apart_and_hues_in_place():
    colors = np.array([[0, 0, 0], [255, 255, 255], [200, 40, 40], [40, 40, 200]], np.float32)
    for seed in range(40):
        lit = relight(np.tile(colors[None], (8, 1, 1)), np.random.default_rng(seed))
        black, white, red, blue = lit.mean(0)
        assert black.max() < 5 < 120 < white.min()
        assert red.argmax() == 0
        assert blue.argmax() == 2


def test_hands_stay_before_the_garment():
    layers = np.zeros((320, 240), np.uint8)
    layers[:, 113:127] = 1
    scene = np.full((320, 240, 3), 128, np.uint8)
    scene[layers == 1] = (0, 255, 0)
    shot, _ = packshot((220, 30, 40))
    cutout, covered = cut_out(shot), 0
    for seed in range(20):
        view, _ = paste_view(cutout, Backdrop(scene, layers), np.random.default_rng(seed))
        stripe = view[:, 117:123].astype(int).reshape(-1, 3)
        covered += bool((stripe[:, 1] > stripe[:, 0]).mean() > 0.98)
    assert 8 <= covered < 20


def street_folder(folder, count=40):
    (folder / "photos").mkdir(parents=True)
    (folder / "masks").mkdir()
    (folder / "labels.txt").write_text("null\nskin\nskirt\n")
    rows = [["id", "photo", "mask", "labels"]]
    rng = np.random.default_rng(0)
    for n in range(count):
        pixels = np.full((96, 64, 3), rng.integers(40, 220, 3), np.uint8)
        mask = np.zeros((96, 64), np.uint8)
        mask[30:60, 20:44], mask[10:30, 28:36] = 2, 1
        Pillow.fromarray(pixels).save(folder / f"photos/{n}.png")
        Pillow.fromarray(mask).save(folder / f"masks/{n}.png")
        rows.append([str(n), f"photos/{n}.png", f"masks/{n}.png", "skirt"])
    with (folder / "photos.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


def test_each_side_stands_before_street_photos_of_its_own(tmp_path):
    folder = street_folder(tmp_path)
    sides = {side: StreetBackdrops(folder, side).name.split()[2:] for side in ("train", "test")}
    assert set(sides["train"]).isdisjoint(sides["test"])
    assert all(split_of(id_) == side for side, ids in sides.items() for id_ in ids)
    backdrop = StreetBackdrops(folder, "train").draw(np.random.default_rng(0), (60, 80))
    assert backdrop.image.shape == (80, 60, 3)
    assert set(np.unique(backdrop.layers)) == {0, 1, 4}


def test_a_folder_without_masked_photos_says_what_it_needs(tmp_path):
    with pytest.raises(CatalogError, match=r"photos\.csv"):
        StreetBackdrops(tmp_path, "train")
    with pytest.raises(CatalogError, match="test side"):
        StreetBackdrops(street_folder(tmp_path / "one", 1), "test", val=0.0, test=0.0)


def shop(count=6):
    garments = draw_wardrobe(count, 3).garments
    return [
        Photo(
            g.id, ImageRef(data=encode_jpeg(draw_garment(g, 96), quality=95)), g.id, category=g.kind
        )
        for g in garments
    ]


def rendered(photos, cache, seed=0, side="train"):
    return render_views(
        photos,
        {side: 2},
        {side: DrawnBackdrops(side)},
        [side] * len(photos),
        cache,
        seed=seed,
        size=(60, 80),
    )


def test_views_are_kept_and_depend_on_seed_and_photo_alone(tmp_path):
    photos = shop()
    views, failed = rendered(photos, tmp_path / "a")
    assert failed == {}
    assert [view.id for view in views] == [f"{p.id}#{n}" for p in photos for n in range(2)]
    assert all(view.street and view.box for view in views)
    few, _ = rendered(photos[3:4], tmp_path / "b")
    assert read_bytes(few[1].image) == read_bytes(views[7].image)
    assert few[1].box == views[7].box
    other, _ = rendered(photos[3:4], tmp_path / "b", seed=1)
    assert read_bytes(other[1].image) != read_bytes(views[7].image)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("a/**/*.jpg")}
    rendered(photos, tmp_path / "a")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("a/**/*.jpg")} == written


def test_views_that_cannot_be_made_are_there_without_a_picture_and_are_told(tmp_path):
    photos = shop(2)
    blank = encode_jpeg(np.full((60, 60, 3), 250, np.uint8))
    photos.insert(1, Photo("blank", ImageRef(data=blank), "blank"))
    photos.append(Photo("gone", ImageRef(path=tmp_path / "gone.jpg"), "gone"))
    for _ in range(2):  # the second time from what is kept
        views, failed = rendered(photos, tmp_path)
        assert [view.id for view in views] == [f"{p.id}#{n}" for p in photos for n in range(2)]
        assert list(failed) == ["blank#0", "blank#1", "gone#0", "gone#1"]
        assert all("no street view" in problem.reason for problem in failed.values())
        for view in views:
            if view.id in failed:
                with pytest.raises(ImageError):
                    decode_image(read_bytes(view.image))


def test_a_view_that_failed_is_made_once_its_packshot_is_mended_and_so_is_a_deleted_one(tmp_path):
    wardrobe = shop(2)
    file = tmp_path / "p.jpg"
    photos = [Photo("p", ImageRef(path=file), "p")]
    file.write_bytes(b"")
    assert len(rendered(photos, tmp_path)[1]) == 2
    file.write_bytes(read_bytes(wardrobe[0].image))
    views, failed = rendered(photos, tmp_path)
    assert not failed
    before = read_bytes(views[0].image)
    views[0].image.path.unlink()
    again, _ = rendered(photos, tmp_path)
    assert read_bytes(again[0].image) == before


@pytest.mark.parametrize("harm", ["broken", "gone", "labels", "colours"])
def test_one_bad_mask_costs_the_views_before_it_alone(tmp_path, harm):
    folder = street_folder(tmp_path / "street")
    mask = folder / "masks/0.png"
    if harm == "broken":
        mask.write_bytes(mask.read_bytes()[:40])
    elif harm == "gone":
        mask.unlink()
    else:
        wrong = (96, 64, 3) if harm == "colours" else (96, 64)
        Pillow.fromarray(np.full(wrong, 9, np.uint8)).save(mask)
    assert split_of("0", val=0, test=0) == "train"
    backdrops = StreetBackdrops(folder, "train", val=0, test=0)
    rng = np.random.default_rng(0)
    outcomes = []
    for _ in range(120):
        try:
            outcomes.append(backdrops.draw(rng, (30, 40)).image.shape)
        except ImageError:
            outcomes.append(None)
    assert 0 < outcomes.count(None) < 20


def test_a_job_that_was_killed_half_way_is_done_again(tmp_path):
    made = []

    def make():
        made.append(1)
        if len(made) == 1:
            raise KeyboardInterrupt
        return [(np.zeros((8, 8, 3), np.uint8), None)]

    with pytest.raises(KeyboardInterrupt):
        render([Job("one", make)], tmp_path)
    (outcome,) = render([Job("one", make)], tmp_path)
    assert decode_image(outcome.files[0].read_bytes()).shape == (8, 8, 3)
    note = next(tmp_path.glob("*/*.json"))
    note.write_text('{"boxes": [')
    render([Job("one", make)], tmp_path)
    assert len(made) == 3


@given(
    corner=st.tuples(st.floats(0, 0.8), st.floats(0, 0.8)),
    size=st.tuples(st.floats(0.05, 0.2), st.floats(0.05, 0.2)),
    seed=st.integers(0, 9999),
)
@settings(max_examples=60, deadline=None)
def test_a_detectors_box_is_near_the_true_one(corner, size, seed):
    box = (*corner, corner[0] + size[0], corner[1] + size[1])
    off = jittered(box, np.random.default_rng(seed))
    assert 0 <= off[0] < off[2] <= 1
    assert 0 <= off[1] < off[3] <= 1
    assert np.abs(np.array(off) - box).max() <= 0.05 * max(size) + 1e-4
