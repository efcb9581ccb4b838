"""The part of a report that only some machines have."""

import base64
import html
import re

import jax

from softmachine.evaluation.report import program_section
from softmachine.machines.nram.nram import NRAMConfig
from softmachine.programs.notes import Provenance
from softmachine.tasks.memories.arrays import Access

ORIGIN = Provenance("runs/<b>", "nram-access", 3, None)


def test_the_program_of_an_nram_is_code_that_runs(access_machine):
    section = program_section(access_machine, Access(), ORIGIN)
    code = html.unescape(re.search(r"<pre>([^<]*)</pre>", section)[1])
    assert "runs/<b> (recipe nram-access, seed 3" in " ".join(code.split())
    module = {}
    exec(code, module)
    assert module["run"]([3, 9, 8, 7, 0, 0, 0, 0, 0, 0])[0] == 7
    drawing = re.search(r'src="data:image/svg\+xml;base64,([^"]*)"', section)[1]
    assert b"<svg" in base64.b64decode(drawing)


def test_a_machine_without_a_program_says_why():
    config = NRAMConfig(registers=20, gates=("READ", "WRITE"))
    section = program_section(config.build(key=jax.random.key(0)), Access(), ORIGIN)
    assert "None could be extracted: 20 registers" in section
