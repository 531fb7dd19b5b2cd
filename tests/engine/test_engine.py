"""The engine around a store: searching, browsing, pictures, and the wrong encoder."""

import io
import os
import shutil
import threading

import numpy as np
import pytest
from PIL import Image as Pillow

import coordi.models.opening
from conftest import COLORS, make_catalog, paint
from coordi.data.images import decode_crop
from coordi.engine import Engine, pictures
from coordi.engine.pictures import Cache
from coordi.errors import FilterError, FingerprintError, ImageError, NotFoundError, StoreError
from coordi.types import ImageRef, Item, Query
from fakes import ColorHistogram, open_fake


@pytest.fixture
def engine(tmp_path, catalog):
    with Engine.open(tmp_path / "store", encoder=ColorHistogram(), create=True) as engine:
        engine.ingest(catalog)
        yield engine


def test_words_find_what_they_say(engine):
    answer = engine.search(Query(text="blue", limit=3))
    assert all("blue" in hit.item.title for hit in answer.hits)
    assert (answer.total, answer.encoder) == (24, "color-histogram")


def test_a_picture_finds_itself_and_a_crop_its_part(engine, tmp_path):
    half = np.zeros((60, 60, 3), np.uint8)
    half[:, :30, 0], half[:, 30:, 1] = 255, 128  # red, then green
    buffer = io.BytesIO()
    Pillow.fromarray(half).save(buffer, "PNG")
    for box, color in (((0, 0, 0.45, 1), "red"), ((0.55, 0, 1, 1), "green")):
        picture = engine.decode(buffer.getvalue(), box=box)
        assert color in engine.search(Query(image=picture, limit=1)).hits[0].item.title


def test_decode_refuses_what_is_no_picture_or_too_large(engine, catalog):
    with pytest.raises(ImageError):
        engine.decode(b"not a picture")
    with pytest.raises(ImageError, match="limit"):
        engine.decode((catalog.parent / "images/0.png").read_bytes(), max_pixels=100)


def test_a_large_picture_keeps_enough_pixels_within_a_small_crop(engine):
    buffer = io.BytesIO()
    Pillow.new("RGB", (1600, 1600), "red").save(buffer, "JPEG")
    picture = engine.decode(buffer.getvalue(), box=(0.0, 0.0, 0.1, 0.1))
    assert min(picture.shape[:2]) >= engine.encoder.image_size


