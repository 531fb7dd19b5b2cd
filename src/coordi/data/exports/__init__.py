"""Exports of known shop systems, recognised by their columns, as one record an item."""

from coordi.data.exports.recognition import ExportTable, as_export

__all__ = ["ExportTable", "as_export"]
