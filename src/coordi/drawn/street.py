"""Street pictures: a figure that wears a garment, before clutter, in changing light."""

import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageChops, ImageDraw, ImageFilter

from coordi.drawn.canvas import SUPERSAMPLE, Canvas, Pen, bezier, mirrored, smooth
from coordi.drawn.fabric import Cloth
from coordi.drawn.garments import KINDS, Garment
from coordi.drawn.outfits import goes_together
from coordi.drawn.packshot import DRAW, cloth_of
from coordi.drawn.palette import COLORS, RGB, blend
from coordi.drawn.wardrobe import random_garment
from coordi.types import Box, Image

_SKINS: tuple[RGB, ...] = (
    (246, 214, 190),
    (228, 184, 150),
    (198, 148, 110),
    (150, 102, 72),
    (104, 68, 48),
)
_HAIRS: tuple[RGB, ...] = (
    (38, 32, 32),
    (72, 46, 32),
    (128, 84, 48),
    (206, 166, 100),
    (150, 66, 36),
    (128, 126, 128),
)
_LAYERS = ("shoes", "bottom", "top", "dress", "outer", "scarf", "hat", "bag")
"""From the skin outwards."""

_HANDLE_TOPS = {"tote": -0.44, "shoulder": -0.62, "backpack": -0.24}


def draw_street(
    garment: Garment, seed: int, size: tuple[int, int] = (256, 384)
) -> tuple[Image, Box]:
    """Draw a figure that wears `garment` with other clothes → (height, width, 3), and its box.

    The box holds what can be seen of the garment; `size` is (width, height) in pixels. The same
    arguments give the same pixels.
    """
    rng = random.Random(f"{seed} {garment.jitter}")
    matrix = _stand(garment, size, rng)
    picture = draw_background(size, rng)
    _cast_shadow(picture, matrix)
    seen = Pillow.new("L", size, 0)
    for layer, is_target in _layers(garment, size, matrix, rng):
        picture.paste(layer, mask=layer)
        alpha = layer.getchannel("A")
        seen = alpha if is_target else ImageChops.subtract(seen, alpha)
    return _light(picture, rng), _box(seen, size)


def _stand(garment: Garment, size: tuple[int, int], rng: random.Random) -> NDArray[np.float64]:
    """Place the figure: body units → pixels of the large sheet, nearer or farther, leaning."""
    width, height = (side * SUPERSAMPLE for side in size)
    near = garment.slot in ("top", "bottom", "scarf", "hat", "bag") or garment.kind == "blazer"
    shown = 8.3 / rng.uniform(1.0, 1.5 if near else 1.08)
    scale = height / shown
    middle = {"top": 2.6, "outer": 3.2, "bottom": 4.8, "scarf": 2.6, "hat": 1.5, "bag": 4.3}
    y = middle.get(garment.slot, 3.8)
    y = min(max(y, shown / 2 - 0.5), 7.9 - shown / 2)
    angle = np.deg2rad(rng.uniform(-3, 3))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.diag([rng.choice((-1.0, 1.0)), 1.0])
    at = np.array([width * (0.5 + rng.uniform(-0.06, 0.06)), height / 2]) - turn @ (0, y)
    return np.column_stack([turn, at])


def _layers(
    garment: Garment, size: tuple[int, int], matrix: NDArray[np.float64], rng: random.Random
) -> list[tuple[Pillow.Image, bool]]:
    layers = [(_draw_body(size, matrix, rng), False)]
    worn = sorted(dress_figure(garment, rng), key=lambda g: _LAYERS.index(g.slot))
    if garment.slot == "shoes":
        worn.sort(key=lambda g: g is garment)
    for piece in worn:
        canvas = Canvas(size)
        _put_on(Pen(canvas, cloth_of(piece), matrix, worn=True), piece)
        layers.append((canvas.finish(), piece is garment))
    return layers


def dress_figure(garment: Garment, rng: random.Random) -> list[Garment]:
    """Find company for a garment that goes with it and does not hide it."""
    slots = ["shoes", *(["dress"] if garment.slot == "dress" else ["top", "bottom"])]
    if garment.slot not in ("top", "dress"):
        slots += [slot for slot in ("outer",) if garment.slot == "scarf" and rng.random() < 0.5]
    slots += [slot for slot, share in (("hat", 0.25), ("bag", 0.4)) if rng.random() < share]
    worn = [garment]
    for slot in slots:
        if slot != garment.slot:
            worn.append(_companion(slot, worn, rng))
    return worn


