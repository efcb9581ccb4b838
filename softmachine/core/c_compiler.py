"""Which C compiler this computer has, if any."""

from __future__ import annotations

import os
import shlex
import shutil


def c_compiler() -> tuple[str, ...] | None:
    """Return the command of the first C compiler there is of ``$CC``, cc, gcc, clang.

    ``$CC`` may have options, as in ``gcc -m64``: what is returned is a program and its first
    arguments. None if there is no compiler.
    """
    for command in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        words = (command,) if shutil.which(command) else _words(command)
        if words and shutil.which(words[0]):
            return words
    return None


def _words(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError:  # a quotation mark without another
        return ()
