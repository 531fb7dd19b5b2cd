"""Silhouettes of what is worn above the waist: tee, shirt, knit, hoodie, jackets, coat, dress.

Body units: the crown is at y = 0, the chin at 1, shoulders at 1.45, the waist at 2.9, hips at
3.7, knees at 5.5 and soles at 7.5; the centre line is x = 0 and arms hang a little apart.
"""

import random
from collections.abc import Sequence

import numpy as np

from coordi.drawn.canvas import Pen, Point, bezier, mirrored, smooth
from coordi.drawn.garments import Garment
from coordi.drawn.palette import RGB, blend, luminance

EASE = {"slim": 0.0, "fitted": 0.0, "regular": 0.09, "loose": 0.22, "flared": 0.04}
SLEEVE_ENDS = {"short": 0.34, "three-quarter": 0.70, "long": 1.0}
HEMS = {
    "cropped": 3.05,
    "regular": 3.80,
    "tunic": 4.60,
    "longline": 4.55,
    "thigh-length": 4.55,
    "mini": 4.55,
    "knee-length": 5.50,
    "maxi": 6.95,
}
"""Height of the hem, in body units."""

_ARM = ((0.0, 0.74, 1.60), (0.5, 1.04, 2.68), (1.0, 1.27, 3.76))  # share, x, y
_ARM_TURN = -16.0
_GOLD = (206, 168, 92)
_STEEL = (178, 182, 190)


def _along_arm(share: float, offset: float) -> Point:
    shares, xs, ys = zip(*_ARM, strict=True)
    x, y = np.interp(share, shares, xs), np.interp(share, shares, ys)
    return float(x + 0.96 * offset), float(y - 0.26 * offset)


def _sleeve_width(share: float, ease: float, flare: float) -> float:
    slim = np.interp(share, (0, 0.16, 0.34, 1), (0.08, 0.20, 0.20, 0.135))
    return float(slim + ease * 0.55 + flare * share)


def _sleeve_piece(start: float, end: float, ease: float, flare: float) -> list[Point]:
    shares = np.linspace(start, end, 8)
    outer = [_along_arm(t, _sleeve_width(t, ease, flare)) for t in shares]
    inner = [_along_arm(t, -_sleeve_width(t, ease, flare)) for t in shares[::-1]]
    return [*outer, *inner]


def _sleeve_outline(shoulder: Point, end: float, ease: float, flare: float) -> list[Point]:
    shares = (0.16, 0.34, 0.5, 0.75, 1.0)
    at = [share for share in shares if share < end - 0.05] + [end]
    outer = [_along_arm(t, _sleeve_width(t, ease, flare)) for t in at]
    inner = [_along_arm(t, -_sleeve_width(t, ease, flare)) for t in reversed(at)]
    return [*smooth([shoulder, *outer]), *smooth(inner)]


def _both(pen: Pen) -> tuple[tuple[Pen, float], tuple[Pen, float]]:
    """Give a pen for each side of the body, and the sign of its turn."""
    return (pen, 1.0), (pen.at(0, 0, 1, flip=True), -1.0)


def draw_sleeves(pen: Pen, sleeve: str, ease: float, cuff: str = "hem", flare: float = 0) -> None:
    """Draw both sleeves; `cuff` is "hem", "rib" or "button"."""
    if sleeve not in SLEEVE_ENDS:
        return
    end = SLEEVE_ENDS[sleeve]
    shoulder = (0.66 + ease * 0.4, 1.40)
    for side, sign in _both(pen):
        piece = [*_sleeve_outline(shoulder, end, ease, flare), (0.4, 2.1)]
        side.part(piece, turn=_ARM_TURN * sign)
        if sleeve != "short":
            side.fold([_along_arm(0.3, 0.02), _along_arm(0.45, -0.06)], 60)
            side.fold([_along_arm(0.5, 0.12), _along_arm(0.54, -0.1)], 75)
        side.fold([(0.72, 1.95), _along_arm(0.22, 0.0)], 60)
        _draw_cuff(side, cuff, end, ease, flare, sign)


