"""Exported networks applied to photographs: cells found, classified, counted by subject."""