@pytest.mark.parametrize("box", [None, (0.1, 0.2, 0.6, 0.9), (0.5, 0.5, 0.501, 0.502)])
def test_a_query_sees_the_pixels_that_training_does(engine, box):
    noise = np.random.default_rng(0).integers(0, 255, (900, 1100, 3), np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(noise).save(buffer, "JPEG")
    expected = decode_crop(buffer.getvalue(), box, engine.encoder.image_size)
    assert np.array_equal(engine.decode(buffer.getvalue(), box=box), expected)


def test_a_new_item_shows_in_the_next_search_and_a_deleted_one_no_more(engine, catalog):
    paint(catalog.parent / "images/new.png", "gold", 77)
    with catalog.open("a") as file:
        file.write("new,images/new.png,a gold coat,coat,5\r\n")
    engine.ingest(catalog)
    query = Query(text="gold", where="category = 'coat'")
    assert [hit.item.id for hit in engine.search(query).hits] == ["new"]
    assert engine.delete(["new", "never-there"]) == 1
    assert engine.search(query).hits == ()


def test_another_encoder_is_refused_with_both_ways_out(engine, tmp_path):
    other = ColorHistogram("other", "0123456789abcdef")
    with Engine.open(tmp_path / "store", encoder=other) as second:
        for ask in (lambda: second.search(Query(text="red")), second.warm):
            with pytest.raises(FingerprintError) as error:
                ask()
            assert "--encoder color-histogram" in str(error.value)
            assert "coordi ingest CATALOG --encoder other" in str(error.value)


def test_a_changed_encoder_says_so_and_another_dim_names_its_option(engine, tmp_path):
    changed = ColorHistogram(fingerprint="0123456789abcdef")
    with Engine.open(tmp_path / "store", encoder=changed) as second:
        with pytest.raises(FingerprintError, match="has changed since"):
            second.search(Query(text="red"))
        changed.dim = 32
        with pytest.raises(FingerprintError, match="search with --dim 64"):
            second.search(Query(text="red"))


def test_an_encoder_in_a_folder_is_remembered_by_its_absolute_path(tmp_path, catalog, monkeypatch):
    monkeypatch.setattr(
        coordi.models.opening, "open_encoder", lambda name, *, dim=None: ColorHistogram("inside")
    )
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    with Engine.open("store", encoder="mine", create=True) as engine:
        engine.ingest(catalog)
    monkeypatch.chdir("/")
    with Engine.open(tmp_path / "store") as engine:
        assert engine.encoder_name == str(tmp_path / "mine")


def test_the_store_remembers_its_encoder(engine, tmp_path, monkeypatch):
    opened = []

    def open_encoder(name, *, dim=None):
        opened.append((name, dim))
        return ColorHistogram()

    monkeypatch.setattr(coordi.models.opening, "open_encoder", open_encoder)
    with Engine.open(tmp_path / "store") as again:
        assert again.encoder_name == "color-histogram"
        assert (again.stats().items, opened) == (24, [])
        again.search(Query(text="red"))
        again.search(Query(text="blue"))
    assert opened == [("color-histogram", 64)]


def one_row(catalog):
    file = catalog.with_name("one.csv")
    file.write_text("\n".join(catalog.read_text().splitlines()[:2]))
    return file


def test_a_row_under_a_second_encoder_hides_nothing(engine, tmp_path, catalog, monkeypatch):
    monkeypatch.setattr(coordi.models.opening, "open_encoder", open_fake)
    with Engine.open(tmp_path / "store", encoder="other") as second:
        report = second.ingest(one_row(catalog))
        assert "1 of 24 items have a vector of other; searches use color" in report.notes[-1]
        answer = second.search(Query(text="red", limit=30))
        assert (len(answer.hits), answer.total, answer.without_vector) == (1, 1, 23)
    with Engine.open(tmp_path / "store") as again:
        assert again.encoder_name == "color-histogram"
        answer = again.search(Query(text="red", limit=30))
        assert (len(answer.hits), answer.total, answer.without_vector) == (24, 24, 0)
        again.store.use_encoder("0123456789abcdef")
        assert again.search(Query(text="red", limit=30)).total == 1
        assert again.encoder_name == "other"


def test_a_new_edition_of_the_stores_encoder_takes_over_once_it_is_complete(
    engine, tmp_path, catalog
):
    newer = ColorHistogram(fingerprint="0123456789abcdef")
    with Engine.open(tmp_path / "store", encoder=newer) as second:
        second.ingest(one_row(catalog))
        assert second.stats().encoder == engine.encoder.fingerprint
        second.ingest(catalog)
        assert second.stats().encoder == newer.fingerprint


def test_a_view_is_of_one_commit_and_says_which(engine, catalog):
    view = engine.view()
    before = view.browse(limit=24), view.facets(), view.search(Query(text="red")).hits
    engine.delete(["item-0", "item-8"])
    assert (view.browse(limit=24), view.facets(), view.search(Query(text="red")).hits) == before
    answer = view.search(Query(item="item-0"))
    assert answer.token == view.token != engine.view().token
    assert engine.search(Query(text="red")).token == engine.view().token
    with pytest.raises(NotFoundError):
        engine.view().get(["item-0"])


def test_a_store_made_anew_under_the_engine_is_searched_as_it_is(
    engine, tmp_path, catalog, monkeypatch
):
    monkeypatch.setattr(coordi.models.opening, "open_encoder", open_fake)
    with Engine.open(tmp_path / "store") as served:
        served.warm()
        assert served.search(Query(text="red")).total == 24
        shutil.rmtree(tmp_path / "store")
        assert served.state()[0] == "gone"
        with pytest.raises(StoreError, match="not there any more"):
            served.search(Query(text="red"))
        with Engine.open(tmp_path / "store", encoder="other", create=True) as maker:
            maker.ingest(one_row(catalog))
        assert served.state()[0] == "ready"
        assert (served.search(Query(text="red")).total, served.encoder_name) == (1, "other")


def test_damage_under_a_running_engine_shows_in_its_state(engine, tmp_path):
    engine.warm()
    assert engine.state()[0] == "ready"
    for file in (tmp_path / "store/items.lance/data").iterdir():
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    assert engine.state() == (
        "damaged",
        "The store's files are not what was written: coordi verify tells.",
    )
    assert not engine.ready()


def test_a_new_store_takes_the_default_encoder(tmp_path):
    with Engine.open(tmp_path / "new", create=True) as engine:
        assert engine.encoder_name == "coordi-mini"
    with pytest.raises(NotFoundError, match="no store"):
        Engine.open(tmp_path / "never")


def test_an_empty_store_answers_and_becomes_ready(tmp_path):
    with Engine.open(tmp_path / "new", encoder=ColorHistogram(), create=True) as engine:
        assert engine.search(Query(text="red")).hits == ()
        assert engine.browse() == ([], 0)
        assert not engine.ready()
        engine.warm()
        assert engine.ready()


def test_browsing_shows_every_item_once_in_an_order_that_stays(engine, tmp_path):
    pages = [engine.browse(limit=10, offset=offset) for offset in (0, 10, 20, 30)]
    ids = [item.id for items, _ in pages for item in items]
    assert sorted(ids) == sorted(f"item-{n}" for n in range(24))
    assert [total for _, total in pages] == [24] * 4
    assert ids != engine.store.ids()
    with Engine.open(tmp_path / "store", encoder=ColorHistogram()) as again:
        assert [item.id for item in again.browse(limit=24)[0]] == ids
    engine.delete(["item-0"])
    assert [item.id for item in engine.browse(limit=24)[0]] == [i for i in ids if i != "item-0"]


def test_browsing_with_a_filter(engine):
    items, total = engine.browse("category = 'dress' and price < 20", limit=2)
    assert total == 4
    assert len(items) == 2
    assert all(item.fields["category"] == "dress" for item in items)
    with pytest.raises(FilterError):
        engine.browse("nothing = 1")


def test_pictures_and_thumbnails(engine, catalog):
    data, kind = engine.image("item-1")
    assert (data, kind) == ((catalog.parent / "images/1.png").read_bytes(), "image/png")
    small = Pillow.open(io.BytesIO(engine.thumbnail("item-1", 30)))
    assert (small.format, small.size) == ("JPEG", (20, 30))
    before = engine.thumbnail("item-1", 30)
    assert engine.thumbnail("item-1", 30) is before  # from memory
    paint(catalog.parent / "images/1.png", "purple", 1)
    assert engine.thumbnail("item-1", 30) != before


def test_a_view_gives_pictures_of_its_items(engine):
    view = engine.view()
    assert view.image("item-1") == engine.image("item-1")
    assert view.thumbnail("item-1", 30) == engine.thumbnail("item-1", 30)
    assert view.picture_info(view.get(["item-1"])[0]).size == (40, 60)
    for ask in (view.image, view.thumbnail):
        with pytest.raises(NotFoundError, match="item 'item-1' has no picture 1"):
            ask("item-1", number=1)


def test_a_missing_picture_is_an_error_that_names_it(engine, catalog):
    (catalog.parent / "images/1.png").unlink()
    for ask in (engine.image, engine.thumbnail):
        with pytest.raises(ImageError, match=r"picture of item 'item-1': No such file") as error:
            ask("item-1")
        assert str(catalog.parent) not in str(error.value)  # paths are not for the page's readers
    with pytest.raises(NotFoundError, match="nobody"):
        engine.image("nobody")


@pytest.mark.parametrize("form", ["jpg", "png", "webp", "avif", "tif"])
def test_pixel_sizes_stand_upright(engine, catalog, form):
    path = catalog.parent / f"lying.{form}"
    exif = Pillow.Exif()
    exif[0x0112] = 6
    options = {"tiffinfo": {0x0112: 6}} if form == "tif" else {"exif": exif}
    Pillow.new("RGB", (60, 40)).save(path, **options)
    for ref in (ImageRef(path=path), ImageRef(data=path.read_bytes())):
        assert engine.picture_info(Item("lying", ref)).size == (40, 60)


def test_pixel_size_never_raises_and_follows_the_file(engine, catalog, monkeypatch):
    monkeypatch.setattr(pictures, "LOOK_AGAIN", 0.0)
    path = catalog.parent / "images/0.png"
    item = engine.get(["item-0"])[0]
    assert engine.picture_info(item).size == (40, 60)
    paint(path, "red", 1, size=(50, 70))
    assert engine.picture_info(item).size == (50, 70)
    assert engine.picture_info(Item("no picture")).size is None
    path.write_text("broken")
    assert engine.picture_info(item).size is None
    path.unlink()
    os.mkfifo(path)
    assert engine.picture_info(item).size is None
    path.unlink()
    assert engine.picture_info(item).size is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pillow, "MAX_IMAGE_PIXELS", 10)
        paint(path, "red", 1)
        assert engine.picture_info(item).size is None


