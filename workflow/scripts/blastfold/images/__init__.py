"""Pixels: decoding, cropping, resizing, the image store, stain and colour mathematics."""
