"""Lengths in smears that several rooms need."""

MICROMETRES = 7.4
"""Diameter of a red cell in a dried smear; the mean of published values is 7.2 to 7.6."""

CROP = 2.5
"""Diameters of a red cell; side of a crop where the config names none, 18.5 micrometres."""
