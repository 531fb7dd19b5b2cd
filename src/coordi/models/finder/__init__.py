"""The garment finder: a photo → the garments in it."""
