"""Pictures as phones and browsers save them: HEIC by an extra, MPO, JFIF, AVIF by Pillow."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from coordi.data import images
from coordi.data.catalog import open_catalog
from coordi.data.decoding import Decoder
from coordi.data.images import begins_like_picture, decode_image, is_light, looks_like, opened
from coordi.errors import ImageError
from coordi.types import Item

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0"


@pytest.fixture(scope="module")
def heic() -> bytes:
    pytest.importorskip("pillow_heif")
    images.load_codecs()
    out = io.BytesIO()
    Pillow.new("RGB", (64, 96), (200, 30, 30)).save(out, "HEIF", quality=90)
    return out.getvalue()


def test_heic_is_read_like_any_picture(heic):
    image = decode_image(heic)
    assert image.shape == (96, 64, 3)
    assert np.abs(image.astype(int) - (200, 30, 30)).max() < 12
    assert begins_like_picture(heic[:16])


def test_heic_is_decoded_in_a_process_that_may_be_ended(heic):
    with opened(heic) as picture:
        assert not is_light(picture, heic)
    decoder = Decoder(1)
    try:
        assert decoder.decode(heic, target=None).shape == (96, 64, 3)
        assert decoder.verify(heic) == "image/heif"
        assert decoder.measure(heic) == (64, 96)
        with pytest.raises(ImageError, match="pixels; the limit is"):
            decoder.decode(heic, target=None, max_pixels=1000)
        with pytest.raises(ImageError, match="damaged or cut off"):
            decoder.decode(heic[: len(heic) // 2], target=None)
    finally:
        decoder.close()


def test_without_the_extra_its_name_is_said(monkeypatch):
    known = tuple(name for name in images._readable() if name != "HEIF")
    monkeypatch.setattr(images, "_readable", lambda: known)
    assert "pip install 'coordi[heif]'" in looks_like(HEIC)
    with pytest.raises(ImageError, match=r"coordi\[heif\]"):
        decode_image(HEIC + bytes(40))


@pytest.mark.parametrize(("suffix", "kind"), [("jfif", "JPEG"), ("mpo", "MPO"), ("avif", "AVIF")])
def test_kinds_that_pillow_reads(tmp_path, suffix, kind):
    picture = Pillow.new("RGB", (40, 60), "green")
    more = {"save_all": True, "append_images": [picture]} if kind == "MPO" else {}
    path = tmp_path / f"a.{suffix}"
    picture.save(path, kind, **more)
    assert decode_image(path.read_bytes()).shape == (60, 40, 3)
    (row,) = open_catalog(tmp_path).rows()
    assert isinstance(row, Item)
