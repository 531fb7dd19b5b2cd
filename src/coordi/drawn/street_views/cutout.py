"""A garment cut from its packshot: a plain ground, lit unevenly, is told from what lies on it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage

from coordi.errors import ImageError
from coordi.types import Image

Cutout = NDArray[np.uint8]
"""A garment alone: (height, width, 4), RGB and alpha, cut to what is not transparent."""

Mask = NDArray[np.bool_]

_FRAME = 0.03  # share of the shorter side that is taken as ground
_ROUGH = 14.0  # levels between neighbours above which a frame is no plain ground
_STEP = 2.0  # levels between neighbours that even a clean ground has
_SHADOW = 45.0  # levels by which shadows and reflections darken the ground
_CLOSED = 4  # pixels up to which a gap in the outline is closed
_TRIMMED = 12  # pixels that the shadow at an outline is wide
_SMALLEST, _LARGEST = 0.003, 0.93
_LONGEST = 512


def cut_out(packshot: Image) -> Cutout:
    """Cut the garment out of a packshot (height, width, 3).

    The ground is what is reached from the frame in small steps of colour, whatever its shade:
    white, grey, graded and shadowed grounds pass, and white cloth on white ground is held by
    its outline. Enclosed ground, as within a bag's handle, goes too. Where the garment stands
    out clearly, the hard part of its shadow is trimmed.

    Raises `ImageError` where the ground is not plain or where nothing stands out from it.
    """
    pixels, inside = _told_apart(packshot)
    return _with_soft_edge(pixels, inside)


def garment_mask(packshot: Image) -> Mask:
    """Where the garment of a packshot (height, width, 3) is: (h, w), no side above 512 pixels.

    As `cut_out`, and raises as that does.
    """
    return _told_apart(packshot)[1]


def _told_apart(packshot: Image) -> tuple[NDArray[np.float32], Mask]:
    """The pixels of a packshot, made smaller where it is large, and which are the garment's."""
    picture = Pillow.fromarray(packshot)
    picture.thumbnail((_LONGEST, _LONGEST))
    if min(picture.size) < 16:
        raise ImageError("the picture is too small to cut a garment out; give a larger one")
    pixels = np.asarray(picture, np.float32)
    inside = _trimmed(_garment(_steps(np.asarray(picture))), pixels)
    share = float(inside.mean())
    if not _SMALLEST <= share <= _LARGEST:
        raise ImageError(
            f"no garment can be told from the ground ({share:.1%} of the picture stands out); "
            "give a picture of the garment alone before a plain ground"
        )
    return pixels, inside


def _steps(pixels: Image) -> NDArray[np.float32]:
    """Largest difference between neighbours (h, w), in multiples of what the ground has."""
    high = ndimage.maximum_filter(pixels, (3, 3, 1)).astype(np.float32)
    steps = _over_channels(high - ndimage.minimum_filter(pixels, (3, 3, 1)))
    edge = max(2, round(_FRAME * min(steps.shape)))
    frame = np.ones(steps.shape, bool)
    frame[edge:-edge, edge:-edge] = False
    # A garment may reach the frame, on up to a quarter of it.
    usual = float(np.percentile(steps[frame], 75))
    if usual > _ROUGH:
        raise ImageError(
            "the ground is not plain; give a picture of the garment alone before a plain ground"
        )
    return np.asarray(steps / (_STEP + 1.5 * usual), np.float32)


def _over_channels(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Largest of three channels, (h, w, 3) → (h, w); numpy is slow along so short an axis."""
    return np.asarray(np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2]))


def _garment(steps: NDArray[np.float32]) -> Mask:
    """What no way in small steps leads to from the frame; gaps closed, specks left out."""
    ground = steps <= 1
    # A way must be three pixels wide: a faint outline is not leaked through.
    parts, _ = ndimage.label(ndimage.binary_erosion(ground, border_value=1))
    rim = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    outside = np.isin(parts, np.unique(rim[rim > 0]))
    # Back by the pixel of the erosion and the pixel by which the steps see an edge early.
    inside = ~ndimage.binary_dilation(outside, iterations=2)
    closed = ndimage.binary_closing(np.pad(inside, _CLOSED), iterations=_CLOSED)
    solid = ndimage.binary_fill_holes(closed[_CLOSED:-_CLOSED, _CLOSED:-_CLOSED])
    return _largest(np.asarray(solid, bool))


def _largest(inside: Mask) -> Mask:
    """The parts of at least a twentieth of the largest; a pair of earrings is two."""
    parts, count = ndimage.label(inside)
    if count < 2:
        return inside
    sizes = np.bincount(parts.ravel())[1:]
    return np.asarray(np.isin(parts, 1 + np.flatnonzero(sizes >= 0.05 * sizes.max())), bool)


def _trimmed(inside: Mask, pixels: NDArray[np.float32]) -> Mask:
    """Without shadow at the outline and without enclosed ground.

    What counts as ground is judged by the distance to the nearest ground outside, and by how
    far the garment as a whole stands out: white cloth on white loses nothing.
    """
    near = ndimage.binary_dilation(inside, iterations=3)  # the outline itself is mixed
    if near.all() or not inside.any():
        return inside
    y, x = ndimage.distance_transform_edt(near, return_distances=False, return_indices=True)
    away = _over_channels(np.abs(pixels - ndimage.uniform_filter(pixels, (3, 3, 1))[y, x]))
    clear = float(np.percentile(away[inside], 60))
    like_ground = inside & (away < min(_SHADOW, 0.3 * clear))
    seeds = ndimage.binary_dilation(~inside) & like_ground
    shadow = ndimage.binary_propagation(seeds, mask=like_ground)
    shadow &= ndimage.binary_dilation(~inside, iterations=_TRIMMED)
    holes = _even(pixels, like_ground & (away < max(2.0, 0.12 * clear)))
    kept = inside & ~shadow & ~ndimage.binary_dilation(holes, iterations=1)
    return _largest(np.asarray(ndimage.binary_opening(kept) if kept.mean() > 0.05 else kept, bool))


def _even(pixels: NDArray[np.float32], candidates: Mask) -> Mask:
    """Those candidates that lie in smooth areas of some size: ground, and not a pale stripe."""
    gray = pixels @ np.full(3, 1 / 3, np.float32)
    local = ndimage.maximum_filter(gray, 3) - ndimage.minimum_filter(gray, 3)
    parts, count = ndimage.label(ndimage.binary_erosion(candidates & (local < 5)))
    if count == 0:
        return np.zeros(candidates.shape, bool)
    sizes = np.bincount(parts.ravel())
    large = np.flatnonzero(sizes >= 0.002 * candidates.size)
    return np.asarray(np.isin(parts, large[large > 0]), bool)


def _with_soft_edge(pixels: NDArray[np.float32], inside: Mask) -> Cutout:
    """Lay alpha over the pixels; beyond the outline they take the garment's nearest colour."""
    core = ndimage.binary_erosion(inside)
    thin = core.mean() < 0.5 * inside.mean()  # a chain would vanish
    core = inside if thin else core
    nearest = ndimage.distance_transform_edt(~core, return_distances=False, return_indices=True)
    colors = pixels[nearest[0], nearest[1]]
    alpha = ndimage.gaussian_filter(inside.astype(np.float32), 0.7)
    alpha = alpha if thin else np.clip(1.5 * alpha - 0.5, 0, 1)
    whole = np.dstack([colors, 255 * alpha]).round().astype(np.uint8)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return np.ascontiguousarray(whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
