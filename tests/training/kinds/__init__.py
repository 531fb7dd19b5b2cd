"""Materials and systems of other kinds than photos, as small as can be: each is one file more.

They stand for the wings that are to come: outfits, edits, views without labels, choices.
"""