def _draw_cuff(pen: Pen, cuff: str, end: float, ease: float, flare: float, sign: float) -> None:
    depth = 0.025 if cuff == "hem" else 0.075
    width = _sleeve_width(end, ease, flare)
    band = _sleeve_piece(end - depth, end + 0.004, ease, flare)
    if cuff == "hem":
        pen.line([_along_arm(end - depth, -width), _along_arm(end - depth, width)])
        return
    color = blend(pen.cloth.color, pen.cloth.line, 0.16)
    pen.part(band, color if cuff == "rib" else None, turn=_ARM_TURN * sign)
    if cuff == "rib":
        for offset in np.linspace(-width * 0.8, width * 0.8, 7):
            pen.line([_along_arm(end - depth, offset), _along_arm(end, offset)], width=0.012)
    else:
        x, y = _along_arm(end - depth / 2, width * 0.45)
        pen.disc(x, y, 0.03, _button_color(pen))


def _button_color(pen: Pen) -> RGB:
    return (244, 242, 236) if luminance(pen.cloth.color) < 190 else (120, 104, 88)


def _neck(neckline: str) -> tuple[float, float]:
    """Half width and depth (y of the lowest point) of an opening."""
    return {
        "crew": (0.31, 1.56),
        "v-neck": (0.30, 2.14),
        "scoop": (0.47, 2.02),
        "boat": (0.62, 1.55),
        "turtleneck": (0.27, 1.42),
        "button-down": (0.27, 1.50),
        "band": (0.27, 1.46),
        "hood": (0.34, 1.62),
        "lapel": (0.30, 2.75),
    }[neckline]


def _neck_point(neckline: str) -> Point:
    half = _neck(neckline)[0]
    return half, 1.20 + (half - 0.2) * 0.42


def _neck_curve(neckline: str) -> list[Point]:
    """Walk the right half of the front opening, from the centre to the shoulder."""
    half, depth = _neck(neckline)
    end = _neck_point(neckline)
    if neckline in ("v-neck", "lapel"):
        return bezier((0, depth), (half * 0.42, depth - 0.35), (half * 0.9, 1.6), end)
    return bezier((0, depth), (half * 0.75, depth), (half * 0.98, depth - 0.12), end)


def _body_half(
    neckline: str, hem: float, ease: float, sides: Sequence[Point], sleeveless: bool
) -> list[Point]:
    """Right half of a bodice, from the centre of the neck down to the centre of the hem."""
    shoulder = (0.60, 1.40) if sleeveless else (0.70 + ease * 0.4, 1.42 + ease * 0.08)
    armpit = (0.61 + ease, 2.12 + ease * 0.3)
    if sleeveless:
        shoulder = (max(0.60, _neck(neckline)[0] + 0.08), shoulder[1] + 0.01)
        armhole = bezier(shoulder, (0.50, 1.75), (0.50, 2.05), armpit)
    else:
        armhole = bezier(shoulder, (shoulder[0] + 0.02, 1.7), (0.58 + ease, 1.95), armpit)
    side = smooth([armpit, *[p for p in sides if p[1] < hem - 0.05], (_at(sides, hem), hem)])
    bottom = bezier(side[-1], (side[-1][0] * 0.6, hem + 0.07), (0.2, hem + 0.08), (0, hem + 0.08))
    return [*_neck_curve(neckline), *armhole, *side, *bottom]


def _at(sides: Sequence[Point], y: float) -> float:
    xs, ys = zip(*sides, strict=True)
    return float(np.interp(y, ys, xs))


def _straight_sides(ease: float) -> list[Point]:
    return [(0.56 + ease, 2.9), (0.66 + ease, 3.7), (0.72 + ease, 4.5), (0.80 + ease, 7.0)]


def _draw_back(pen: Pen, neckline: str) -> None:
    """Show the inside of the back through the opening, where nobody wears the garment."""
    if pen.worn:
        return
    half, y = _neck_point(neckline)
    back = bezier((half, y), (half * 0.6, y + 0.12), (-half * 0.6, y + 0.12), (-half, y))
    front = _neck_curve(neckline)
    pen.part([*mirrored(front), *front, *back], pen.cloth.inside)
    if neckline in ("button-down", "band"):
        _collar_back(pen)
    pen.part(
        bezier((-0.09, y + 0.12), (-0.09, y + 0.2), (0.09, y + 0.2), (0.09, y + 0.12)),
        (238, 236, 230),
        edge=False,
    )


