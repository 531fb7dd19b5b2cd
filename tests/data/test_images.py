"""Pictures of every odd kind: what they decode to, and what is said of the ones that do not."""

import contextlib
import io
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from bombs import scan_bomb
from coordi.data import files, images
from coordi.data.images import (
    begins_like_picture,
    crop,
    decode_crop,
    decode_image,
    encode_jpeg,
    image_hash,
    opened,
    pixels,
    read_bytes,
    thumbnail,
    upright_size,
)
from coordi.errors import ImageError
from coordi.types import ImageRef


def saved(picture, format, **options):
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def corners(width=64, height=32):
    """A picture whose four quarters are red, green, blue and black."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    return pixels


def png_header(width, height, extra=b""):
    """A PNG that claims a size and holds a few bytes of pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + size
        + chunk(b"IDAT", zlib.compress(b"\0" * 64))
        + chunk(b"IEND", b"")
    )


def test_lossless_pictures_come_back_as_they_were():
    for format in ("PNG", "BMP", "TIFF", "PPM"):
        assert np.array_equal(decode_image(saved(Pillow.fromarray(corners()), format)), corners())


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_lossy_pictures_come_back_nearly(format):
    data = saved(Pillow.fromarray(corners()), format, quality=95)
    decoded = decode_image(data)
    assert decoded.shape == (32, 64, 3)
    assert decoded.dtype == np.uint8
    assert np.abs(decoded[4:12, 4:28].astype(int) - (255, 0, 0)).max() < 30


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("target", [None, 16])
def test_exif_orientation_is_undone(orientation, target):
    undo = [
        lambda a: a,
        lambda a: a[:, ::-1],
        lambda a: a[::-1, ::-1],
        lambda a: a[::-1],
        lambda a: a.swapaxes(0, 1),
        lambda a: np.rot90(a, 1),  # stored from an upright one turned left: shown turned right
        lambda a: a[::-1, ::-1].swapaxes(0, 1),
        lambda a: np.rot90(a, -1),
    ]
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(undo[orientation - 1](corners(128, 64)))
    decoded = decode_image(
        saved(Pillow.fromarray(stored), "JPEG", exif=exif, quality=95), target=target
    )
    height, width = decoded.shape[:2]
    assert width == 2 * height
    for row, column, color in ((0.25, 0.25, 0), (0.25, 0.75, 1), (0.75, 0.25, 2)):
        pixel = decoded[int(row * height), int(column * width)].astype(int)
        assert pixel[color] > 200
        assert np.delete(pixel, color).max() < 60


_LYING = {  # orientation → how the stored picture was turned from the upright one
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_90,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_270,
}
_FORMS = {
    "jpg": ("JPEG", {"quality": 95}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True}),
    "avif": ("AVIF", {"quality": 95}),
    "tif": ("TIFF", {}),
    "tif lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tif deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "tif jpeg": ("TIFF", {"compression": "jpeg", "quality": 95}),
}


@pytest.mark.parametrize("orientation", _LYING)
@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("target", [None, 8])
def test_every_format_stands_upright(form, orientation, target):
    format, options = _FORMS[form]
    upright = Pillow.fromarray(corners(48, 96))
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    tags = {"tiffinfo": {0x0112: orientation}} if format == "TIFF" else {"exif": exif}
    data = saved(upright.transpose(_LYING[orientation]), format, **tags, **options)
    with opened(data) as picture:
        assert upright_size(picture) == (48, 96)
    decoded = decode_image(data, target=target)
    height, width = decoded.shape[:2]
    assert height == 2 * width
    expected = np.asarray(upright.resize((width, height)), int)
    middle = np.abs(decoded.astype(int) - expected)[
        height // 8 : height // 3, width // 8 : width // 3
    ]
    assert middle.max() < 40
    assert np.abs(decoded.astype(int) - expected).mean() < 12


