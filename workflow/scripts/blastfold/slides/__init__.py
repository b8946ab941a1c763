"""Slides: reading them, laying a grid of tiles, finding tissue, cutting and storing tiles."""
