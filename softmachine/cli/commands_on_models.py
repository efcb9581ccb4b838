"""The commands that cite, publish and share; what each one does is imported when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from softmachine.cli.command import command
from softmachine.cli.commands import Directory


@command
def cite(run: Positional[Annotated[str, arg(metavar="RUN|zoo:NAME|RECIPE")]], /) -> None:
    """Print BibTeX of what a run used: this package, its machine, its task.

    Args:
        run: directory of a run or a population, zoo:NAME, or the name of a recipe.
    """
    from softmachine.cli.citing import print_citations

    print_citations(run)


@command
def publish(
    run: Positional[Directory],
    /,
    name: str | None = None,
    directory: str | None = None,
) -> None:
    """Put the best machine of a run or a population into the zoo, with a model card.

    Args:
        run: directory of a run or a population.
        name: name of the model, that of the recipe by default.
        directory: where to write, the package's own zoo by default.
    """
    from softmachine.cli.publishing import publish_run

    publish_run(run, name, None if directory is None else Path(directory))


@command
def push(
    model: Positional[Annotated[str, arg(metavar="FOLDER|zoo:NAME")]],
    target: Positional[Annotated[str, arg(metavar="OWNER/NAME|FOLDER")]],
    /,
    name: str | None = None,
    private: bool = False,
) -> None:
    """Upload a model to Hugging Face, or copy it to a folder; hf:OWNER/NAME then names it.

    Args:
        model: a folder that softmachine publish has written to, or zoo:NAME.
        target: a repository, made if there is none, or a folder, such as ./models.
        name: which model of a folder with several.
        private: if the repository is new, let only its owner see it.
    """
    from softmachine.cli.publishing import push_model

    push_model(model, target, name, private)


@command
def onnx(
    run: Positional[Annotated[str, arg(metavar="RUN|zoo:NAME")]], /, out: str | None = None
) -> None:
    """Write one step of a machine as ONNX, compared with ONNX Runtime first (extra onnx).

    Args:
        run: directory of a run, or zoo:NAME.
        out: the file to write, step.onnx in the run, or NAME.onnx, by default.
    """
    from softmachine.cli.publishing import write_onnx

    write_onnx(run, None if out is None else Path(out))
