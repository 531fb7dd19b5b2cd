"""Silhouettes of what hangs from the waist: trousers, jeans, shorts and skirts."""

import random

import numpy as np

from coordi.drawn.canvas import Pen, Point, bezier, mirrored, smooth
from coordi.drawn.garments import Garment
from coordi.drawn.palette import RGB, blend, luminance

WAIST = 2.72
LEG_HEMS = {"full-length": 7.15, "cropped": 6.25, "short": 4.45, "knee-length": 5.45}
SKIRT_HEMS = {"mini": 4.40, "knee-length": 5.50, "maxi": 6.95}

_LEG_WIDTHS = {  # half widths at thigh, knee and ankle; the ankle's distance from the centre
    "slim": (0.32, 0.19, 0.135, 0.36),
    "straight": (0.34, 0.26, 0.235, 0.40),
    "regular": (0.36, 0.33, 0.32, 0.42),
    "wide-leg": (0.36, 0.40, 0.47, 0.55),
    "loose": (0.40, 0.46, 0.50, 0.52),
}
_CIRCLE = [(float(np.cos(a)), float(np.sin(a))) for a in np.linspace(0, 2 * np.pi, 24)]
_PALE = (243, 244, 246)
_TAN = (214, 148, 72)
_COPPER = (186, 116, 66)


def _leg_half(silhouette: str, hem: float) -> list[Point]:
    """Right half of a pair of trousers, from the centre of the waist to the crotch."""
    thigh, knee, ankle, out = _LEG_WIDTHS[silhouette]
    ys = (4.1, 5.5, 7.15)
    top = 0.34 if hem > 5.6 else 0.41  # the legs of shorts stand apart
    axis = np.interp(hem, ys, (top, 0.36 + (out - 0.36) * 0.5, out))
    width = np.interp(hem, ys, (thigh, knee, ankle))
    outer = [(0.50, WAIST), (0.66, 3.55), (0.34 + thigh, 4.1)]
    inner = [(0.34 - thigh + 0.02, 4.25), (0.02, 4.05)]
    if hem > 5.6:
        middle = 0.36 + (out - 0.36) * 0.5
        outer.append((middle + knee, 5.5))
        inner.insert(0, (middle - knee, 5.5))
    outer.append((float(axis + width), hem))
    foot = bezier(
        (float(axis + width), hem),
        (float(axis + width / 2), hem + 0.05),
        (float(axis - width / 2), hem + 0.05),
        (float(axis - width), hem),
    )
    right = [(float(axis - width), hem), *inner]
    return [(0, WAIST + 0.06), *smooth(outer), *foot, *smooth(right), (0, 4.05)]


def _draw_legs(pen: Pen, garment: Garment, hem: float, *, back: bool = True) -> None:
    if back and not pen.worn:
        pen.part(
            [(-0.49, WAIST), (0.49, WAIST), (0.49, WAIST + 0.12), (-0.49, WAIST + 0.12)],
            pen.cloth.inside,
        )
    half = _leg_half(garment.silhouette, hem)
    pen.part([*half, *mirrored(half)])
    pen.fold([(0, 4.05), (0.03, 4.4)], 90)
    rng = random.Random(garment.jitter)
    for sign in (-1, 1):
        pen.fold([(0, 3.95), (sign * 0.22, 3.85 + rng.uniform(-0.1, 0.1))], 60)
        if hem > 5.6:
            y = 5.45 + rng.uniform(-0.1, 0.1)
            pen.fold([(sign * 0.22, y), (sign * 0.42, y + 0.1)], 55)
            pen.fold([(sign * 0.5, y + 0.2), (sign * 0.34, y + 0.28)], 45)


def _waistband(pen: Pen, depth: float = 0.17, *, loops: bool = True) -> None:
    top = bezier((-0.50, WAIST), (-0.2, WAIST + 0.08), (0.2, WAIST + 0.08), (0.50, WAIST))
    low = bezier(
        (0.53, WAIST + depth),
        (0.2, WAIST + depth + 0.08),
        (-0.2, WAIST + depth + 0.08),
        (-0.53, WAIST + depth),
    )
    pen.part([*top, *low])
    for x in (-0.34, 0.34) if loops else ():
        pen.part(
            [
                (x - 0.03, WAIST + 0.01),
                (x + 0.03, WAIST + 0.01),
                (x + 0.03, WAIST + depth + 0.1),
                (x - 0.03, WAIST + depth + 0.1),
            ]
        )


