"""The drawn wardrobe: garments, outfits, street pictures and edits from a seed.

Every garment is known exactly (its kind, colour, pattern, sleeves, neckline, length and
silhouette), so that it is both a catalogue for a demo and the ground truth of tests.
"""

from coordi.drawn.edits import changed_attributes
from coordi.drawn.folder import write_wardrobe
from coordi.drawn.garments import KINDS, Garment
from coordi.drawn.outfits import goes_together
from coordi.drawn.packshot import draw_garment
from coordi.drawn.palette import COLORS
from coordi.drawn.street import draw_street
from coordi.drawn.wardrobe import Wardrobe, draw_wardrobe

__all__ = [
    "COLORS",
    "KINDS",
    "Garment",
    "Wardrobe",
    "changed_attributes",
    "draw_garment",
    "draw_street",
    "draw_wardrobe",
    "goes_together",
    "write_wardrobe",
]
