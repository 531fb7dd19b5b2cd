"""Street2Fashion2Shop: Studio2Shop on street photos whose background was taken away.

Lasserre, Bracher and Vollgraf, "Street2Fashion2Shop: enabling visual search in fashion
e-commerce using studio images", 2018 (DOI 10.1007/978-3-030-05499-1_1), in two steps. Step one,
Street2Fashion, segments the person and puts white behind: here that is the collection's work,
whose photos name a mask each (`pairs_map: {mask: …}`), made by any garment finder or parser; what
a mask numbers 0 becomes white before features are computed. Step two, Fashion2Shop, is the network
of Studio2Shop, trained on photos that step one made, so that both agree. Photos that are searched
with have to pass step one as well: a query with its background still behind it is another thing.
The articles' vectors, which the abstract credits with the gain, are the encoder's here.
"""

from typing import ClassVar

from coordi.models.retrieval.studio2shop import Studio2Shop, Studio2ShopSettings
from coordi.models.system import SystemSettings


class Street2Fashion2ShopSettings(Studio2ShopSettings):
    """Fields of `model` in a recipe."""


class Street2Fashion2Shop(Studio2Shop):
    """Features of a query before white and of an article → logit that they are one garment."""

    Settings: ClassVar[type[SystemSettings]] = Street2Fashion2ShopSettings
    before_white = True
