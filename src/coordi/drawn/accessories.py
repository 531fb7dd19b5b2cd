"""Silhouettes of shoes, bags, hats and scarves, each in units of its own.

A shoe is drawn from the side, toe to the right: heel at x = 0, toe at x = 1, sole at y = 0.
A bag or hat is about one unit wide around x = 0.
"""

import numpy as np

from coordi.drawn.canvas import Pen, Point, bezier, mirrored, smooth
from coordi.drawn.garments import Garment
from coordi.drawn.palette import RGB, blend, luminance

_RUBBER = (244, 243, 238)
_GOLD = (206, 168, 92)


def draw_sneaker(pen: Pen, garment: Garment) -> None:
    """Draw one sneaker: rubber sole, toe cap, laces, a side stripe."""
    high = garment.silhouette == "high-top"
    top = -0.66 if high else -0.40
    upper = [(0.02, -0.07), (0.0, -0.3), (0.03, top), (0.17, top - 0.01), (0.36, top + 0.05)]
    throat = [(0.42, -0.36), (0.62, -0.25)] if high else [(0.44, -0.34), (0.62, -0.24)]
    pen.part(smooth([*upper, *throat, (0.86, -0.19), (1.0, -0.13), (1.01, -0.06)]))
    toe = [
        *bezier((0.76, -0.06), (0.76, -0.14), (0.80, -0.2), (0.85, -0.195)),
        *bezier((0.9, -0.18), (0.98, -0.15), (1.0, -0.12), (1.01, -0.06)),
    ]
    pen.part(toe, _tip(pen))
    pen.part(
        smooth([(0.10, -0.09), (0.30, -0.12), (0.46, -0.22), (0.50, -0.17), (0.36, -0.08)]),
        _tip(pen),
    )
    pen.part(
        [
            (-0.01, -0.09),
            (1.02, -0.09),
            *bezier((1.02, -0.09), (1.06, -0.05), (1.04, 0.0), (0.98, 0.0)),
            (0.02, 0.0),
            (-0.02, -0.03),
        ],
        _RUBBER,
    )
    pen.line([(0.0, -0.045), (1.03, -0.045)], pen.cloth.color, 0.012)
    lace = (250, 250, 248) if luminance(pen.cloth.color) < 190 else (90, 92, 98)
    rows = 6 if high else 4
    for share in np.linspace(0, 1, rows):
        x, y = 0.64 - 0.25 * share, -0.235 + (top + 0.27) * share
        pen.line([(x - 0.08, y + 0.035), (x + 0.02, y - 0.01)], lace, 0.028)
    pen.line([(0.06, top + 0.02), (0.05, -0.1)])


def _tip(pen: Pen) -> RGB:
    light = luminance(pen.cloth.color) > 215
    return (214, 216, 220) if light else (246, 245, 241)


def draw_pump(pen: Pen, garment: Garment) -> None:
    """Draw one pump: a court shoe with a high, a low or hardly any heel."""
    lift = {"high-heel": 0.42, "low-heel": 0.20, "flat": 0.05}[garment.silhouette]
    dark = blend(pen.cloth.color, (20, 16, 16), 0.5)
    if garment.silhouette == "high-heel":
        pen.part(
            [
                (0.02, -lift - 0.05),
                (0.2, -lift),
                (0.10, -0.2),
                (0.085, 0.0),
                (0.045, 0.0),
                (0.05, -0.2),
            ],
            pen.cloth.color,
        )
    else:
        pen.part([(0.01, -lift - 0.02), (0.24, -lift), (0.19, 0), (0.04, 0)], dark)
    sole = smooth(
        [
            (0.02, -lift),
            (0.2, -lift + 0.0),
            (0.46, -0.06 - lift * 0.22),
            (0.66, -0.005),
            (0.98, 0.0),
        ]
    )
    mouth = smooth(
        [
            (1.02, -0.03),
            (0.93, -0.10),
            (0.74, -0.17),
            (0.64, -0.19),
            (0.52, -0.13 - lift * 0.28),
            (0.30, -0.14 - lift * 0.75),
            (0.14, -0.20 - lift),
            (0.03, -0.23 - lift),
            (-0.01, -0.12 - lift),
        ]
    )
    inner = smooth(
        [
            (0.66, -0.185),
            (0.56, -0.20 - lift * 0.12),
            (0.34, -0.20 - lift * 0.72),
            (0.06, -0.24 - lift),
            (0.2, -0.14 - lift),
            (0.5, -0.10 - lift * 0.25),
        ],
        closed=True,
    )
    pen.part(inner, (226, 202, 176))
    pen.part([*sole, *mouth])
    pen.line(sole, dark, 0.03)
    pen.disc(0.68, -0.17, 0.028, _GOLD)


