"""Machines, tasks and recipes that another installed package brings, without an edit here."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from softmachine.cli.main import main
from softmachine.core.errors import SoftmachineError
from softmachine.experiments.runs import Run

PROJECT = """
[project]
name = "elman"
version = "1.0"

[project.entry-points."softmachine.machines"]
elman = "elman:ElmanConfig"

[project.entry-points."softmachine.tasks"]
late-echo = "elman:LateEcho"

[project.entry-points."softmachine.recipes"]
elman-echo = "elman:elman_echo"
elman-broken = "elman:elman_broken"
"""
MODULE = '''
import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp

import softmachine as sm
from softmachine.experiments import SolvedConfig, Uniform
from softmachine.machines import Cell, Linear, LoopLinear, MachineConfig, glorot
from softmachine.tasks import Bits, Example, SequenceTask, Stream


@dataclasses.dataclass(frozen=True, kw_only=True)
class ElmanTestOptions:
    damping: float = 1.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ElmanConfig(MachineConfig):
    hidden: int = 8
    damping: float = 1.0

    @property
    def test_options(self):
        return ElmanTestOptions(damping=self.damping)

    def build(self, input_size, output_size, *, key):
        a, b, c = jax.random.split(key, 3)
        return Elman(
            Linear(glorot(input_size, self.hidden, key=a), jnp.zeros(self.hidden)),
            LoopLinear(glorot(self.hidden, self.hidden, key=b), None),
            Linear(glorot(self.hidden, output_size, key=c), jnp.zeros(output_size)),
            self,
        )


class Elman(Cell):
    from_input: Linear
    recurrent: LoopLinear
    output: Linear
    config: ElmanConfig = eqx.field(static=True)

    @property
    def test_options(self):
        return self.config.test_options

    def with_test_options(self, options):
        config = dataclasses.replace(self.config, damping=options.damping)
        return dataclasses.replace(self, config=config)

    def init_state(self, inputs=None, *, key=None):
        return jnp.zeros(self.from_input.weight.shape[0])

    def encode(self, inputs):
        return self.from_input(inputs)

    def advance(self, state, encoded, clock):
        state = self.config.damping * jnp.tanh(encoded + self.recurrent(state))
        return state, state

    def decode(self, features):
        return self.output(features)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LateEcho(SequenceTask):
    """Say each bit one step later."""

    width: int = 2

    @property
    def inputs(self):
        return Stream(Bits(self.width))

    outputs = inputs

    def steps(self, size):
        return size + 1

    def items(self, size):
        return 1

    def sample(self, key, size, *, max_size):
        self.check_size(size, max_size)
        time = jnp.arange(self.steps(max_size))[:, None]
        bits = jax.random.bernoulli(key, 0.5, (len(time), self.width)) & (time < size)
        mask = (time > 0) & (time <= size)
        return Example(
            bits.astype(jnp.float32),
            jnp.roll(bits, 1, axis=0).astype(jnp.float32),
            mask.astype(jnp.float32),
            jnp.asarray(size + 1),
        )

    def render(self, example, outputs=None):
        return ""


def elman_echo():
    """Elman network: say bits again, one step later."""
    return sm.Experiment(
        recipe="elman-echo",
        task=LateEcho(),
        machine=ElmanConfig(),
        training=sm.TrainingConfig(
            curriculum=Uniform(largest=3),
            max_sequences=128,
            validate_every=32,
            checkpoint_every=32,
            solved=SolvedConfig(sequences=8),
        ),
    )


def elman_broken():
    return sm.TrainingConfig()
'''
INTERRUPTED = """
import signal, sys
from softmachine.cli.main import main
from softmachine.cli.progress import ProgressDisplay

report, pressed = ProgressDisplay.report, []

def report_once(self, *arguments):
    report(self, *arguments)
    if not pressed:
        pressed.append(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

main(["recipes"])
ProgressDisplay.report = report_once
main(["train", "elman-echo", "--machine.hidden", "5", "--task.width", "3", "--run", "run"])
"""
CONTINUED = """
from softmachine.cli.main import main

main(["resume", "run"])
main(["evaluate", "run", "--sizes", "5", "--sequences", "8", "--task", "width=3"])
main(["evaluate", "run", "--sizes", "5", "--sequences", "8", "--damping", "0", "--json"])
main(["train", "elman-ecko"])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A directory with the package installed in it, as an installer would."""
    site = tmp_path_factory.mktemp("site")
    project = tomllib.loads(PROJECT)["project"]
    (site / "elman.py").write_text(MODULE)
    information = site / "elman-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: elman\nVersion: 1.0\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in points.items())
        for group, points in project["entry-points"].items()
    ]
    (information / "entry_points.txt").write_text("\n".join(groups))
    return site


def test_its_machine_is_trained_resumed_and_scored(site, tmp_path, capsys):
    paths = [str(site), str(Path(__file__).parents[2])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}

    def python(code):
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    first = python(INTERRUPTED)
    assert "echo: say bits again, one step later" in first.stdout, first.stderr
    assert "Not listed: the recipe 'elman-broken' makes no experiment" in first.stdout
    assert "Interrupted. Continue with: softmachine resume run" in first.stdout
    assert first.returncode == 130
    written = json.loads((tmp_path / "run" / "config.json").read_text())["experiment"]
    assert written["machine"] == {"kind_of": "elman", "hidden": 5, "damping": 1.0}
    assert written["task"] == {"kind_of": "late-echo", "width": 3}

    second = python(CONTINUED)
    assert "in 128 sequences" in second.stdout, second.stderr
    assert "wrong bits" in second.stdout
    scores = json.loads(second.stdout.splitlines()[-1])
    assert scores["options"] == {"damping": 0.0}
    assert scores["sizes"][0]["bits"] == pytest.approx(15, abs=0.1)  # nothing gets through
    assert second.returncode == 2
    assert "unknown recipe 'elman-ecko': " in second.stderr
    assert "did you mean elman-echo" in second.stderr

    # Here nobody has installed it.
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", str(tmp_path / "run")])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "unknown task 'late-echo'" in message
    assert "come with an installed package" in message
    with pytest.raises(SoftmachineError, match="'late-echo'"):
        Run(tmp_path / "run")
