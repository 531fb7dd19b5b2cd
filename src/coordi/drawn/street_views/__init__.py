"""Street views made from packshots: the garment cut out, bent, lit, partly covered, in a street.

Nobody has street photos of a shop's own garments before customers send some. A view made from
the packshot is no street photo, yet it takes from the packshot what a street takes: its ground,
the shop domain is that of synthetic training data at large, no paper is followed.
"""

from coordi.drawn.street_views.backdrops import Backdrop, Backdrops, DrawnBackdrops, StreetBackdrops
from coordi.drawn.street_views.cutout import cut_out
from coordi.drawn.street_views.render import render_views
from coordi.drawn.street_views.view import paste_view, street_view

__all__ = [
    "Backdrop",
    "Backdrops",
    "DrawnBackdrops",
    "StreetBackdrops",
    "cut_out",
    "paste_view",
    "render_views",
    "street_view",
]