def draw_boot(pen: Pen, garment: Garment) -> None:
    """Draw one boot, to the ankle or the knee, flat or with a block heel."""
    tall = garment.length == "knee-high"
    heel = 0.20 if garment.silhouette == "block-heel" else 0.06
    top = -1.62 if tall else -0.78
    wide = 0.50 if tall else 0.42
    dark = blend(pen.cloth.color, (18, 14, 14), 0.55)
    base = -heel
    pen.part([(0.0, base), (0.28, base), (0.26, 0), (0.02, 0)], dark)
    foot = smooth(
        [
            (0.42, base * 0.7 - 0.40),
            (0.60, -0.27 - heel * 0.35),
            (0.84, -0.22),
            (1.0, -0.13),
            (1.02, -0.04),
        ]
    )
    shaft = [
        (0.0, base - 0.02),
        (-0.01, base - 0.3),
        (-0.02 if tall else 0.0, (top + base) / 2 - 0.1),
        (-0.03, top),
    ]
    pen.part([*smooth(shaft), (wide, top + 0.03), *foot, (0.6, -0.01), (0.42, base * 0.4)])
    sole = smooth(
        [(0.0, base), (0.28, base), (0.5, -0.05 - heel * 0.2), (0.64, -0.01), (1.02, -0.01)]
    )
    pen.line(sole, dark, 0.055)
    pen.line([(-0.03, top + 0.07), (wide, top + 0.10)])
    pen.line([(0.2, base - 0.06), (0.2, top + 0.08)], width=0.02)
    for y in (0.42, 0.52):
        pen.fold([(0.36, base - y + 0.06), (0.2, base - y)], 75)
    pen.line(smooth([(0.02, base - 0.34), (0.24, base - 0.3), (0.42, base - 0.42)]), width=0.024)
    pen.part([(0.05, top - 0.06), (0.11, top - 0.06), (0.11, top + 0.1), (0.05, top + 0.1)])


def draw_bag(pen: Pen, garment: Garment) -> None:
    """Draw a tote, a shoulder bag with a flap and chain, or a backpack."""
    {"tote": _tote, "shoulder": _shoulder_bag, "backpack": _backpack}[garment.silhouette](pen)


def _handle(pen: Pen, path: list[Point], color: RGB, width: float) -> None:
    pen.line(path, pen.cloth.line_on(color), width + 0.025)
    pen.line(path, color, width)


def _tote(pen: Pen) -> None:
    strap = blend(pen.cloth.color, pen.cloth.line, 0.35)
    _handle(
        pen, bezier((-0.24, 0.0), (-0.2, -0.62), (0.2, -0.62), (0.24, 0.0)), pen.cloth.inside, 0.045
    )
    right = [(0.56, -0.02), (0.50, 0.86), (0.44, 0.92)]
    pen.part([*mirrored(right), *right][::-1])
    pen.line([(-0.55, 0.07), (0.55, 0.07)])
    _handle(pen, bezier((-0.27, 0.16), (-0.22, -0.5), (0.22, -0.5), (0.27, 0.16)), strap, 0.055)
    for x in (-0.27, 0.27):
        pen.part([(x - 0.05, 0.1), (x + 0.05, 0.1), (x + 0.05, 0.28), (x - 0.05, 0.28)], strap)
        pen.disc(x, 0.2, 0.018, _GOLD)
    pen.fold([(-0.4, 0.2), (-0.34, 0.6)], 50)
    pen.fold([(0.42, 0.3), (0.36, 0.8)], 50)


