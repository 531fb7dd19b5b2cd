"""Augmentation of whole batches that leaves a garment's colour what it is.

No change of hue, and light changes only as much as a phone camera would make: half of fashion
is colour, and an embedding that was trained to ignore it cannot be taught otherwise later.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def augment(pixels: Tensor, clean: Tensor | None, backgrounds: Tensor | None, size: int) -> Tensor:
    """Pictures (B, 3, S, S) in [0, 1] → (B, 3, size, size) in [−1, 1], each changed at random.

    `clean` (B,) says which stand before white; some of those get one of `backgrounds`
    (M, 3, S', S') instead, as a photo taken at home would have. Where either is None, backgrounds
    stay. Randomness is torch's own.
    """
    warped = _warp(pixels, (size, size))
    if clean is not None and backgrounds is not None:
        warped = _put_behind(warped, clean, backgrounds)
    return _blur_some(_light(warped)).clamp(0, 1) * 2 - 1


def augment_to(
    pixels: Tensor, height: int, width: int, *, area: tuple[float, float] = (0.55, 1.1)
) -> Tensor:
    """Pictures (B, C, S, S) in [0, 1] → (B, C, height, width), each changed at random.

    The first three channels come in [−1, 1]; what else there is (where the garment is) moves with
    them and stays in [0, 1]. `area` is the range of the crop, as a share of the picture.
    """
    warped = _warp(pixels, (height, width), area)
    colors = _blur_some(_light(warped[:, :3])).clamp(0, 1) * 2 - 1
    return torch.cat([colors, warped[:, 3:]], 1)


def _put_behind(warped: Tensor, clean: Tensor, backgrounds: Tensor) -> Tensor:
    """Other backgrounds behind some of the clean pictures (B, 3, S, S)."""
    white = (warped.amin(1, keepdim=True) > 0.93).to(warped.dtype)
    # Blurred, so that the garment keeps a soft edge and no white seam of one pixel remains.
    away = functional.avg_pool2d(functional.max_pool2d(white, 3, 1, 1), 3, 1, 1)
    chosen = clean & (torch.rand(len(warped)) < 0.3)
    drawn = backgrounds[torch.randint(len(backgrounds), (len(warped),))]
    behind = _warp(drawn, warped.shape[-2:])
    away = away * chosen[:, None, None, None]
    return warped * (1 - away) + behind * away


def _warp(
    pixels: Tensor, size: Sequence[int], area_from_to: tuple[float, float] = (0.55, 1.1)
) -> Tensor:
    """Random crop, by default of 55 to 110% of the area, aspect, flip and a few degrees of turn."""
    batch = len(pixels)
    area = torch.empty(batch).uniform_(*area_from_to).sqrt()
    aspect = torch.empty(batch).uniform_(-0.25, 0.25).exp().sqrt()
    scale_x, scale_y = area * aspect, area / aspect
    flip = torch.where(torch.rand(batch) < 0.5, -1.0, 1.0)
    angle = torch.empty(batch).normal_(0, 0.07)
    shift_x = (1 - scale_x).clamp(min=0) * torch.empty(batch).uniform_(-1, 1)
    shift_y = (1 - scale_y).clamp(min=0) * torch.empty(batch).uniform_(-1, 1)
    theta = torch.stack(
        [
            torch.stack([scale_x * flip * angle.cos(), -scale_y * angle.sin(), shift_x], 1),
            torch.stack([scale_x * flip * angle.sin(), scale_y * angle.cos(), shift_y], 1),
        ],
        1,
    )
    grid = functional.affine_grid(theta, [batch, 3, *size], align_corners=False)
    return functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _light(pixels: Tensor) -> Tensor:
    """Exposure ±20%, gamma ±15%, and a white balance off by a few per cent."""
    batch = len(pixels)
    gamma = torch.empty(batch, 1, 1, 1).normal_(0, 0.08).exp()
    gain = torch.empty(batch, 1, 1, 1).normal_(0, 0.1).exp()
    balance = torch.empty(batch, 3, 1, 1).normal_(0, 0.025).exp()
    return pixels.clamp(1e-3, 1).pow(gamma) * gain * balance


def _blur_some(pixels: Tensor, share: float = 0.2) -> Tensor:
    """Halve and double the resolution of some pictures: thumbnails and phone zoom do that."""
    chosen = (torch.rand(len(pixels)) < share)[:, None, None, None].to(pixels.dtype)
    small = functional.avg_pool2d(pixels, 2)
    soft = functional.interpolate(small, size=pixels.shape[-2:], mode="bilinear")
    return pixels * (1 - chosen) + soft * chosen