def _collar_back(pen: Pen) -> None:
    top = bezier((-0.25, 1.07), (-0.12, 1.0), (0.12, 1.0), (0.25, 1.07))
    pen.part(
        [
            *top,
            (0.30, 1.26),
            *bezier((0.24, 1.3), (0.1, 1.34), (-0.1, 1.34), (-0.24, 1.3)),
            (-0.30, 1.26),
        ],
        pen.cloth.inside,
    )


def _draw_body(pen: Pen, half: list[Point]) -> None:
    pen.part([*half, *mirrored(half)])


def _hem_line(pen: Pen, sides: Sequence[Point], hem: float, up: float = 0.09) -> None:
    x = _at(sides, hem - up)
    pen.line(
        bezier(
            (-x, hem - up), (-x * 0.5, hem - up + 0.08), (x * 0.5, hem - up + 0.08), (x, hem - up)
        )
    )


def _body_folds(pen: Pen, rng: random.Random, hem: float, sides: Sequence[Point]) -> None:
    for sign in (-1, 1):
        lean = rng.uniform(0.05, 0.2)
        pen.fold([(sign * 0.62, 2.2), (sign * (0.42 - lean), 2.45)], 55)
        x = _at(sides, hem)
        pen.fold(
            [
                (sign * x * 0.72, hem),
                (sign * (x * 0.6 - lean), (hem + 2.9) / 2),
                (sign * 0.3, 2.75),
            ],
            60,
        )


def _neck_rib(pen: Pen, neckline: str, width: float = 0.09) -> None:
    outer = [(x * 1.0 + (width * 0.9 if x else 0), y + width) for x, y in _neck_curve(neckline)]
    outer[0] = (0, outer[0][1])
    right = _neck_curve(neckline)
    end = (outer[-1][0], _neck_point(neckline)[1] + width * 0.35)
    outer[-1] = end
    ring = [*mirrored(right), *right, *reversed(outer), *[(-x, y) for x, y in outer]]
    pen.part(ring, blend(pen.cloth.color, pen.cloth.line, 0.18))


def draw_tee(pen: Pen, garment: Garment) -> None:
    """Draw a T-shirt, or a vest top where it has no sleeves."""
    ease, hem = EASE[garment.silhouette], HEMS[garment.length]
    sides = _straight_sides(ease)
    _draw_back(pen, garment.neckline)
    draw_sleeves(pen, garment.sleeve, ease + (0.06 if garment.sleeve == "short" else 0))
    bare = garment.sleeve == "sleeveless"
    _draw_body(pen, _body_half(garment.neckline, hem, ease, sides, bare))
    _neck_rib(pen, garment.neckline, 0.075)
    _hem_line(pen, sides, hem)
    _body_folds(pen, random.Random(garment.jitter), hem, sides)


def draw_knit(pen: Pen, garment: Garment) -> None:
    """Draw a sweater: ribbed collar, cuffs and hem, rows of stitches."""
    ease, hem = EASE[garment.silhouette] + 0.05, HEMS[garment.length]
    sides = _straight_sides(ease)
    _draw_back(pen, garment.neckline)
    draw_sleeves(pen, garment.sleeve, ease + 0.05, "rib")
    bare = garment.sleeve == "sleeveless"
    _draw_body(pen, _body_half(garment.neckline, hem - 0.1, ease, sides, bare))
    if garment.pattern == "plain":
        _knit_stitches(pen, hem)
    _rib_band(pen, hem, _at(sides, hem) - 0.03)
    if garment.neckline == "turtleneck":
        _roll_collar(pen)
    else:
        _neck_rib(pen, garment.neckline, 0.11)
    _body_folds(pen, random.Random(garment.jitter), hem - 0.2, sides)


def _knit_stitches(pen: Pen, hem: float) -> None:
    color = blend(pen.cloth.color, pen.cloth.line, 0.55)
    for x in (-0.34, -0.12, 0.12, 0.34):
        ys = np.arange(2.2 if abs(x) < 0.2 else 1.75, hem - 0.3, 0.11)
        for y in ys:
            pen.line([(x - 0.06, y), (x, y + 0.07), (x + 0.06, y)], color, 0.02)


