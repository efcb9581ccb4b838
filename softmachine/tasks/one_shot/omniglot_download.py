"""Fetching Omniglot's original files: each is the published one, or is not kept."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, NamedTuple

from softmachine.core.errors import ImagesError
from softmachine.core.files import replacing, sweep

ADDRESS = (
    "https://raw.githubusercontent.com/brendenlake/omniglot/"
    "057f034baf2ecb8530bc5710e5a23584d2a519cc"
)
"""The repository of Brenden Lake, as of February 2019."""
LICENCE = "MIT, Copyright (c) 2015 Brenden Lake"
CITATION = (
    "Lake, B. M., Salakhutdinov, R., and Tenenbaum, J. B. (2015). Human-level concept learning "
    "through probabilistic program induction. Science, 350(6266), 1332-1338."
)
TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as gone."""
CHUNK = 1 << 16


class Original(NamedTuple):
    """A file as it was published."""

    path: str
    """From the address on."""
    size: int
    """Bytes."""
    sha256: str

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.rpartition("/")[2]


TERMS = Original(
    "LICENSE", 1_080, "2efb425d9850e7bce985f151dc2ee1f4485e926a3582e08fd879cd28eb0388f5"
)
RUNS = Original(
    "python/one-shot-classification/all_runs.zip",
    352_787,
    "437c1eeab0af8484112e1b4cc0f3d541ec727f7c47b9b202da738af9dfd6c325",
)
WHOLE = (
    TERMS,
    Original(
        "python/images_background.zip",
        9_464_212,
        "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
    ),
    Original(
        "python/images_evaluation.zip",
        6_462_886,
        "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
    ),
    RUNS,
)
"""All 1,623 characters, and the 20 runs. The sums of the two large files are those that
TensorFlow Datasets publishes (url_checksums/omniglot.txt)."""
SMALL = (
    TERMS,
    Original(
        "python/images_background_small1.zip",
        1_319_022,
        "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    ),
    Original(
        "python/images_background_small2.zip",
        1_580_917,
        "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
    ),
    RUNS,
)
"""The two small background sets, 242 characters, and the 20 runs."""


def fetch(original: Original, directory: Path, address: str = ADDRESS) -> bool:
    """Fetch a file into a directory, which is made; return False if it was there already.

    The file appears there only when it is complete and its SHA-256 is right.

    Arguments:
        original: the file.
        directory: where to put it.
        address: where it is published, or a copy of that place.

    Raises ImagesError if it cannot be fetched or written, or if it is another file.
    """
    if not address.startswith(("https://", "http://")):
        raise ImagesError(f"{address} is no address: it should begin with https:// or http://")
    target = directory / original.name
    try:
        if target.exists():
            _check_what_is_there(target, original)
            return False
        source = f"{address.rstrip('/')}/{original.path}"
        with _opened(source) as response:
            directory.mkdir(parents=True, exist_ok=True)
            sweep(directory)
            with replacing(target) as temporary, open(temporary, "wb") as file:
                _receive(response, source, original, file)
    except OSError as error:
        raise ImagesError(f"{target} cannot be written: {error.strerror or error}") from None
    return True


def _check_what_is_there(target: Path, original: Original) -> None:
    with open(target, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != original.sha256:
        raise ImagesError(
            f"{target} is there, but is not the published file; move it away to fetch that"
        )


def _opened(source: str) -> http.client.HTTPResponse:
    try:
        request = urllib.request.Request(source, headers={"User-Agent": "softmachine"})
        return urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        raise ImagesError(
            f"{source} cannot be fetched: the server says {error.code} {error.reason}"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ImagesError(f"{source} cannot be reached: {reason}") from None


def _receive(
    response: http.client.HTTPResponse, source: str, original: Original, file: IO[bytes]
) -> None:
    """Write what a server sends to a file; raise ImagesError if it is not the original."""
    received, digest = 0, hashlib.sha256()
    while received <= original.size:  # a wrong file may be endless
        try:
            data = response.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise ImagesError(
                f"{source} broke off after {received:,} of {original.size:,} bytes ({error}); "
                "the same command begins this file again"
            ) from None
        if not data:
            break
        received += len(data)
        digest.update(data)
        file.write(data)
    if received < original.size:
        raise ImagesError(
            f"{source} broke off after {received:,} of {original.size:,} bytes; the same "
            "command begins this file again"
        )
    if digest.hexdigest() != original.sha256:
        raise ImagesError(f"{source} is not the published file: its SHA-256 differs")
