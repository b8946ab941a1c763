"""Shuts the packages of Snakemake's own environment out of a rule's script.

Snakemake appends its own module path to that of every script, because the script begins by
loading the object `snakemake`. A package that a rule's environment lacks would so be found in
Snakemake's installation, on the one machine where that happens to have it. The stand-in conda
loads this module in each environment. It acts when the script turns to the library, which is when
Snakemake's own part is over.
"""

import importlib.machinery
import sys
from pathlib import Path


class ForgetHost:
    """Finds nothing; takes the first import of the library as the sign to forget the host."""

    def find_spec(self, name, path=None, target=None):
        """Answer Python's question where a module is: leave it to the others."""
        if name == "blastfold":
            sys.meta_path.remove(self)
            sys.path[:] = [entry for entry in sys.path if not belongs_to_host(entry)]
            forget_modules()


def belongs_to_host(path) -> bool:
    """Return whether a path lies among the installed packages of another environment."""
    return "site-packages" in Path(path).parts and not Path(path).is_relative_to(sys.prefix)


def forget_modules():
    """Drop the host's modules that are loaded already, unless the environment has them too."""
    for name, module in list(sys.modules.items()):
        package = name.partition(".")[0]
        file = getattr(module, "__file__", None)
        if (
            file is not None
            and belongs_to_host(file)
            and not package.startswith("snakemake")
            and importlib.machinery.PathFinder.find_spec(package) is None
        ):
            del sys.modules[name]


sys.meta_path.insert(0, ForgetHost())