def test_the_first_picture_of_an_mpo():
    frames = [Pillow.new("RGB", (8, 16), color) for color in ("red", "blue")]
    data = saved(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert decode_image(data).shape == (16, 8, 3)
    assert decode_image(data)[4, 4, 0] > 240


def test_alpha_is_laid_on_white():
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[0] = (200, 0, 0, 255)
    pixels[1] = (0, 0, 0, 128)
    for format in ("PNG", "WEBP"):
        decoded = decode_image(saved(Pillow.fromarray(pixels), format, lossless=True))
        assert tuple(decoded[0, 0]) == (200, 0, 0)
        assert abs(int(decoded[1, 0, 0]) - 127) <= 1
        assert (decoded[2:] == 255).all()


def test_gray_with_alpha_and_transparent_colours():
    gray_alpha = Pillow.merge("LA", [Pillow.new("L", (2, 2), 0), Pillow.new("L", (2, 2), 0)])
    assert (decode_image(saved(gray_alpha, "PNG")) == 255).all()
    gray = Pillow.fromarray(np.array([[0, 90]], np.uint8))
    assert decode_image(saved(gray, "PNG", transparency=0)).tolist() == [[[255] * 3, [90] * 3]]
    rgb = Pillow.fromarray(np.array([[[1, 2, 3], [9, 9, 9]]], np.uint8))
    decoded = decode_image(saved(rgb, "PNG", transparency=(1, 2, 3)))
    assert decoded.tolist() == [[[255] * 3, [9] * 3]]


def test_palette_with_transparency():
    picture = Pillow.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putdata([0, 1])
    assert decode_image(saved(picture, "PNG")).tolist() == [[[10, 20, 30], [200, 100, 50]]]
    for transparency in (1, b"\xff\x00"):
        decoded = decode_image(saved(picture, "PNG", transparency=transparency))
        assert decoded.tolist() == [[[10, 20, 30], [255] * 3]]


def test_one_bit_pictures():
    picture = Pillow.fromarray(np.array([[True, False]]))
    assert decode_image(saved(picture, "PNG")).tolist() == [[[255] * 3, [0] * 3]]


def test_animations_show_their_first_frame():
    frames = [Pillow.new("RGB", (8, 8), color) for color in ("red", "blue")]
    for format in ("GIF", "PNG", "WEBP"):
        data = saved(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
        assert tuple(decode_image(data)[4, 4]) == (255, 0, 0)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_gray_is_scaled_not_clipped(format):
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    decoded = decode_image(saved(Pillow.fromarray(values), format))
    assert decoded[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 100, 255]], np.int32), [0, 100, 255]),
        (np.array([[0, 25700, 65535]], np.int32), [0, 100, 255]),
        (np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]),
        (np.array([[0, 100, 255]], np.float32), [0, 100, 255]),
        (np.array([[-2, 0, 2e6]], np.float32), [0, 0, 255]),
        (np.array([[np.nan, 1.0]], np.float32), [0, 255]),
    ],
)
def test_wide_gray_is_scaled_by_the_range_that_holds_it(values, expected):
    assert decode_image(saved(Pillow.fromarray(values), "TIFF"))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(format):
    ink = Pillow.new("CMYK", (16, 16), (0, 255, 255, 0))  # no cyan: red
    decoded = decode_image(saved(ink, format))
    assert decoded[8, 8, 0] > 240
    assert decoded[8, 8, 1:].max() < 15


def test_adobe_jpeg_with_inverted_ink():
    data = saved(Pillow.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG")
    if b"Adobe" not in data:  # as Photoshop marks it; the ink is stored inverted either way
        data = data[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00" + data[2:]
    decoded = decode_image(data)
    assert decoded[8, 8, 0] > 240
    assert decoded[8, 8, 1:].max() < 15


def test_lab_becomes_rgb():
    white = Pillow.new("LAB", (4, 4), (255, 128, 128))
    assert decode_image(saved(white, "TIFF")).min() > 250


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1)])
@pytest.mark.parametrize("target", [None, 32])
def test_extreme_shapes(size, target):
    for format in ("PNG", "JPEG"):
        decoded = decode_image(saved(Pillow.new("RGB", size, "red"), format), target=target)
        assert decoded.shape == (size[1], size[0], 3)


@given(
    st.integers(4, 700), st.integers(4, 700), st.integers(1, 300), st.sampled_from(["JPEG", "PNG"])
)
def test_target_is_a_floor_of_the_shortest_side(width, height, target, format):
    data = saved(Pillow.new("RGB", (width, height)), format)
    short = min(decode_image(data, target=target).shape[:2])
    assert short >= min(width, height, target)


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "CMYK", "I;16", "I", "F", "1", "RGB"])
@pytest.mark.parametrize("target", [None, 20])
def test_strips_make_the_same_picture(monkeypatch, mode, target):
    """What is converted strip by strip, so that it needs little memory, is what it was whole."""
    values = np.random.default_rng(0).integers(0, 255, (131, 90, 4), np.uint8)
    wide = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    if mode in wide:
        picture = Pillow.fromarray(values[..., 0].astype(wide[mode]) * 257)
    else:
        picture = Pillow.fromarray(values, "CMYK" if mode == "CMYK" else "RGBA").convert(
            "RGB" if mode == "P" else mode
        )
    picture = picture.quantize(16) if mode == "P" else picture
    data = saved(picture, "TIFF" if mode in ("CMYK", "I", "F") else "PNG")
    whole = decode_image(data, target=target)
    monkeypatch.setattr(images, "_STRIP", 90 * 7)
    assert np.array_equal(decode_image(data, target=target), whole)