def _companion(slot: str, worn: list[Garment], rng: random.Random) -> Garment:
    kinds = [name for name, kind in KINDS.items() if kind.slot == slot]
    for _ in range(30):
        piece = random_garment(rng.choice(kinds), rng)
        broken = goes_together([*worn, piece])
        if not any(rule.startswith(("colour", "pattern")) for rule in broken):
            break
    return piece


def _put_on(pen: Pen, garment: Garment) -> None:
    draw = DRAW[garment.kind]
    if garment.slot == "shoes":
        draw(pen.at(0.24, 7.5, 0.78), garment)
        draw(pen.at(-0.24, 7.5, 0.78, flip=True), garment)
    elif garment.slot == "hat":
        draw(pen.at(0, -0.1, 0.88), garment)
    elif garment.slot == "bag":
        draw(pen.at(1.31, 3.92 - 0.85 * _HANDLE_TOPS[garment.silhouette], 0.85), garment)
    else:
        draw(pen, garment)


def _draw_body(
    size: tuple[int, int], matrix: NDArray[np.float64], rng: random.Random
) -> Pillow.Image:
    """Draw the bare figure: limbs, a plain undersuit's worth of trunk, head and hair."""
    skin, hair = rng.choice(_SKINS), rng.choice(_HAIRS)
    canvas = Canvas(size)
    pen = Pen(canvas, Cloth(skin, skin, "plain", 0), matrix, worn=True)
    if rng.random() < 0.5:
        locks = [(0.0, -0.06), (0.44, 0.2), (0.52, 0.9), (0.56, 1.75), (0.2, 1.8)]
        pen.part(smooth([*locks, *mirrored(locks)[:-1]], closed=True), hair)
    for side in (pen, pen.at(0, 0, 1, flip=True)):
        _draw_limbs(side)
    trunk = [(0.0, 1.3), (0.20, 1.22), (0.68, 1.45), (0.60, 2.1), (0.50, 2.85), (0.64, 3.6)]
    pen.part([*trunk, (0.6, 4.1), *mirrored([*trunk, (0.6, 4.1)])], edge=False)
    pen.part([(-0.17, 0.8), (0.17, 0.8), (0.2, 1.3), (0, 1.42), (-0.2, 1.3)], edge=False)
    _draw_head(pen, hair)
    return canvas.finish()


def _draw_limbs(pen: Pen) -> None:
    arm = [(0.56, 1.42), (0.74, 1.45), (0.92, 1.75), (1.16, 2.66), (1.36, 3.72), (1.24, 3.78)]
    pen.part(smooth([*arm, (0.95, 2.72), (0.62, 2.0)], closed=True))
    pen.part(smooth([(1.23, 3.7), (1.36, 3.68), (1.44, 3.95), (1.40, 4.2), (1.28, 4.22),
                     (1.22, 3.95)], closed=True))  # fmt: skip
    leg = [(0.64, 3.6), (0.66, 4.1), (0.54, 5.4), (0.56, 6.0), (0.50, 7.1), (0.52, 7.42)]
    inner = [(0.32, 7.42), (0.30, 7.1), (0.25, 6.0), (0.20, 5.4), (0.02, 4.05)]
    pen.part([*smooth(leg), *smooth(inner)])
    pen.part(smooth([(0.3, 7.2), (0.5, 7.2), (0.86, 7.42), (0.86, 7.49), (0.3, 7.49)], closed=True))


def _draw_head(pen: Pen, hair: RGB) -> None:
    face = [(0.0, 0.08), (0.30, 0.18), (0.36, 0.5), (0.26, 0.88), (0.0, 1.03)]
    pen.part(smooth([*face, *mirrored(face)[1:-1]], closed=True))
    fringe = [*bezier((-0.40, 0.56), (-0.50, -0.16), (0.50, -0.16), (0.40, 0.56))]
    pen.part([*fringe, *bezier((0.34, 0.42), (0.2, 0.2), (0.0, 0.34), (-0.34, 0.40))], hair)
    dark = blend(pen.cloth.color, (40, 20, 20), 0.75)
    for x in (-0.14, 0.14):
        pen.disc(x, 0.55, 0.028, dark, edge=False)
        pen.line([(x - 0.07, 0.46), (x + 0.07, 0.46)], dark, 0.02)
    pen.line([(0, 0.58), (-0.03, 0.7), (0.02, 0.71)], blend(pen.cloth.color, dark, 0.4))
    pen.line(bezier((-0.1, 0.82), (-0.04, 0.86), (0.04, 0.86), (0.1, 0.82)), (176, 72, 72), 0.035)