def _rib_band(pen: Pen, hem: float, half: float, depth: float = 0.22) -> None:
    top = bezier(
        (-half, hem - depth),
        (-half / 2, hem - depth + 0.08),
        (half / 2, hem - depth + 0.08),
        (half, hem - depth),
    )
    low = bezier(
        (half * 0.95, hem), (half / 2, hem + 0.08), (-half / 2, hem + 0.08), (-half * 0.95, hem)
    )
    pen.part([*top, *low], blend(pen.cloth.color, pen.cloth.line, 0.16))
    for share in np.linspace(-0.95, 0.95, 25):
        drop = 0.06 * (1 - share**2)
        pen.line(
            [(share * half, hem - depth + drop), (share * half * 0.95, hem + drop)], width=0.011
        )


def _roll_collar(pen: Pen) -> None:
    right = [(0.0, 1.46), (0.27, 1.40), (0.31, 1.25), (0.27, 0.98), (0.0, 1.03)]
    pen.part(
        smooth([*right, *mirrored(right)[1:-1]], closed=True),
        blend(pen.cloth.color, pen.cloth.line, 0.12),
    )
    pen.line(bezier((-0.29, 1.2), (-0.15, 1.27), (0.15, 1.27), (0.29, 1.2)))
    for x in np.linspace(-0.22, 0.22, 9):
        pen.line([(x, 1.05), (x * 1.1, 1.38)], width=0.01)


def draw_shirt(pen: Pen, garment: Garment) -> None:
    """Draw a shirt: collar, placket, buttons, cuffs, a chest pocket, a curved hem."""
    ease, hem = EASE[garment.silhouette], HEMS[garment.length]
    sides = _straight_sides(ease)
    cuff = "button" if garment.sleeve in ("long", "three-quarter") else "hem"
    _draw_back(pen, garment.neckline)
    draw_sleeves(pen, garment.sleeve, ease + 0.03, cuff)
    bare = garment.sleeve == "sleeveless"
    half = _body_half(garment.neckline, hem, ease, sides, bare)
    if garment.length != "cropped":
        half = [
            (x, y + 0.16 * np.cos(x / _at(sides, hem) * 2.6) if y >= hem - 0.16 else y)
            for x, y in half
        ]
    _draw_body(pen, half)
    low = hem + (0.08 if garment.length == "cropped" else 0.16)
    pen.part([(-0.075, 1.5), (0.075, 1.5), (0.075, low), (-0.075, low)])
    for y in np.arange(1.75, hem, 0.36):
        pen.disc(0, y, 0.035, _button_color(pen))
    _pocket(pen, 0.38, 2.05)
    _body_folds(pen, random.Random(garment.jitter), hem - 0.1, sides)
    _shirt_collar(pen, garment.neckline)


def _pocket(pen: Pen, x: float, y: float, half: float = 0.15, deep: float = 0.36) -> None:
    pen.part(
        [
            (x - half, y),
            (x + half, y),
            (x + half, y + deep * 0.8),
            (x, y + deep),
            (x - half, y + deep * 0.8),
        ]
    )
    pen.line([(x - half, y + 0.06), (x + half, y + 0.06)])


def _shirt_collar(pen: Pen, neckline: str, reach: float = 1.0) -> None:
    for side, sign in _both(pen):
        if neckline == "band":
            side.part(
                [
                    *bezier((0, 1.54), (0.16, 1.54), (0.27, 1.40), (0.30, 1.2)),
                    *bezier((0.26, 1.08), (0.22, 1.3), (0.12, 1.42), (0, 1.42)),
                ],
                turn=0,
            )
            continue
        tip = (0.30 * reach, 1.80)
        side.part(
            [
                (0.0, 1.50),
                *bezier((0.02, 1.46), (0.12, 1.40), (0.22, 1.24), (0.24, 1.06)),
                (0.33, 1.20),
                (0.40, 1.46),
                tip,
            ],
            turn=30 * sign,
        )
        if not reach > 1:
            side.disc(tip[0] - 0.01, tip[1] - 0.08, 0.018, _button_color(pen))


