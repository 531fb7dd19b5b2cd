"""Catalogues, pictures and outfits: from files to items, with a report of what was left out."""