def test_a_file_is_looked_at_once_in_a_while(engine, catalog, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(pictures, "monotonic", lambda: clock[0])
    item = engine.get(["item-0"])[0]
    before = engine.picture_info(item)
    paint(catalog.parent / "images/0.png", "red", 1, size=(50, 70))
    clock[0] += 0.9 * pictures.LOOK_AGAIN
    assert engine.picture_info(item) == before
    clock[0] += 0.2 * pictures.LOOK_AGAIN
    after = engine.picture_info(item)
    assert (after.size, after.version == before.version) == ((50, 70), False)


def test_known_pixel_sizes_are_not_read_again(engine, monkeypatch):
    items = engine.get([f"item-{n}" for n in range(20)])
    sizes = [engine.picture_info(item).size for item in items]
    monkeypatch.setattr(pictures, "read_bytes", None)
    assert [engine.picture_info(item).size for item in items] == sizes == [(40, 60)] * 20


@pytest.mark.parametrize("form", ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_media_types_come_from_what_is_decoded(engine, form):
    buffer = io.BytesIO()
    frames = [Pillow.new("RGB", (4, 4), "red")] * 2
    frames[0].save(buffer, form, **({"save_all": True} if form == "MPO" else {}))
    item = Item("x", ImageRef(data=buffer.getvalue()))
    kind = "jpeg" if form == "MPO" else form.lower()
    assert engine.pictures.image(item) == (buffer.getvalue(), f"image/{kind}")


def test_only_what_decodes_as_a_picture_leaves(engine, catalog):
    path = catalog.parent / "images/1.png"
    whole = path.read_bytes()
    for data in (b"<html><script>alert(1)</script>", whole[: len(whole) // 2], b""):
        path.write_bytes(data)
        for _ in range(2):  # the second time from memory
            with pytest.raises(ImageError, match="picture of item 'item-1' cannot be shown"):
                engine.image("item-1")
    path.write_bytes(whole)
    assert engine.image("item-1") == (whole, "image/png")


def test_pictures_are_served_from_within_the_roots_as_they_are_now(engine, catalog, tmp_path):
    secret = tmp_path / "elsewhere/secret.png"
    paint(secret, "red", 5)
    path = catalog.parent / "images/2.png"
    path.unlink()
    path.symlink_to(secret)
    for ask in (engine.image, engine.thumbnail):
        with pytest.raises(ImageError, match="item 'item-2' is outside of the folders") as error:
            ask("item-2")
        assert str(tmp_path) not in str(error.value)
    assert engine.picture_info(engine.get(["item-2"])[0]).size is None
    engine.store.add_roots([secret.parent])
    assert engine.image("item-2") == (secret.read_bytes(), "image/png")
    assert engine.picture_info(engine.get(["item-2"])[0]).size == (40, 60)


def test_a_store_without_roots_asks_for_an_ingest(engine, monkeypatch):
    monkeypatch.setattr(engine, "pictures", pictures.Pictures(tuple))
    for ask in (engine.image, engine.thumbnail):
        with pytest.raises(NotFoundError, match="Ingest the catalogue again"):
            ask("item-1")
    assert engine.picture_info(engine.get(["item-1"])[0]).size is None


def test_further_pictures_by_number(engine, tmp_path):
    data = []
    for color, size in (("red", (4, 6)), ("blue", (8, 2))):
        buffer = io.BytesIO()
        Pillow.new("RGB", size, color).save(buffer, "PNG")
        data.append(buffer.getvalue())
    first, second = (ImageRef(data=part) for part in data)
    item = Item("two", first, more=(second,))
    assert [engine.pictures.image(item, n)[0] for n in (0, 1)] == data
    assert [engine.picture_info(item, n).size for n in (0, 1, 2)] == [(4, 6), (8, 2), None]
    assert Pillow.open(io.BytesIO(engine.pictures.thumbnail(item, 320, 1))).size == (8, 2)
    for number in (2, -1):
        with pytest.raises(NotFoundError, match="has no picture"):
            engine.pictures.image(item, number)


def test_the_cache_drops_the_least_recently_used_and_holds_its_size():
    cache = Cache(10, len)
    made = []

    def entry(key):
        return cache.get(key, lambda: made.append(key) or bytes(4))

    for key in ("a", "b", "a", "c", "a", "b"):
        entry(key)
    assert made == ["a", "b", "c", "b"]
    assert cache.get("large", lambda: bytes(11)) == bytes(11)
    entry("a")
    assert made[-1] == "a"


def test_the_encoder_is_opened_once_for_many_threads(tmp_path, monkeypatch):
    catalog = make_catalog(tmp_path / "shop", len(COLORS))
    opened = []

    def open_encoder(name, *, dim=None):
        opened.append(name)
        return ColorHistogram(name)

    monkeypatch.setattr(coordi.models.opening, "open_encoder", open_encoder)
    with Engine.open(tmp_path / "store", create=True) as engine:
        engine.ingest(catalog)
    with Engine.open(tmp_path / "store") as engine:
        opened.clear()
        found = []
        ask = lambda: found.append(engine.search(Query(text="red", limit=1)).hits[0].item.id)  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (opened, found) == (["coordi-mini"], ["item-0"] * 8)