def draw_hoodie(pen: Pen, garment: Garment) -> None:
    """Draw a hooded sweatshirt: hood, drawstrings, pouch pocket; a zip where it opens."""
    ease, hem = 0.16, HEMS[garment.length]
    sides = _straight_sides(ease)
    if not pen.worn:
        right = [(0.0, 0.62), (0.34, 0.74), (0.46, 1.08), (0.44, 1.36)]
        pen.part(smooth([*right, *mirrored(right)[:-1]], closed=True))
        inner = [(0.0, 0.82), (0.24, 0.92), (0.29, 1.2), (0.0, 1.62)]
        pen.part(smooth([*inner, *mirrored(inner)[1:-1]], closed=True), pen.cloth.inside)
    draw_sleeves(pen, garment.sleeve, ease + 0.05, "rib" if garment.sleeve == "long" else "hem")
    _draw_body(pen, _body_half("hood", hem - 0.1, ease, sides, False))
    for side, sign in _both(pen):
        side.part(
            smooth(
                [
                    (0.0, 1.66),
                    (0.16, 1.5),
                    (0.27, 1.14),
                    (0.38, 1.0),
                    (0.50, 1.28),
                    (0.30, 1.62),
                    (0.02, 1.78),
                ]
            ),
            turn=30 * sign,
        )
    cord = (240, 240, 236) if luminance(pen.cloth.color) < 190 else (90, 90, 96)
    _hoodie_front(pen, garment, hem, cord)
    _rib_band(pen, hem, _at(sides, hem) - 0.05)
    _body_folds(pen, random.Random(garment.jitter), hem - 0.25, sides)


def _hoodie_front(pen: Pen, garment: Garment, hem: float, cord: RGB) -> None:
    low = hem - 0.24
    top = low - min(0.72, (hem - 2.2) * 0.6)
    pen.part(
        [
            (-0.28, top),
            (0.28, top),
            (0.48, low - 0.2),
            (0.48, low),
            (-0.48, low),
            (-0.48, low - 0.2),
        ]
    )
    if garment.silhouette == "zip-up":
        _zip(pen, 0, 1.70, hem)
    for x in (-0.13, 0.13):
        pen.line([(x, 1.66), (x * 1.15, 2.22)], cord, 0.032)
        pen.line([(x * 1.15, 2.20), (x * 1.15, 2.30)], _STEEL, 0.04)


def _zip(pen: Pen, x: float, top: float, bottom: float) -> None:
    pen.line([(x, top), (x, bottom)], (70, 70, 76), 0.055)
    pen.stitches([(x, top), (x, bottom)], _STEEL, 0.045)
    pen.line([(x, top + 0.02), (x, top + 0.16)], _STEEL, 0.05)


def draw_jacket(pen: Pen, garment: Garment) -> None:
    """Draw a zipped jacket: band collar and ribs (a bomber), or a shirt collar and flaps."""
    ease, hem = EASE[garment.silhouette] + 0.08, HEMS[garment.length] - 0.1
    sides = _straight_sides(ease)
    bomber = garment.neckline == "band"
    _draw_back(pen, garment.neckline)
    draw_sleeves(pen, "long", ease + 0.08, "rib" if bomber else "button")
    _draw_body(pen, _body_half(garment.neckline, hem, ease, sides, False))
    for side, sign in _both(pen):
        if not bomber:
            side.line([(0.12, 1.9), (0.62 + ease, 1.9)])
            side.part([(0.2, 1.98), (0.52, 1.98), (0.52, 2.12), (0.36, 2.2), (0.2, 2.12)])
            side.disc(0.36, 2.13, 0.03, _STEEL)
        y = (hem + 2.3) / 2
        side.line([(0.50, y - 0.22), (0.34, y + 0.24)], width=0.045)
        side.line([(0.50, y - 0.22), (0.34, y + 0.24)], _STEEL, 0.014)
        del sign
    _body_folds(pen, random.Random(garment.jitter), hem - 0.2, sides)
    if bomber:
        _rib_band(pen, hem + 0.1, _at(sides, hem) - 0.04)
    _shirt_collar(pen, garment.neckline, 1.15)
    _zip(pen, 0, 1.50, hem + 0.1)


