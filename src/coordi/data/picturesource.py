"""Where a catalogue's pictures come from: a column, ids, or nowhere; tried on its first rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coordi.data.columns import Column
from coordi.data.fieldtypes import plain, text
from coordi.data.guessing import picture_columns
from coordi.data.pictures import PictureFinder, find_pictures, has_address
from coordi.data.readers.table import Table

FROM_FILE_NAME = "(file name)"
FROM_ROW_NUMBER = "(row number)"
FROM_ID = "(files named after ids)"
"""What a mapping says where a role is taken from no column."""

TRIED = 20
"""Pictures of a column that are looked for to find out whether they are there at all."""


@dataclass(frozen=True, slots=True)
class PictureSource:
    """Where the pictures of a catalogue come from, tried on its first rows."""

    columns: Mapping[str, Column]
    pictures: tuple[str, ...]
    tables: tuple[Table, ...]
    images: Path | None
    fetches: bool = False
    """Whether pictures are fetched by address: no file of them need be there yet."""

    def resolves(self, column: str) -> bool:
        """Whether any of a column's first pictures is there, or will be fetched."""
        if self.fetches and any(map(has_address, self.columns[column].sample[:TRIED])):
            return True
        finder = PictureFinder(self.images)
        bases = list(dict.fromkeys(table.folder for table in self.tables))[:4]
        cells = self.columns[column].sample[:TRIED]
        return any(finder.find(cell, base).found for cell in cells for base in bases)

    def complete(self, roles: dict[str, str], given: Mapping[str, str]) -> dict[str, str]:
        """Say where id and image come from when no column gives them."""
        column = roles.get("image")
        if self.images is not None and "id" in roles:
            guessed = column is not None and self._is_named(column) and "image" not in given
            if column is None or (guessed and self._by_id(roles["id"], column)):
                roles = roles | {"image": FROM_ID}
        if "id" not in roles:
            named = "image" in roles and roles["image"] not in self.pictures
            roles = {"id": FROM_FILE_NAME if named else FROM_ROW_NUMBER} | roles
        return roles

    def _is_named(self, column: str) -> bool:
        return column in self.columns and column not in self.pictures

    def _by_id(self, ids: str, image: str) -> bool:
        """Whether pictures are named after ids, and none is where the image column says."""
        if self.resolves(image):
            return False
        finder = find_pictures(self.images, by_id=True)
        cells = self.columns[ids].sample[:TRIED]
        return any(finder.find_by_id(text(plain(cell))).found for cell in cells)

    def notes(
        self, roles: Mapping[str, str], given: Mapping[str, str], further: Sequence[str] = ()
    ) -> Iterator[str]:
        """What to say about the picture column that was chosen, or about there being none."""
        image = roles.get("image")
        if image is None:
            if "image" not in given:
                yield "no column looks like a picture: items go in by their words alone"
            return
        taken = {*roles.values(), *further}
        others = [c for c in picture_columns(self.columns) if c not in taken]
        if others and image != FROM_ID and "image" not in given:
            yield f"only {image} is read as the picture; {', '.join(others)} hold pictures too"
        if self._is_named(image) and self.columns[image].filled and not self.resolves(image):
            tried = min(TRIED, self.columns[image].filled)
            ways = "give the folder they are in with --images"
            if any(map(has_address, self.columns[image].sample[:TRIED])):
                ways = f"have the addresses fetched with --fetch, or {ways}"
            yield f"none of the first {tried} pictures of column {image} is there; {ways}"
