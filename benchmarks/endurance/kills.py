"""Kills at random moments: a training that was resumed is the one that was left alone."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import small
from compare import differences, state_of
from workers import command, kill, start

EVENTS = ("open", "os.rename", "os.mkdir", "os.chmod", "os.remove", "os.rmdir")


class Scenario(NamedTuple):
    """A training, and how it goes on."""

    name: str
    begin: Callable[[str], None]
    """Begins it, or begins it anew if it was killed while it was made."""
    resume: Callable[[str], None]
    index: str
    """Where this is, there is something to resume."""


def _command(arguments: list[str]) -> None:
    ended = command(arguments, ".")
    print(ended.out, ended.err, flush=True)
    sys.exit(ended.status if isinstance(ended.status, int) else 99)


def _ntm(run: str) -> None:
    _command(small.ntm(run, 320))


def _population(run: str) -> None:
    _command(small.ntm(run, 160, "--members", "3"))


def _synthesize(run: str) -> None:
    _command(small.synthesize(run))


def _nram(run: str) -> None:
    from softmachine.experiments.runs import Run
    from softmachine.training.trainer import train

    train(Run.create(run, small.nram()))


def _resume(run: str) -> None:
    _command(["resume", run])


SCENARIOS = (
    Scenario("NTM", _ntm, _resume, "config.json"),
    Scenario("NRAM with wire search", _nram, _resume, "config.json"),
    Scenario("population of 3", _population, _resume, "population.json"),
    Scenario("synthesis", _synthesize, _synthesize, "population.json"),
)


class Tally(NamedTuple):
    """What became of the trainings of a scenario."""

    name: str
    trainings: int
    kills: int
    lost: int
    """Trainings that could not go on, or became another."""
    left: int
    """Trainings that left temporary files behind."""
    reasons: list[str]


def _killed_at(work: Callable[[str], None], run: str, event: int) -> None:
    """Do something, and die at its so-many-th doing with the file system in the directory."""
    left = event

    def count(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if name in EVENTS and any(run in str(argument) for argument in arguments):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), 9)

    sys.addaudithook(count)
    work(run)


def _reference(scenario: Scenario, folder: Path) -> tuple[dict[str, Any], float]:
    """Train without a kill; return what came out and how long it took."""
    path = folder / f"reference-{SCENARIOS.index(scenario)}"
    log = folder / "reference.log"
    start(scenario.begin, str(path), log=log).join()  # compiles for all that follow
    shutil.rmtree(path)
    begin = time.monotonic()
    process = start(scenario.begin, str(path), log=log)
    process.join()
    if process.exitcode:
        sys.exit(f"{scenario.name} does not even train alone: {log.read_text()[-2000:]}")
    return state_of(path), time.monotonic() - begin


def kill_trainings(kills: int, folder: Path, rng: random.Random, report) -> list[Tally]:
    """Kill trainings of all kinds so often in all, some of them while they are made."""
    tallies = []
    for number, scenario in enumerate(SCENARIOS):
        share = kills // len(SCENARIOS) + (number < kills % len(SCENARIOS))
        expected, seconds = _reference(scenario, folder)
        done = trainings = lost = left = 0
        reasons: list[str] = []
        while done < share:
            path = folder / f"run-{number}-{trainings}"
            trainings += 1
            creation = rng.random() < 0.25
            deaths, why = _suffer(
                scenario, path, share - done, seconds, creation=creation, rng=rng
            )
            done += deaths
            if not why:
                found = differences(state_of(path), expected)
                temporary = [n for n in found if Path(n).name.startswith(".")]
                left += bool(temporary)
                why = ", ".join(n for n in found if n not in temporary)
            if why:
                lost += 1
                reasons.append(f"{path}: {why}")
            else:
                shutil.rmtree(path)
            report(f"{scenario.name}: {done} of {share} kills, {lost} lost")
        tallies.append(Tally(scenario.name, trainings, done, lost, left, reasons))
    return tallies


def _suffer(
    scenario: Scenario,
    path: Path,
    most: int,
    seconds: float,
    *,
    creation: bool,
    rng: random.Random,
) -> tuple[int, str]:
    """Train to the end with kills on the way; return how many, and why it could not end."""
    log, deaths, tries = path.with_suffix(".log"), 0, 0
    while True:
        whole = (path / scenario.index).is_file()
        work = scenario.resume if whole else scenario.begin
        wanted = deaths < min(most, 3)
        if wanted and creation and not whole:
            event = rng.randint(1, 40)
            process = start(_killed_at, work, str(path), event, log=log)
            process.join()
            died = process.exitcode == -9
        else:
            process = start(work, str(path), log=log)
            process.join(rng.uniform(0, seconds) if wanted else None)
            died = kill(process) if process.is_alive() else False
        deaths += died
        if not died:
            if process.exitcode:
                words = log.read_text(errors="replace").split()
                return deaths, f"status {process.exitcode}: {' '.join(words)[-400:]}"
            return deaths, ""
        tries += 1
        if tries > 20:
            return deaths, "it never got on"