def _shoulder_bag(pen: Pen) -> None:
    strap = bezier((-0.52, 0.06), (-0.42, -0.85), (0.42, -0.85), (0.52, 0.06))
    _handle(pen, strap, blend(pen.cloth.color, pen.cloth.line, 0.25), 0.035)
    pen.part(
        smooth(
            [
                (0.58, 0.0),
                (0.60, 0.5),
                (0.46, 0.72),
                (-0.46, 0.72),
                (-0.60, 0.5),
                (-0.58, 0.0),
                (0.0, -0.04),
            ],
            closed=True,
        )
    )
    pen.part(
        [
            *bezier((-0.60, 0.02), (-0.5, -0.1), (0.5, -0.1), (0.60, 0.02)),
            *bezier((0.61, 0.12), (0.5, 0.42), (0.3, 0.46), (0, 0.46)),
            *bezier((0, 0.46), (-0.3, 0.46), (-0.5, 0.42), (-0.61, 0.12)),
        ]
    )
    pen.disc(0, 0.42, 0.075, _GOLD)
    pen.disc(0, 0.42, 0.035, (150, 116, 52))
    for x in (-0.52, 0.52):
        pen.disc(x, 0.05, 0.04, _GOLD)


def _backpack(pen: Pen) -> None:
    dark = blend(pen.cloth.color, pen.cloth.line, 0.4)
    for sign in (-1, 1):
        strap = bezier(
            (sign * 0.34, 0.1), (sign * 0.72, 0.2), (sign * 0.72, 0.8), (sign * 0.46, 0.98)
        )
        _handle(pen, strap, dark, 0.07)
    _handle(pen, bezier((-0.12, -0.12), (-0.1, -0.3), (0.1, -0.3), (0.12, -0.12)), dark, 0.05)
    half = [(0.0, -0.16), (0.3, -0.12), (0.47, 0.12), (0.50, 0.6), (0.47, 1.02), (0.0, 1.06)]
    pen.part(smooth([*half, *mirrored(half)[1:-1]], closed=True))
    pen.line(
        bezier((-0.45, 0.36), (-0.38, -0.12), (0.38, -0.12), (0.45, 0.36)), (90, 90, 94), 0.035
    )
    pocket = [(0.0, 0.48), (0.32, 0.48), (0.36, 0.56), (0.35, 0.94), (0.0, 0.97)]
    pen.part(smooth([*pocket, *mirrored(pocket)[1:-1]], closed=True))
    pen.line([(-0.33, 0.58), (0.33, 0.58)], (90, 90, 94), 0.03)
    pen.line([(0.22, 0.58), (0.22, 0.68)], _GOLD, 0.04)


def draw_hat(pen: Pen, garment: Garment) -> None:
    """Draw a baseball cap, a beanie or a wide-brimmed hat; the head's top edge is at y = 0."""
    {"cap": _cap, "beanie": _beanie, "wide-brim": _brim_hat}[garment.silhouette](pen)


def _cap(pen: Pen) -> None:
    crown = bezier((-0.48, 0.42), (-0.52, -0.28), (0.44, -0.32), (0.46, 0.36))
    pen.part([*crown, *bezier((0.46, 0.36), (0.2, 0.46), (-0.2, 0.48), (-0.48, 0.42))])
    pen.line(bezier((-0.02, -0.1), (0.18, 0.0), (0.24, 0.2), (0.24, 0.41)))
    pen.line(bezier((-0.02, -0.1), (-0.24, 0.0), (-0.28, 0.2), (-0.28, 0.45)))
    pen.part(
        [
            *bezier((-0.02, 0.42), (0.3, 0.26), (0.7, 0.26), (0.92, 0.44)),
            *bezier((0.92, 0.5), (0.7, 0.44), (0.3, 0.46), (-0.02, 0.50)),
        ]
    )
    pen.stitches(bezier((0.08, 0.42), (0.3, 0.33), (0.66, 0.33), (0.84, 0.43)))
    pen.disc(-0.02, -0.11, 0.045, pen.cloth.color)