def _fly(pen: Pen, color: RGB | None = None) -> None:
    pen.line([(0, WAIST + 0.2), (0, 4.05)])
    pen.line(
        [(0.12, WAIST + 0.22), *bezier((0.12, 3.35), (0.12, 3.6), (0.06, 3.7), (0, 3.74))], color
    )


def draw_trousers(pen: Pen, garment: Garment) -> None:
    """Draw tailored trousers: creases, slanted pockets, a waistband with a hook."""
    hem = LEG_HEMS[garment.length]
    _draw_legs(pen, garment, hem)
    out = _LEG_WIDTHS[garment.silhouette][3]
    for sign in (-1, 1):
        pen.line(
            [
                (sign * 0.30, 3.0),
                (sign * 0.35, 4.3),
                (sign * np.interp(hem, (5.5, 7.15), (0.37, out)), hem),
            ],
            width=0.02,
        )
        pen.line([(sign * 0.42, WAIST + 0.2), (sign * 0.60, 3.5)], width=0.026)
    _fly(pen)
    _waistband(pen)
    pen.disc(0.05, WAIST + 0.15, 0.032, blend(pen.cloth.color, pen.cloth.line, 0.6))


def draw_jeans(pen: Pen, garment: Garment) -> None:
    """Draw jeans: five pockets, contrast stitching, rivets, faded thighs."""
    hem = LEG_HEMS[garment.length]
    _draw_legs(pen, garment, hem)
    thread = _TAN if luminance(pen.cloth.color) < 225 else (198, 160, 110)
    axis = float(np.interp(hem, (5.5, 7.15), (0.38, _LEG_WIDTHS[garment.silhouette][3])))
    wide = float(np.interp(hem, (5.5, 7.15), _LEG_WIDTHS[garment.silhouette][1:3]))
    for side in (pen, pen.at(0, 0, 1, flip=True)):
        _fade(side, garment.silhouette)
        side.stitches(bezier((0.22, WAIST + 0.22), (0.24, 3.2), (0.42, 3.34), (0.60, 3.26)), thread)
        side.line(bezier((0.20, WAIST + 0.22), (0.22, 3.24), (0.42, 3.38), (0.62, 3.30)))
        side.disc(0.23, WAIST + 0.26, 0.024, _COPPER)
        side.disc(0.585, 3.24, 0.024, _COPPER)
        _turn_up(side, axis, wide + 0.03, hem, thread)
        side.stitches([(0.02, 4.0), (axis - wide + 0.03, 5.0)], thread)
    _fly(pen, thread)
    _waistband(pen)
    pen.stitches([(-0.5, WAIST + 0.05), (0, WAIST + 0.11), (0.5, WAIST + 0.05)], thread)
    pen.stitches([(-0.52, WAIST + 0.14), (0, WAIST + 0.21), (0.52, WAIST + 0.14)], thread)
    pen.disc(0, WAIST + 0.15, 0.05, _COPPER)


def _washed(color: RGB) -> RGB:
    """Colour of denim where it is worn, or on its inner side."""
    return (
        blend(color, (150, 160, 176), 0.4) if luminance(color) > 225 else blend(color, _PALE, 0.5)
    )


def _fade(pen: Pen, silhouette: str) -> None:
    """Wash the front of a thigh out, as wear does to denim."""
    wide = _LEG_WIDTHS[silhouette][1] * 0.62
    for step in range(1, 9):
        size = 1 - step / 9
        oval = [(0.37 + wide * size * x, 4.75 + 0.95 * size * y) for x, y in _CIRCLE]
        pen.dye(oval, blend(pen.cloth.color, _washed(pen.cloth.color), step / 9))


def _turn_up(pen: Pen, axis: float, wide: float, hem: float, thread: RGB) -> None:
    left, right = axis - wide, axis + wide
    low = bezier((right, hem), (axis, hem + 0.05), (axis, hem + 0.05), (left, hem))
    pen.part([(left, hem - 0.24), (right, hem - 0.24), *low], _washed(pen.cloth.color))
    pen.stitches([(left, hem - 0.18), (right, hem - 0.18)], thread)


