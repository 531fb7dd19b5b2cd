"""Tags of garments from their vectors: linear probes, their file, and tags by words alone."""
