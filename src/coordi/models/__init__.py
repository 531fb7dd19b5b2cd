"""Models: encoders (pictures and words → unit rows) and the systems built on them."""