def _cast_shadow(picture: Pillow.Image, matrix: NDArray[np.float64]) -> None:
    x, y = (matrix @ (0, 7.5, 1)) / SUPERSAMPLE
    unit = abs(float(matrix[1, 1])) / SUPERSAMPLE
    mask = Pillow.new("L", picture.size, 0)
    box = (x - 1.4 * unit, y - 0.16 * unit, x + 1.4 * unit, y + 0.2 * unit)
    ImageDraw.Draw(mask).ellipse(box, fill=120)
    picture.paste((30, 28, 34), mask=mask.filter(ImageFilter.GaussianBlur(unit * 0.14)))


def _box(seen: Pillow.Image, size: tuple[int, int]) -> Box:
    left, top, right, bottom = seen.point(lambda v: 255 * (v > 127)).getbbox() or (0, 0, *size)
    return left / size[0], top / size[1], right / size[0], bottom / size[1]


def _light(picture: Pillow.Image, rng: random.Random) -> Image:
    """Change the light: brightness, warmth, a slope across the picture, grain."""
    pixels = np.asarray(picture, np.float32)
    warmth = rng.uniform(-0.07, 0.07)
    gain = rng.uniform(0.80, 1.12) * np.array([1 + warmth, 1.0, 1 - warmth], np.float32)
    slope = np.linspace(1, rng.uniform(0.78, 1.0), pixels.shape[1], dtype=np.float32)
    if rng.random() < 0.5:
        slope = slope[::-1]
    noise = np.random.default_rng(rng.randrange(1 << 31)).standard_normal(
        pixels.shape[:2], dtype=np.float32
    )
    lit = pixels * gain * slope[None, :, None] + noise[..., None] * rng.uniform(1.0, 4.0)
    return np.clip(lit + 0.5, 0, 255).astype(np.uint8)


def draw_background(size: tuple[int, int], rng: random.Random) -> Pillow.Image:
    """Draw a street, a park or a room, full of things, a little out of focus."""
    large = (size[0] * 2, size[1] * 2)
    scene = rng.choice(SCENES)
    picture = Pillow.new("RGB", large, (200, 200, 200))
    draw = ImageDraw.Draw(picture)
    scene(draw, large, rng)
    picture = picture.resize(size, Pillow.Resampling.LANCZOS)
    return picture.filter(ImageFilter.GaussianBlur(size[0] * rng.uniform(0.001, 0.008)))


def _any_color(rng: random.Random, soften: float = 0.3) -> RGB:
    return blend(COLORS[rng.choice(tuple(COLORS))], (168, 164, 160), soften)


def _street_scene(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: random.Random) -> None:
    width, height = size
    floor = height * rng.uniform(0.78, 0.88)
    x = 0.0
    while x < width:
        house = width * rng.uniform(0.22, 0.5)
        _draw_house(draw, (x, height * rng.uniform(-0.2, 0.1), x + house, floor), rng)
        x += house
    draw.rectangle(
        (0, floor, width, height), fill=blend((150, 148, 146), (90, 90, 96), rng.random())
    )
    for line in range(7):
        x = width * line / 6
        draw.line(
            (x, floor, width / 2 + (x - width / 2) * 2, height), fill=(120, 118, 118), width=2
        )
    for _ in range(rng.randint(1, 3)):
        _draw_passer(draw, width * rng.random(), floor, height * rng.uniform(0.3, 0.5), rng)
    if rng.random() < 0.6:
        _draw_car(draw, width * rng.uniform(-0.1, 0.8), floor, width * 0.5, rng)


def _draw_house(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], rng: random.Random
) -> None:
    left, top, right, bottom = box
    wall = _any_color(rng, 0.6)
    draw.rectangle(box, fill=wall)
    pane, frame = _any_color(rng, 0.5), blend(wall, (255, 255, 255), 0.4)
    columns = rng.randint(2, 4)
    step, tall = (right - left) / columns, (bottom - top) / rng.randint(4, 7)
    y = top + tall * 0.2
    while y < bottom - tall:
        for column in range(columns):
            x = left + step * (column + 0.2)
            draw.rectangle(
                (x, y, x + step * 0.6, y + tall * 0.65), fill=pane, outline=frame, width=4
            )
        y += tall
    draw.rectangle((left, bottom - tall, right, bottom - tall * 0.8), fill=_any_color(rng, 0.1))
    draw.rectangle(
        (left + step * 0.3, bottom - tall * 0.75, left + step, bottom), fill=_any_color(rng)
    )


def _draw_passer(
    draw: ImageDraw.ImageDraw, x: float, floor: float, tall: float, rng: random.Random
) -> None:
    unit = tall / 7.5
    top = floor - tall
    draw.ellipse((x - unit * 0.4, top, x + unit * 0.4, top + unit), fill=rng.choice(_SKINS))
    draw.rounded_rectangle((x - unit * 0.8, top + unit, x + unit * 0.8, top + unit * 4),
                           unit * 0.4, fill=_any_color(rng, 0.1))  # fmt: skip
    draw.rectangle(
        (x - unit * 0.6, top + unit * 4, x + unit * 0.6, floor), fill=_any_color(rng, 0.1)
    )


