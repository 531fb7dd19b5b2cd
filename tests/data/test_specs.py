"""Collections by name: fields are checked, splits do not leak, trials ask what the spec says."""

import csv
from importlib import resources

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from coordi.data.collection import checked, group_of, key_of
from coordi.data.specs import (
    COLLECTIONS,
    CollectionSpec,
    PseudoStreet,
    load_spec,
)
from coordi.data.splits import split_of
from coordi.drawn import draw_garment, draw_wardrobe
from coordi.drawn.collections import load_collection
from coordi.errors import InputError, UnknownNameError


def shop(folder, count=60):
    """A catalogue of drawn garments, three colours to a model."""
    (folder / "images").mkdir(parents=True)
    rows = [["id", "image", "model", "type", "colour", "title"]]
    for n, garment in enumerate(draw_wardrobe(count, 1).garments):
        name = f"images/{garment.id}.png"
        Pillow.fromarray(draw_garment(garment, 64)).save(folder / name)
        kind = "Not sure" if n % 10 == 9 else garment.kind
        rows.append([garment.id, name, f"m{n // 3}", kind, garment.color, garment.title])
    with (folder / "shop.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


def spec(**fields):
    fields = {"val": 0.2, "test": 0.2} | fields
    mapped = {"id": "id", "image": "image", "category": "type", "color": "colour"}
    return CollectionSpec(name="shop", path="shop.csv", map=mapped, **fields)


def sides(collection, some):
    return {split_of(group_of(collection.photos[row]), val=0.2, test=0.2) for row in some}


def test_the_packaged_collections_are_the_files_and_each_is_described():
    folder = resources.files("coordi.data").joinpath("collections")
    assert tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir())) == COLLECTIONS
    assert all(load_spec(name).description for name in COLLECTIONS)


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_packaged_collection_carries_its_name(name):
    assert load_spec(name).name == name


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="mango-street"):
        load_spec("mango-stret")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: catalog", "path"),
        ("path: a.csv\nmach: item", "mach"),
        ("path: a.csv\nval: 0.9", "val"),
        ("path: [", "YAML"),
        ("- 1", "no fields"),
        ("kind: pairs\npath: a.csv", "pairs"),
        (
            "kind: pairs\npath: a.csv\npairs: b.csv\npairs_map: {photo: x}",
            "pairs_map knows image, item and mask",
        ),
        ("path: a.csv\npairs_map: {image: x}", "pairs_map is for kind pairs"),
        ("kind: street2shop\npath: a\nmatch: item", "match does not go with street2shop"),
        ("path: a\nmatch: category\npseudo_street: {}", "match"),
        ("kind: drawn\nseed: -1", "seed: .*greater than or equal to 0"),
        ("kind: drawn\nseed: 1e400", "seed"),
        ("path: a\npseudo_street: {seed: -1}", "pseudo_street.seed"),
        ("path: a\npseudo_street: {asked: 1000000}", "pseudo_street.asked"),
        ("kind: drawn\ncount: 1000000000000", "count: .*less than or equal to 100000"),
        ("kind: drawn\nsize: 99999999999999999999999", "size"),
        ("path: a\nval: .nan", "val"),
        ("path: a\nval: .inf", "val"),
        ("path: a\nitem: '{id:>9999999999}'", "item: .*fields in braces"),
        ("path: a\ngroup: '{id.__class__}'", "group: .*fields in braces"),
        ("path: a\nitem: '{id!r}'", "item: .*fields in braces"),
        ("path: a\nitem: '{'", "item: "),
        ("path: a\nitem: 2020-13-45", "YAML"),
        ("path: a\nitem: 2020-01-01", "item"),
        ("1: a", "field 1 is no word"),
        ("null: a", "field None is no word"),
        ("? [a]\n: b", "YAML"),
        ("[" * 50_000, "YAML"),
        ("path: " + "[" * 900 + "]" * 900, "YAML|path"),
        ("{a: " * 20_000, "YAML"),
        ("path: !!python/object/apply:os.system [ls]", "YAML"),
        ("a: &a [x, x]\nb: &b [*a, *a]\npath: [*b, *b]", "path"),
        ("description: " + "x" * (1 << 20), "larger than 1 MiB"),
    ],
)
def test_a_file_with_wrong_fields_says_which(tmp_path, text, told):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=told) as raised:
        load_spec(file)
    assert "mine.yaml" in str(raised.value)


FIELDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(CollectionSpec.model_fields)), FIELDS, max_size=4))
def test_any_fields_make_a_collection_or_an_error_that_names_the_file(tmp_path_factory, fields):
    file = tmp_path_factory.getbasetemp() / "odd.yaml"
    file.write_text(yaml.safe_dump(fields), "utf-8")
    told = "odd.yaml"
    try:
        load_spec(file)
    except InputError as error:
        told = str(error)
    assert "odd.yaml" in told


def test_a_file_takes_its_name_and_a_missing_one_is_named(tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"path": "shop.csv"}))
    assert load_spec(tmp_path / "mine.yaml").name == "mine"
    with pytest.raises(InputError, match=r"none\.yaml"):
        load_spec(tmp_path / "none.yaml")


def test_an_unknown_kind_is_named(tmp_path):
    with pytest.raises(UnknownNameError, match="catalogue"):
        load_collection(CollectionSpec(kind="catalogue"), tmp_path, cache=tmp_path)


def test_a_benchmark_is_read_by_its_own_reader(tmp_path, monkeypatch):
    made = load_collection(spec(), shop(tmp_path), cache=tmp_path / "cache")
    asked = []

    def read(folder):
        asked.append(folder)
        return made

    monkeypatch.setattr("coordi.data.benchmarks.READERS", {"famous": read})
    wanted = CollectionSpec(kind="famous", path="famous-v1")
    assert load_collection(wanted, tmp_path, cache=tmp_path) is made
    assert asked == [tmp_path / "famous-v1"]


