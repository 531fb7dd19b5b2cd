"""Photos as learners see them: cut to their box and, where they have a mask, before white.

Masks are made beforehand, by a garment finder, a parser or hand. What took a photo's background
away while learning has to do so for the photos that are searched with.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from coordi.data.images import crop, decode_crop, opened, read_bytes
from coordi.errors import ImageError
from coordi.types import Image, Photo

_WHITE = np.uint8(255)


def read_photo(photo: Photo) -> tuple[bytes, bytes]:
    """The bytes of a photo's picture and of its mask, b"" where it has none.

    `ImageError` where either cannot be read.
    """
    return read_bytes(photo.image), b"" if photo.mask is None else read_bytes(photo.mask)


def decode_photo(photo: Photo, data: bytes, mask: bytes, side: int) -> Image:
    """What lies in the photo's box, with white for what the mask numbers 0; see `decode_crop`.

    `data` and `mask` as `read_photo` gives them. The mask has the picture's proportions, at any
    size. Raises `ImageError` where one of the two cannot be decoded or they do not fit.
    """
    picture = decode_crop(data, photo.box, side)
    if not mask:
        return picture
    away = decode_mask(mask)
    _check_proportions(photo, picture, away)
    if photo.box is not None:
        away = crop(away, photo.box)
    height, width = picture.shape[:2]
    fitted = Pillow.fromarray(away).resize((width, height), Pillow.Resampling.NEAREST)
    white: Image = np.maximum(picture, np.asarray(fitted)[:, :, None])
    return white


def decode_mask(data: bytes) -> NDArray[np.uint8]:
    """A mask's file → 255 where it says background, else 0, (height, width); see `mask_numbers`."""
    return np.where(mask_numbers(data) == 0, _WHITE, np.uint8(0))


def mask_numbers(data: bytes) -> NDArray[np.uint8]:
    """A mask's file → its numbers (height, width).

    It is a picture of one number a pixel: grey, of a palette, or black and white; `ImageError` for
    others.
    """
    with opened(data) as picture:
        if picture.mode not in {"L", "P", "1"}:
            raise ImageError(
                f"the mask holds colours, not numbers (its mode is {picture.mode}); save it as a "
                "PNG in grey or with a palette, 0 for background"
            )
        try:
            return np.asarray(picture, np.uint8)
        except (OSError, ValueError, SyntaxError) as error:
            raise ImageError(f"the mask is damaged ({error}); make it again") from error


def _check_proportions(photo: Photo, picture: Image, away: NDArray[np.uint8]) -> None:
    """`ImageError` where a mask is of another picture; of a photo without box, whose size shows."""
    (high, wide), (height, width) = away.shape, picture.shape[:2]
    if photo.box is None and not 0.95 < (wide / high) / (width / height) < 1.05:
        raise ImageError(
            f"the mask is {wide} × {high}, which are not the proportions of the picture, "
            f"{width} × {height}; give the mask of this picture"
        )