def draw_cardigan(pen: Pen, garment: Garment) -> None:
    """Draw a cardigan: an open ribbed front with big buttons."""
    ease, hem = 0.13, HEMS[garment.length]
    sides = _straight_sides(ease)
    _draw_back(pen, garment.neckline)
    draw_sleeves(pen, garment.sleeve, ease + 0.04, "rib")
    _draw_body(pen, _body_half(garment.neckline, hem - 0.1, ease, sides, False))
    for side, _ in _both(pen):
        _pocket(side, 0.40, hem - 0.85 if hem > 3.3 else hem - 0.7, 0.17, 0.38)
    _rib_band(pen, hem, _at(sides, hem) - 0.03)
    _neck_rib(pen, garment.neckline, 0.12)
    depth = _neck(garment.neckline)[1]
    band = blend(pen.cloth.color, pen.cloth.line, 0.16)
    pen.part([(-0.10, depth), (0.10, depth), (0.10, hem + 0.08), (-0.10, hem + 0.08)], band)
    for y in np.linspace(depth + 0.14, hem - 0.12, max(3, round((hem - depth) / 0.45))):
        pen.disc(0, y, 0.055, _button_color(pen))
    _body_folds(pen, random.Random(garment.jitter), hem - 0.2, sides)


def draw_blazer(pen: Pen, garment: Garment) -> None:
    """Draw a tailored jacket: notched lapels, welt pocket, flaps, one row of buttons or two."""
    ease, hem = 0.08, HEMS[garment.length] + 0.1
    sides = [(0.57 + ease, 2.85), (0.70 + ease, 3.7), (0.76 + ease, 4.6), (0.8, 7.0)]
    _draw_lining(pen)
    draw_sleeves(pen, "long", ease + 0.04)
    _draw_body(pen, _body_half("lapel", hem, ease, sides, False))
    double = garment.silhouette == "double-breasted"
    _front_edge(pen, hem, 0.22 if double else 0.05, curved=not double)
    _body_folds(pen, random.Random(garment.jitter), hem - 0.1, sides)
    flap = min(hem - 0.3, 3.3)
    for side, _ in _both(pen):
        side.part([(0.26, flap), (0.60, flap - 0.03), (0.60, flap + 0.14), (0.26, flap + 0.17)])
    pen.part([(0.32, 2.16), (0.54, 2.10), (0.54, 2.17), (0.32, 2.23)])
    _lapels(pen, 2.78, 0.46)
    columns = (-0.19, 0.19) if double else (0.0,)
    for y in (2.88, 3.2):
        for x in columns:
            if y < hem - 0.05:
                pen.disc(x, y, 0.052, _dark_button(pen))


def _dark_button(pen: Pen) -> RGB:
    return (58, 46, 40) if luminance(pen.cloth.color) > 90 else (176, 160, 140)


def _draw_lining(pen: Pen) -> None:
    if pen.worn:
        return
    half, y = _neck_point("lapel")
    front = _neck_curve("lapel")
    pen.part([*mirrored(front), *front, (half, y - 0.04), (-half, y - 0.04)], pen.cloth.inside)
    _collar_back(pen)
    pen.part(
        [(-0.1, y + 0.08), (0.1, y + 0.08), (0.1, y + 0.2), (-0.1, y + 0.2)],
        (236, 232, 222),
        edge=False,
    )


def _front_edge(pen: Pen, hem: float, x: float, *, curved: bool) -> None:
    path = [
        (x, 2.75),
        (x, hem - 0.3),
        *bezier((x, hem - 0.3), (x, hem), (x + 0.1, hem + 0.04), (x + 0.16, hem + 0.06)),
    ]
    pen.line(path if curved else [(x, 2.75), (x, hem + 0.08)], width=0.026)


def _lapels(pen: Pen, low: float, wide: float) -> None:
    for side, sign in _both(pen):
        side.part(
            [
                (0.0, low),
                (0.10, low - 0.35),
                (0.24, 1.62),
                (0.30, 1.22),
                (0.36, 1.42),
                (0.34, 1.62),
                (wide + 0.06, 1.72),
                (wide - 0.1, 2.2),
                (0.04, low + 0.02),
            ],
            turn=20 * sign,
        )
        side.part(
            [
                (0.26, 1.62),
                (0.25, 1.34),
                (0.24, 1.08),
                (0.34, 1.16),
                (0.46, 1.42),
                (0.50, 1.60),
                (0.36, 1.60),
            ],
            turn=40 * sign,
        )