def test_real_street_photos_are_looked_for_among_all_packshots(tmp_path):
    folder = shop(tmp_path)
    ids = [garment.id for garment in draw_wardrobe(60, 1).garments]
    rows = [["image", "item"], *([f"images/{id_}.png", id_] for id_ in ids)]
    rows += [["images/d1-0000.png", "nobody"], ["images/gone.png", ids[0]]]
    with (folder / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    wanted = spec(kind="pairs", pairs="pairs.csv", item="{model}")
    made = load_collection(wanted, folder, cache=tmp_path / "cache")
    assert len(made.photos) == 121  # 60 packshots, 60 street photos, one whose file is gone
    assert list(made.missing) == [made.photos[-1].id]
    assert sides(made, made.test.query) == {"test"}
    assert all(made.photos[row].street for row in made.test.query)
    np.testing.assert_array_equal(made.test.gallery, np.arange(60))
    assert ["nobody" in problem.reason for problem in made.problems] == [True]


def test_held_out_photos_are_looked_for_among_the_held_out(tmp_path):
    told = []
    wanted = spec(
        group="{model}",
        attributes=("color",),
        match="category",
        apart="group",
        ignore_labels=("not sure",),
    )
    made = load_collection(wanted, shop(tmp_path), cache=tmp_path / "cache", say=told.append)
    assert len(made.photos) == 54
    assert made.counts["photos without label"] == 6
    assert any("6 photos left out" in line for line in told)
    assert sides(made, made.train) == {"train"}
    assert sides(made, made.val.query) == {"val"}
    assert sides(made, made.test.query) == {"test"}
    np.testing.assert_array_equal(made.test.query, made.test.gallery)
    assert (made.test.match, made.test.apart) == ("category", "group")
    assert all(key_of(photo, "category") and key_of(photo, "color") for photo in made.photos)


def test_photos_match_by_an_attribute_too(tmp_path):
    made = load_collection(
        spec(attributes=("color",), match="color"), shop(tmp_path), cache=tmp_path / "cache"
    )
    assert made.test.match == "color"
    assert len({key_of(made.photos[row], "color") for row in made.test.query}) > 1


def test_views_of_held_out_garments_are_looked_for_among_all_packshots(tmp_path):
    street = {"views": 1, "asked": 2, "size": 80}
    wanted = spec(item="{model}", pseudo_street=street)
    made = load_collection(wanted, shop(tmp_path), cache=tmp_path / "cache")
    assert checked(made) is made
    np.testing.assert_array_equal(made.test.gallery, np.arange(60))
    for trial, side in ((made.val, "val"), (made.test, "test")):
        asked = [made.photos[row] for row in trial.query]
        assert all(photo.street and photo.box for photo in asked)
        assert sides(made, trial.query) == {side}
        shown = [p for p in made.photos[:60] if split_of(p.item, val=0.2, test=0.2) == side]
        assert len(asked) == 2 * len(shown)
        assert {p.item for p in asked} == {p.item for p in shown}
    train = [made.photos[row] for row in made.train]
    assert sum(p.street for p in train) == sum(not p.street for p in train) > 0


def test_a_right_colour_can_be_asked_for(tmp_path):
    wanted = spec(item="{id}", group="{model}", pseudo_street={"views": 0, "asked": 1, "size": 80})
    made = load_collection(wanted, shop(tmp_path), cache=tmp_path / "cache")
    models = {photo.id: photo.group for photo in made.photos}
    trained = {models[made.photos[row].id] for row in made.train}
    for row in made.test.query:
        photo = made.photos[row]
        assert photo.id == f"{photo.item}#0"
        assert photo.group not in trained


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"item": "{modell}"}, "modell"),
        ({"group": "{0}"}, "{0}"),
        ({"attributes": ("fabric",)}, "fabric"),
    ],
)
def test_fields_that_the_catalogue_lacks_are_named_with_those_it_has(tmp_path, fields, told):
    with pytest.raises(InputError) as raised:
        load_collection(spec(**fields), shop(tmp_path, 3), cache=tmp_path / "cache")
    assert told in str(raised.value)
    assert "model" in str(raised.value)


def test_rows_that_cannot_be_used_are_problems(tmp_path):
    folder = shop(tmp_path, 12)
    (folder / "images/d1-0003.png").unlink()
    with (folder / "shop.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["x", "images/d1-0001.png", "", "tee", "red", ""])
    made = load_collection(spec(item="{model}", test=0.5), folder, cache=tmp_path / "cache")
    assert [problem.id for problem in made.problems] == ["x"]
    assert "shop.csv" in str(made.problems[0].origin)
    assert list(made.missing) == ["d1-0003"]
    assert str(made.missing["d1-0003"].origin).endswith("shop.csv:5")


def test_a_catalogue_with_nothing_usable_is_an_error(tmp_path):
    (tmp_path / "shop.csv").write_text("id,image,type,colour\na,none.jpg,tee,red\n")
    with pytest.raises(InputError, match="no usable photo"):
        load_collection(spec(), tmp_path, cache=tmp_path / "cache")


def test_the_drawn_wardrobe_needs_no_data_and_is_the_same_every_time(tmp_path):
    street = PseudoStreet(views=1, asked=1, size=64)
    wanted = load_spec("drawn-street").model_copy(
        update={"count": 16, "size": 48, "pseudo_street": street}
    )
    made = load_collection(wanted, tmp_path / "nowhere", cache=tmp_path / "one")
    again = load_collection(wanted, tmp_path / "nowhere", cache=tmp_path / "two")
    assert [p.id for p in made.photos] == [p.id for p in again.photos]
    for one, two in zip(made.photos[::7], again.photos[::7], strict=True):
        assert one.image.path.read_bytes() == two.image.path.read_bytes()
        assert one.box == two.box
    assert made.test.gallery.tolist() == list(range(16))
    assert all(made.photos[row].street for row in made.test.query)
    assert all("color" in photo.attributes for photo in made.photos)
