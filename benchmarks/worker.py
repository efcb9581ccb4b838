"""One contender in a process of its own; started and driven by ``throughput.py``.

Usage: ``python worker.py WORKLOAD_JSON``. Speaks lines: JSON out, commands in.

    out  {"facts": {...}, "first_update_seconds": 3.1}
    in   measure 2.0
    out  {"updates": 80, "seconds": 1.98, "loss": 110.9}
    in   stop                       (or end of input)
    out  {"peak_memory_mib": 512.0}
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import IO, Any

from workload import Contender, DNCWork, OneShot, StackWork, Workload


def softmachine_side(workload: Workload) -> Contender:
    """Start JAX with one device per core."""
    import softmachine_side

    softmachine_side.prepare_jax(available_cores())
    return softmachine_side.SoftmachineTrainer(softmachine_side.build_experiment(workload))


def eager_side(workload: Workload) -> Contender:
    """Start PyTorch, nothing compiled."""
    import pytorch_rival

    return pytorch_rival.TorchTrainer(workload, compiled=False)


def compiled_side(workload: Workload) -> Contender:
    """Start PyTorch with a compiled step, and no cache of earlier compilations."""
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    import pytorch_rival

    return pytorch_rival.TorchTrainer(workload, compiled=True)


def peer_side(workload: Workload) -> Contender:
    """Start the public implementation."""
    import pytorch_peer

    return pytorch_peer.PytorchNTMTrainer(workload)


def mann_side(workload: OneShot) -> Contender:
    """Start JAX with one device per core, and train the recipe."""
    import softmachine_side

    from softmachine.recipes import get_recipe

    softmachine_side.prepare_jax(workload.cores)
    return softmachine_side.SoftmachineTrainer(get_recipe("mann-glyphs"))


def eager_mann_side(workload: OneShot) -> Contender:
    """Start PyTorch, nothing compiled."""
    import pytorch_mann

    return pytorch_mann.MANNTrainer(workload, compiled=False)


def compiled_mann_side(workload: OneShot) -> Contender:
    """Start PyTorch with a compiled step, and no cache of earlier compilations."""
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    import pytorch_mann

    return pytorch_mann.MANNTrainer(workload, compiled=True)


def dnc_side(workload: DNCWork) -> Contender:
    """Start JAX with one device per core."""
    import softmachine_side

    softmachine_side.prepare_jax(available_cores())
    return softmachine_side.SoftmachineTrainer(softmachine_side.dnc_experiment(workload))


def dnc_peer_side(workload: DNCWork) -> Contender:
    """Start the public PyTorch implementation."""
    import pytorch_dnc_peer

    return pytorch_dnc_peer.PytorchDNCTrainer(workload)


def stack_side(workload: StackWork) -> Contender:
    """Start JAX with one device per core."""
    import softmachine_side

    softmachine_side.prepare_jax(available_cores())
    return softmachine_side.SoftmachineTrainer(softmachine_side.stack_experiment(workload))


def stack_peer_side(workload: StackWork) -> Contender:
    """Start the paper's own code; it knows one device alone."""
    import chomsky_peer
    import softmachine_side

    softmachine_side.prepare_jax(1)
    return chomsky_peer.ChomskyTrainer(workload)


ONE_SHOT_SIDES: dict[str, Callable[[OneShot], Contender]] = {
    "mann": mann_side,
    "torch-mann": eager_mann_side,
    "torch-mann-compiled": compiled_mann_side,
}
SIDES: dict[str, Callable[[Workload], Contender]] = {
    "softmachine": softmachine_side,
    "torch": eager_side,
    "torch-compiled": compiled_side,
    "pytorch-ntm": peer_side,
}

DNC_SIDES: dict[str, Callable[[DNCWork], Contender]] = {
    "dnc": dnc_side,
    "pytorch-dnc": dnc_peer_side,
}
STACK_SIDES: dict[str, Callable[[StackWork], Contender]] = {
    "stack-rnn": stack_side,
    "chomsky": stack_peer_side,
}


def available_cores() -> int:
    """Return on how many cores this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory_mib() -> float:
    """Return the most memory this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def measure(contender: Contender, seconds: float, rate: float) -> dict[str, float]:
    """Time as many updates as fit into ``seconds`` at ``rate`` updates per second."""
    updates = max(1, round(seconds * rate))
    start = time.perf_counter()
    loss = contender.run(updates)
    return {"updates": updates, "seconds": time.perf_counter() - start, "loss": loss}


def warm_up(contender: Contender, seconds: float = 0.5) -> float:
    """Run until a call takes ``seconds``; return its updates per second."""
    updates = 1
    while True:
        start = time.perf_counter()
        contender.run(updates)
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return updates / elapsed
        updates *= 2


def build(workload: dict[str, Any]) -> Contender:
    """Build the contender of a workload, given as its fields, on the cores it may use."""
    name = workload["contender"]
    if name in SIDES:
        return SIDES[name](Workload(**workload))
    if name in DNC_SIDES:
        return DNC_SIDES[name](DNCWork(**workload))
    if name in STACK_SIDES:
        return STACK_SIDES[name](StackWork(**workload))
    one_shot = OneShot(**workload)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[: one_shot.cores])
    return ONE_SHOT_SIDES[name](one_shot)


def serve(workload: dict[str, Any], commands: IO[str], replies: IO[str]) -> None:
    """Build the contender and obey the commands."""

    def reply(**values: object) -> None:
        print(json.dumps(values), file=replies, flush=True)

    start = time.perf_counter()
    contender = build(workload)
    built = time.perf_counter()
    contender.run(1)
    first = time.perf_counter() - built
    rate = warm_up(contender)
    reply(
        facts=contender.facts,
        build_seconds=built - start,
        first_update_seconds=first,
    )
    for line in commands:
        command, *arguments = line.split()
        if command == "stop":
            break
        repetition = measure(contender, float(arguments[0]), rate)
        rate = repetition["updates"] / repetition["seconds"]
        reply(**repetition)
    reply(peak_memory_mib=peak_memory_mib())


if __name__ == "__main__":
    # Whatever libraries print must not get between the replies.
    private = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(json.loads(sys.argv[1]), sys.stdin, private)