def _beanie(pen: Pen) -> None:
    pen.part([*bezier((-0.47, 0.28), (-0.50, -0.52), (0.50, -0.52), (0.47, 0.28))])
    for x in np.linspace(-0.8, 0.8, 7):
        pen.line(
            bezier((x * 0.08, -0.31), (x * 0.4, -0.25), (x * 0.56, 0.0), (x * 0.54, 0.26)),
            width=0.018,
        )
    pen.part(
        smooth(
            [(-0.50, 0.24), (0.0, 0.30), (0.50, 0.24), (0.50, 0.50), (0.0, 0.56), (-0.50, 0.50)],
            closed=True,
        ),
        blend(pen.cloth.color, pen.cloth.line, 0.2),
    )
    for x in np.linspace(-0.46, 0.46, 17):
        pen.line([(x, 0.27), (x, 0.53)], width=0.016)
    pen.disc(0, -0.36, 0.15, blend(pen.cloth.color, (255, 255, 255), 0.35))


def _brim_hat(pen: Pen) -> None:
    brim = [(0.0, 0.22), (0.6, 0.26), (0.95, 0.36), (0.6, 0.52), (0.0, 0.58)]
    pen.part(smooth([*brim, *mirrored(brim)[1:-1]], closed=True))
    pen.part(
        [
            *bezier((-0.44, 0.38), (-0.42, -0.1), (-0.36, -0.3), (-0.16, -0.30)),
            *bezier((-0.16, -0.30), (-0.06, -0.22), (0.06, -0.22), (0.16, -0.30)),
            *bezier((0.16, -0.30), (0.36, -0.3), (0.42, -0.1), (0.44, 0.38)),
            *bezier((0.44, 0.38), (0.2, 0.46), (-0.2, 0.46), (-0.44, 0.38)),
        ]
    )
    band = blend(pen.cloth.color, pen.cloth.line, 0.9)
    pen.part(
        [
            *bezier((-0.435, 0.20), (-0.2, 0.29), (0.2, 0.29), (0.435, 0.20)),
            *bezier((0.44, 0.38), (0.2, 0.46), (-0.2, 0.46), (-0.44, 0.38)),
        ],
        band,
    )
    pen.fold([(0, -0.22), (0.02, 0.1)], 70)


def draw_scarf(pen: Pen, garment: Garment) -> None:
    """Draw a scarf, wound once, with fringed ends; in body units."""
    low = 4.3 if garment.length == "long" else 3.0
    for x, lean, drop in ((-0.16, -0.10, 0.0), (0.14, 0.10, 0.3)):
        end = low - drop
        pen.part(
            [(x - 0.17, 1.45), (x + 0.17, 1.45), (x + 0.19 + lean, end), (x - 0.19 + lean, end)]
        )
        for share in np.linspace(-0.17, 0.17, 9):
            pen.line(
                [(x + share + lean, end), (x + share * 1.1 + lean, end + 0.2)],
                pen.cloth.color,
                0.026,
            )
            pen.line(
                [(x + share + lean + 0.015, end), (x + share * 1.1 + lean + 0.015, end + 0.2)],
                width=0.008,
            )
        pen.fold([(x, 1.7), (x + lean * 0.5, end - 0.3)], 70)
    loop = [(0.0, 1.14), (0.34, 1.06), (0.46, 1.26), (0.30, 1.58), (0.0, 1.70)]
    pen.part(smooth([*loop, *mirrored(loop)[1:-1]], closed=True), turn=0)
    if not pen.worn:
        hole = [(0.0, 1.17), (0.24, 1.14), (0.0, 1.26)]
        pen.part(smooth([*hole, *mirrored(hole)[1:-1]], closed=True), pen.cloth.inside)
    pen.fold([(-0.36, 1.25), (0.0, 1.46), (0.36, 1.28)], 80)
    pen.fold([(-0.3, 1.42), (0.0, 1.6), (0.32, 1.40)], 70)