def draw_shorts(pen: Pen, garment: Garment) -> None:
    """Draw shorts: an elastic waist with a drawstring, turned-up hems."""
    hem = LEG_HEMS[garment.length]
    _draw_legs(pen, garment, hem)
    thigh, knee = _LEG_WIDTHS[garment.silhouette][:2]
    wide = float(np.interp(hem - 0.16, (4.1, 5.5), (thigh, knee)))
    for side in (pen, pen.at(0, 0, 1, flip=True)):
        side.line(
            [(0.35 - wide, hem - 0.16), (0.35, hem - 0.11), (0.35 + wide, hem - 0.16)], width=0.026
        )
        side.line([(0.44, WAIST + 0.2), (0.58, 3.4)], width=0.026)
    pen.line([(0, WAIST + 0.2), (0, 4.05)])
    _waistband(pen, 0.22, loops=False)
    for x in np.linspace(-0.46, 0.46, 19):
        pen.line([(x, WAIST + 0.05), (x * 1.04, WAIST + 0.24)], width=0.012)
    cord = (246, 244, 238) if luminance(pen.cloth.color) < 190 else (110, 104, 98)
    for x in (-0.1, 0.12):
        pen.line([(0, WAIST + 0.2), (x, WAIST + 0.66)], cord, 0.034)


def _skirt_half(silhouette: str, hem: float) -> list[Point]:
    length = hem - WAIST
    flare = {"a-line": 0.62 + 0.26 * length, "pencil": 0.60, "pleated": 0.66 + 0.20 * length}
    end = flare[silhouette]
    hip = (0.66, 3.5) if silhouette == "pencil" else (0.5 + (end - 0.5) * 0.82 / length, 3.5)
    side = smooth(
        [(0.50, WAIST), hip, (hip[0] + (end - hip[0]) * 0.5, (hem + 3.5) / 2), (end, hem)]
    )
    foot = bezier((end, hem), (end * 0.6, hem + 0.12), (0.3, hem + 0.14), (0, hem + 0.14))
    return [(0, WAIST + 0.06), *side, *foot]


def draw_skirt(pen: Pen, garment: Garment) -> None:
    """Draw a skirt: A-line with soft folds, pencil with a slit, or knife pleats."""
    hem = SKIRT_HEMS[garment.length]
    half = _skirt_half(garment.silhouette, hem)
    if not pen.worn:
        pen.part(
            [(-0.49, WAIST), (0.49, WAIST), (0.49, WAIST + 0.12), (-0.49, WAIST + 0.12)],
            pen.cloth.inside,
        )
    pen.part([*half, *mirrored(half)])
    end = max(x for x, _ in half)
    rng = random.Random(garment.jitter)
    if garment.silhouette == "pleated":
        _pleats(pen, hem, end)
    elif garment.silhouette == "a-line":
        for share in (-0.7, -0.3, 0.1, 0.5, 0.8):
            share += rng.uniform(-0.06, 0.06)
            pen.fold(
                [(share * 0.5, 3.0), (share * end * 0.8, (hem + 3) / 2), (share * end, hem)], 80
            )
    else:
        _pencil_seams(pen, hem)
    _waistband(pen, 0.15, loops=False)
    pen.disc(0.40, WAIST + 0.10, 0.03, blend(pen.cloth.color, pen.cloth.line, 0.7))


def _pleats(pen: Pen, hem: float, end: float) -> None:
    for share in np.linspace(-0.9, 0.9, 13):
        foot = (share * end, hem + 0.14 * (1 - share**2))
        pen.line([(share * 0.5, WAIST + 0.15), foot], width=0.022)
        pen.fold([(share * 0.5 + 0.02, WAIST + 0.2), (foot[0] + 0.05, foot[1])], 95, 0.05)


def _pencil_seams(pen: Pen, hem: float) -> None:
    for sign in (-1, 1):
        pen.line([(sign * 0.26, WAIST + 0.15), (sign * 0.29, 3.3)])
        pen.fold([(sign * 0.45, 3.6), (sign * 0.40, hem)], 45)
    slit = hem - 0.45
    pen.line([(0.2, slit), (0.18, hem + 0.1)], width=0.03)
    pen.fold([(0.2, slit), (0.2, hem + 0.1)], 90)