def draw_coat(pen: Pen, garment: Garment) -> None:
    """Draw a coat: wide lapels, buttons in one row or two, or a belt at the waist."""
    ease, hem = 0.17, HEMS[garment.length]
    belted = garment.silhouette == "belted"
    waist = 0.52 if belted else 0.62
    sides = [(waist + ease, 2.95), (0.70 + ease, 3.7), (0.82 + ease, 5.2), (0.92 + ease, 7.0)]
    _draw_lining(pen)
    draw_sleeves(pen, "long", ease + 0.08, "button")
    _draw_body(pen, _body_half("lapel", hem, ease, sides, False))
    double = garment.silhouette == "double-breasted"
    _front_edge(pen, hem, 0.26 if double else 0.08, curved=False)
    _coat_folds(pen, hem, ease)
    _lapels(pen, 2.55, 0.54)
    for side, _ in _both(pen):
        side.part([(0.42, 3.25), (0.56, 3.2), (0.66, 3.62), (0.52, 3.68)])
    if belted:
        _belt(pen, waist + ease, 2.95)
        return
    for y in np.arange(2.75, min(hem - 0.3, 4.6), 0.5):
        for x in (-0.22, 0.22) if double else (0.0,):
            pen.disc(x, y, 0.06, _dark_button(pen))


def _coat_folds(pen: Pen, hem: float, ease: float) -> None:
    for x in (-0.55, -0.3, 0.42, 0.6):
        pen.fold([(x * 0.9, 3.2), (x * (1 + ease), (hem + 3.4) / 2), (x * 1.25, hem)], 55)


def _belt(pen: Pen, half: float, y: float) -> None:
    pen.part(
        [
            (-half, y - 0.1),
            *bezier((-half, y - 0.1), (-0.3, y - 0.02), (0.3, y - 0.02), (half, y - 0.1)),
            *bezier((half, y + 0.1), (0.3, y + 0.18), (-0.3, y + 0.18), (-half, y + 0.1)),
        ]
    )
    pen.part([(0.06, y + 0.1), (0.22, y + 0.1), (0.34, y + 0.95), (0.16, y + 1.0)])
    pen.part([(-0.04, y + 0.1), (0.10, y + 0.1), (0.06, y + 0.8), (-0.12, y + 0.76)])
    pen.part([(-0.09, y - 0.09), (0.17, y - 0.09), (0.17, y + 0.2), (-0.09, y + 0.2)])


def draw_dress(pen: Pen, garment: Garment) -> None:
    """Draw a dress: a fitted bodice, a waist seam, and a skirt that flares or follows the hips."""
    hem = HEMS[garment.length]
    flared = garment.silhouette == "flared"
    below = hem - 2.9
    wide = 0.62 + (0.30 * below if flared else 0.0)
    hips = (0.88, 3.7) if flared else (0.67, 3.7)
    low = (0.62 + 0.30 * 4.1, 7.0) if flared else (0.62, 7.0)
    knee = (0.62 + 0.30 * 2.6, 5.5) if flared else (0.62, 5.5)
    sides = [(0.50, 2.88), hips, knee, low]
    _draw_back(pen, garment.neckline)
    draw_sleeves(pen, garment.sleeve, 0.03 + (0.06 if garment.sleeve == "short" else 0))
    bare = garment.sleeve == "sleeveless"
    _draw_body(pen, _body_half(garment.neckline, hem, 0.0, sides, bare))
    pen.line(bezier((-0.5, 2.9), (-0.2, 2.97), (0.2, 2.97), (0.5, 2.9)), width=0.03)
    rng = random.Random(garment.jitter)
    for share in (-0.75, -0.38, 0.05, 0.42, 0.78) if flared else (-0.5, 0.5):
        bend = rng.uniform(-0.05, 0.05)
        pen.fold(
            [(share * 0.46, 3.0), (share * 0.75 + bend, (hem + 3) / 2), (share * wide, hem + 0.04)],
            80 if flared else 45,
        )
    for sign in (-1, 1):
        pen.line([(sign * 0.28, 2.4), (sign * 0.25, 2.88)])
    if garment.neckline != "v-neck":
        _neck_rib(pen, garment.neckline, 0.04)
    _hem_line(pen, sides, hem, 0.1)
