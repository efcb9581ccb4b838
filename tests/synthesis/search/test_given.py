"""A machine that a search has made is kept as a run: whole, or made anew."""

import json

import jax
import pytest

from softmachine.experiments.population import create_population, found_by_search
from softmachine.experiments.runs import Run
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.synthesis.experiment import synthesis
from softmachine.synthesis.search.given import NAME, Found, is_saved, load, save, variants
from softmachine.tasks.memories.given import Given

LINES = [json.dumps({"input": [i, 0], "output": [i + 1, 0], "size": 1}) for i in range(1, 10)]


@pytest.mark.parametrize("killed_in", ["create", "save_last", "save_best"])
def test_what_a_killed_process_has_begun_is_replaced(killed_in, tmp_path, monkeypatch):
    """A command that finds the rest of a run there would end with an error, each time."""
    (task,) = variants(Given(examples="\n".join(LINES)))
    config = NRAMConfig(registers=1, gates=("ZERO", "ONE", "READ", "WRITE", "INC"))
    machine = config.build(task.input_size, task.output_size, key=jax.random.key(0))
    found, path = Found(machine, task), tmp_path / NAME
    create_population(tmp_path, synthesis(task, config), 1)

    def killed(*_args):
        raise KeyboardInterrupt

    if killed_in == "create":
        path.mkdir()
        (path / ".creating").touch()
    with monkeypatch.context() as patch:
        patch.setattr(Run, killed_in, killed)
        with pytest.raises(KeyboardInterrupt):
            save(path, found, 0)
    assert not is_saved(path)
    assert found_by_search(tmp_path) is None

    run = save(path, found, 0)
    assert is_saved(path)
    assert run.load_progress().finished
    assert load(path, task).task == task