@pytest.mark.parametrize(
    ("picture", "format", "message"),
    [
        (Pillow.new("L", (201, 1)), "PNG", r"201 x 1 pixels; the limit is 200 : 1"),
        (Pillow.new("L", (3, 601)), "PNG", r"the limit is 200 : 1 between its sides"),
        (Pillow.new("RGBA", (100, 76)), "PNG", r"of 4 bytes, 0\.0304 MB to decode; the limit is"),
        (Pillow.new("CMYK", (100, 76)), "TIFF", r"of 4 bytes, .* save it with 8 bits"),
        (Pillow.new("F", (100, 76)), "TIFF", r"of 4 bytes"),
        (Pillow.new("L", (101, 100)), "PNG", r"limit is 0\.01 million pixels"),
    ],
)
def test_limits_are_named_by_the_header(picture, format, message):
    with pytest.raises(ImageError, match=message):
        decode_image(saved(picture, format), max_pixels=10_000)


def test_sixteen_bits_a_value_count_double():
    data = bytearray(png_header(100, 51))
    data[24] = 16  # bits a value; the checksum of the header follows
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(ImageError, match=r"of 6 bytes, 0\.0306 MB to decode"):
        decode_image(bytes(data), max_pixels=10_000)


def test_the_scans_of_a_jpeg_are_counted():
    assert decode_image(scan_bomb(64, 100)).shape == (64, 64, 3)
    with pytest.raises(ImageError, match=r"made of 101 scans; the limit is 100"):
        decode_image(scan_bomb(64, 101))
    assert decode_image(saved(Pillow.new("RGB", (64, 64)), "JPEG", progressive=True)).any() == 0


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_of_many_frames_only_the_first_is_decoded(format, monkeypatch):
    frames = [Pillow.new("RGB", (8, 8), (number, 0, 0)) for number in range(60)]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:])
    seeks = []
    with opened(data) as picture:
        monkeypatch.setattr(type(picture), "seek", lambda self, frame: seeks.append(frame))
        assert pixels(picture).shape == (8, 8, 3)
    assert set(seeks) <= {0}


def test_target_makes_large_pictures_smaller():
    for format in ("JPEG", "PNG"):
        data = saved(Pillow.new("RGB", (1600, 1200)), format)
        assert min(decode_image(data, target=100).shape[:2]) < 300


def test_a_bomb_is_refused_from_its_header_in_no_memory():
    for width, height in ((30_000, 30_000), (12_000, 9_000), (2**31 - 1, 2**31 - 1)):
        data = png_header(width, height)
        tracemalloc.start()
        with pytest.raises(ImageError, match=r"limit (of|is) 100 million"):
            decode_image(data)
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()


def test_the_pixel_limit_can_be_given():
    data = saved(Pillow.new("L", (100, 101)), "PNG")
    assert decode_image(data, max_pixels=10_100).shape == (101, 100, 3)
    with pytest.raises(ImageError, match="100 x 101 pixels"):
        decode_image(data, max_pixels=10_099)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_a_file_cut_off_is_an_error_that_says_so(format, share):
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)
    data = saved(Pillow.fromarray(noise), format)
    with pytest.raises(ImageError, match="fetch"):
        decode_image(data[: int(len(data) * share)])


@given(
    st.binary(max_size=60),
    st.integers(0, 500),
    st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF"]),
)
def test_damage_gives_a_picture_or_an_image_error(noise, at, format):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    data = bytearray(saved(Pillow.fromarray(corners(16, 8)), format, exif=exif))
    at = min(at, len(data))
    data[at : at + len(noise)] = noise
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            decoded = decode_image(bytes(data), max_pixels=10_000)
            assert decoded.ndim == 3
        except ImageError as error:
            reason = str(error)
            assert "\n" not in reason
    assert caught == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"hello, this is no picture\n", r"not an image \(starts with b'hello"),
        (b"<!DOCTYPE html><html>404</html>", "a web page was saved in its place"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', "SVG drawing; export it as PNG"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 40, "HEIC"),
        (b"\xff\xd8\xff\xe0", "JPEG file is damaged or cut off in its header"),
        (b"\0" * 100, "not an image"),
        (b"%PDF-1.7\n" + b"\0" * 40, "documents are not read"),
        (b"root:x:0:0:root:/root:/bin/bash\n" * 9, "not an image"),
    ],
)
def test_what_is_no_image_says_what_it_looks_like(data, message):
    with pytest.raises(ImageError, match=message):
        decode_image(data)


