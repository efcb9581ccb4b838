"""Sharing models: a folder or a repository of Hugging Face, with the files of a model in it.

Weights are safetensors and the rest is JSON: what is opened from elsewhere is read and checked,
and none of it is executed.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from softmachine.core.errors import SoftmachineError
from softmachine.zoo.models import ZooModel, names, open_model
from softmachine.zoo.publish import write_model

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
"""A repository of Hugging Face: its owner and its name."""
KEPT = ("*.json", "*.safetensors")
"""What a model is read from."""


def from_pretrained(
    source: str | Path,
    name: str | None = None,
    *,
    revision: str | None = None,
    endpoint: str | None = None,
) -> ZooModel:
    """Return a model from a folder, or from a repository of Hugging Face.

    Arguments:
        source: a folder, or ``owner/name``. A folder of that name comes first.
        name: which model, where there are several.
        revision: branch, tag or commit of a repository.
        endpoint: address of the hub, huggingface.co by default.

    Raises:
        SoftmachineError: there is nothing of that name, it holds no model or several, it
            cannot be fetched, or the package huggingface_hub is not installed.
        CheckpointError: its weights are missing, damaged, or do not match its card.
    """
    directory = Path(source)
    if not directory.is_dir():
        directory = _fetched(str(source), revision, endpoint)
    if name is None:
        found = names(directory)
        if len(found) != 1:
            what = f"several models, {', '.join(found)}: name one" if found else "no model"
            raise SoftmachineError(f"{source} holds {what}")
        name = found[0]
    return open_model(name, directory)


def push(
    model: ZooModel,
    target: str | Path,
    *,
    private: bool | None = None,
    endpoint: str | None = None,
) -> str:
    """Write a model to a folder, or upload it to a repository of Hugging Face.

    Its card becomes the README of the repository, which is made if there is none.

    Arguments:
        model: what `open_model` or `from_pretrained` returns; ``softmachine publish RUN
            --directory FOLDER`` makes one of a run.
        target: a folder, which may not exist yet, as a Path or with a ``/`` in front, a ``.``
            or a ``~``; any other ``owner/name`` is a repository.
        private: whether only its owner shall see it, if the repository is new.
        endpoint: address of the hub, huggingface.co by default.

    Returns:
        Where it is: the folder, or the address of the commit.

    Raises:
        SoftmachineError: the target is neither, cannot be written, or the package
            huggingface_hub is not installed.
    """
    if isinstance(target, Path) or target.startswith(("/", ".", "~")):
        directory = Path(target).expanduser()
        _written(model, directory)
        return str(directory)
    if not REPOSITORY.fullmatch(target):
        raise SoftmachineError(
            f"{target!r} is neither a folder, such as ./{target}, nor a repository, owner/name"
        )
    hub = _hub()
    with tempfile.TemporaryDirectory(prefix="softmachine-push-") as temporary:
        directory = Path(temporary)
        _written(model, directory)
        card = (directory / f"{model.name}.md").read_text(encoding="utf-8")
        (directory / "README.md").write_text(_FRONT + card, encoding="utf-8")
        with _understood(hub, target):
            api = hub.HfApi(endpoint=endpoint, library_name="softmachine")
            api.create_repo(target, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=target,
                folder_path=directory,
                commit_message=f"{model.name}, by softmachine",
            )
    return str(commit.commit_url)


_FRONT = """\
---
library_name: softmachine
license: mit
tags: [softmachine, jax, memory, algorithmic-reasoning]
---

"""
"""What a card has in front on Hugging Face."""


def _written(model: ZooModel, directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_model(directory, model)
    except OSError as error:
        raise SoftmachineError(f"cannot write to {directory}: {error.strerror}") from error


def _fetched(source: str, revision: str | None, endpoint: str | None) -> Path:
    """Return where the files of a repository are, fetched if they were not."""
    if not REPOSITORY.fullmatch(source):
        raise SoftmachineError(f"{source} is no folder, and no repository, owner/name")
    hub = _hub()
    with _understood(hub, source):
        return Path(
            hub.snapshot_download(
                source,
                revision=revision,
                endpoint=endpoint,
                allow_patterns=list(KEPT),
                library_name="softmachine",
            )
        )


def _hub() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError:
        raise SoftmachineError(
            "repositories of Hugging Face need the package huggingface_hub, which is not "
            "installed: pip install 'softmachine[hub]'"
        ) from None


@contextlib.contextmanager
def _understood(hub: Any, repository: str) -> Iterator[None]:
    """Tell in a line what a hub has refused."""
    errors = importlib.import_module(f"{hub.__name__}.errors")
    refusals = (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError)
    try:
        yield
    except refusals as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise SoftmachineError(f"{repository} on the hub: {said}") from error
