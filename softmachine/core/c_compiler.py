"""Which C compiler this computer has, if any."""

from __future__ import annotations

import os
import shutil


def c_compiler() -> str | None:
    """Return the first C compiler on the path of ``$CC``, cc, gcc, clang; None if none is."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return name
    return None