def test_a_first_look_knows_pictures_from_the_rest():
    for format in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM"):
        assert begins_like_picture(saved(Pillow.new("RGB", (8, 8)), format)[:16])
    for head in (b"", b"root:x:0:0:root:", b"<html>", b"\0" * 16, b"%!PS-Adobe-3.0"):
        assert not begins_like_picture(head)


def test_nothing_without_a_signature_is_a_picture():
    with pytest.raises(ImageError, match="not an image"):
        decode_image(saved(Pillow.new("RGB", (8, 8)), "TGA"))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "BMP", "JPEG2000", "PPM", "ICO"]
    ),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=20),
    st.integers(0, 10_000),
    st.sampled_from([None, 4]),
)
def test_mutations_give_a_picture_or_an_image_error(format, flips, cut, target):
    data = bytearray(saved(Pillow.fromarray(corners(16, 8)), format))
    for at, value in flips:
        data[at % len(data)] = value
    data = bytes(data[: max(1, cut % (2 * len(data)))])
    for use in (lambda: decode_image(data, target=target, max_pixels=10_000), lambda: _size(data)):
        with contextlib.suppress(ImageError):
            use()


def _size(data):
    with opened(data, max_pixels=10_000) as picture:
        return upright_size(picture)


def test_documents_are_not_opened():
    eps = saved(Pillow.new("RGB", (4, 4)), "EPS")
    with pytest.raises(ImageError, match="documents are not read; export"):
        decode_image(eps)


def test_no_warning_escapes_from_any_thread(monkeypatch):
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 100)
    bad_exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\xff\0\0\0\xf0\xff\0\0"
    odd = [
        saved(Pillow.new("RGB", (8, 8)), "JPEG", exif=bad_exif),
        png_header(11, 11),  # above the size at which Pillow warns
    ]

    def work(data):
        try:
            return decode_image(data).shape
        except ImageError as error:
            return str(error)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with ThreadPoolExecutor(4) as pool:
            shapes = list(pool.map(work, odd * 4))
    assert caught == []
    assert shapes[0] == (8, 8, 3)
    assert "damaged or cut off" in shapes[1]


def test_threads_decode_the_same():
    data = [saved(Pillow.fromarray(np.roll(corners(), i, 1)), "PNG") for i in range(16)] * 8
    with ThreadPoolExecutor(8) as pool:
        for one, other in zip(map(decode_image, data), pool.map(decode_image, data), strict=True):
            assert np.array_equal(one, other)


def test_bytes_come_from_a_file_or_the_catalogue(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"abc")
    assert read_bytes(ImageRef(tmp_path / "a.jpg")) == b"abc"
    assert read_bytes(ImageRef(data=b"xyz")) == b"xyz"
    with pytest.raises(ImageError, match=r"cannot read .*gone\.jpg: No such file"):
        read_bytes(ImageRef(tmp_path / "gone.jpg"))
    with pytest.raises(ImageError, match="cannot read"):
        read_bytes(ImageRef(tmp_path))
    monkeypatch.setattr(files, "MAX_BYTES", 2)
    with pytest.raises(ImageError, match="are not read"):
        read_bytes(ImageRef(tmp_path / "a.jpg"))


def test_crop_takes_shares_of_the_sides():
    picture = corners(64, 32)
    assert (crop(picture, (0.5, 0, 1, 0.5)) == (0, 255, 0)).all()
    assert crop(picture, (0, 0, 1, 1)).shape == picture.shape
    assert crop(picture, (0.5, 0.5, 0.5001, 0.5001)).shape == (1, 1, 3)


@pytest.mark.parametrize(
    "box",
    [(0.5, 0, 0.5, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (0, 0.9, 1, 0.1), (0, 0, float("nan"), 1)],
)
def test_impossible_crops_are_refused(box):
    with pytest.raises(ImageError, match="crop box"):
        crop(corners(), box)
    with pytest.raises(ImageError, match="crop box"):
        decode_crop(saved(Pillow.fromarray(corners()), "PNG"), box, 16)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 200))
def test_thumbnails_fit_keep_their_shape_and_never_grow(width, height, side):
    small = decode_image(thumbnail(np.zeros((height, width, 3), np.uint8), side))
    scale = min(1, side / max(width, height))
    assert small.shape == (max(1, round(height * scale)), max(1, round(width * scale)), 3)


def test_jpeg_roundtrip_and_hash():
    data = encode_jpeg(corners())
    assert np.abs(decode_image(data)[4:12, 4:28].astype(int) - (255, 0, 0)).max() < 30
    assert image_hash(data) == image_hash(bytes(data))
    assert image_hash(data) != image_hash(data + b"\0")
    assert len(image_hash(b"")) == 32
