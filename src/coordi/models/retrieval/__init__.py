"""Street-to-shop and similarity systems, one file each, named as the field names them."""
