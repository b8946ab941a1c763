"""Cells in photographs: where the crops of a data set come from, and which photographs overlap."""