def _draw_car(
    draw: ImageDraw.ImageDraw, x: float, floor: float, long: float, rng: random.Random
) -> None:
    paint, tall = _any_color(rng, 0.05), long * 0.28
    draw.rounded_rectangle((x + long * 0.2, floor - tall * 1.7, x + long * 0.8, floor - tall * 0.6),
                           tall * 0.3, fill=(70, 84, 98))  # fmt: skip
    draw.rounded_rectangle((x, floor - tall, x + long, floor - tall * 0.15), tall * 0.3, fill=paint)
    for share in (0.22, 0.78):
        cx = x + long * share
        draw.ellipse((cx - tall * 0.3, floor - tall * 0.45, cx + tall * 0.3, floor + tall * 0.15),
                     fill=(36, 36, 40))  # fmt: skip


def _park_scene(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: random.Random) -> None:
    width, height = size
    floor = height * rng.uniform(0.55, 0.75)
    draw.rectangle((0, 0, width, floor), fill=blend((170, 204, 236), (230, 214, 200), rng.random()))
    draw.rectangle(
        (0, floor, width, height), fill=blend((110, 150, 80), (170, 160, 90), rng.random())
    )
    path = [
        (width * 0.4, floor),
        (width * 0.6, floor),
        (width * 1.1, height),
        (-width * 0.1, height),
    ]
    draw.polygon(path, fill=(196, 182, 160))
    for _ in range(rng.randint(5, 9)):
        x, base = width * rng.random(), floor + height * rng.uniform(-0.02, 0.06)
        crown = width * rng.uniform(0.1, 0.22)
        tall = height * rng.uniform(0.2, 0.45)
        draw.rectangle((x - crown * 0.1, base - tall, x + crown * 0.1, base), fill=(96, 72, 54))
        for _ in range(14):
            cx, cy = (
                x + crown * rng.uniform(-0.8, 0.8),
                base - tall + crown * rng.uniform(-0.9, 0.7),
            )
            r = crown * rng.uniform(0.3, 0.55)
            leaf = blend((60, 110, 56), (150, 160, 70), rng.random())
            draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=leaf)
    for _ in range(rng.randint(0, 3)):
        _draw_passer(draw, width * rng.random(), floor + height * 0.05, height * 0.3, rng)


def _room_scene(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: random.Random) -> None:
    width, height = size
    floor = height * rng.uniform(0.8, 0.9)
    draw.rectangle((0, 0, width, floor), fill=_any_color(rng, 0.7))
    draw.rectangle(
        (0, floor, width, height), fill=blend((168, 128, 92), (110, 84, 66), rng.random())
    )
    for board in range(6):
        y = floor + (height - floor) * board / 6
        draw.line((0, y, width, y), fill=(98, 76, 60), width=2)
    for _ in range(rng.randint(2, 5)):
        x, y = width * rng.uniform(-0.1, 0.9), height * rng.uniform(0, 0.4)
        w, h = width * rng.uniform(0.15, 0.35), height * rng.uniform(0.1, 0.22)
        draw.rectangle((x, y, x + w, y + h), fill=_any_color(rng), outline=(70, 60, 54), width=6)
        draw.ellipse((x + w * 0.2, y + h * 0.2, x + w * 0.7, y + h * 0.8), fill=_any_color(rng))
    _draw_shelf(draw, width * rng.choice((-0.05, 0.62)), floor, (width * 0.42, height * 0.5), rng)


def _draw_shelf(
    draw: ImageDraw.ImageDraw,
    x: float,
    floor: float,
    size: tuple[float, float],
    rng: random.Random,
) -> None:
    width, tall = size
    draw.rectangle((x, floor - tall, x + width, floor), fill=(120, 90, 66))
    for shelf in range(4):
        low = floor - tall * shelf / 4 - tall * 0.02
        at = x + width * 0.05
        while at < x + width * 0.88:
            thick = width * rng.uniform(0.04, 0.09)
            draw.rectangle((at, low - tall * rng.uniform(0.13, 0.2), at + thick, low),
                           fill=_any_color(rng, 0.15))  # fmt: skip
            at += thick


SCENES: tuple[Callable[[ImageDraw.ImageDraw, tuple[int, int], random.Random], None], ...] = (
    _street_scene,
    _park_scene,
    _room_scene,
)
"""The backgrounds that a street picture can have."""
