"""One-shot classification in episodes: images of new classes, each label one step late."""

from __future__ import annotations

import dataclasses
import math
import string
from typing import Annotated, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from softmachine.core.choices import Bounds, NonNegative, check_fields
from softmachine.core.fields import Field
from softmachine.core.rendering import Rows, render_rows
from softmachine.core.specs.inputs import Image, Product
from softmachine.core.specs.spec import Metrics, Ratio, Stream
from softmachine.core.specs.symbols import Symbols
from softmachine.core.specs.words import Words
from softmachine.tasks.one_shot.drawings import (
    TURNS,
    Drawings,
    choose,
    choose_classes,
    choose_drawings,
    choose_order,
    instance_numbers,
    load_drawings,
)
from softmachine.tasks.one_shot.glyphs import Glyphs
from softmachine.tasks.one_shot.images import ImageSource
from softmachine.tasks.one_shot.santoro import santoro_tests
from softmachine.tasks.one_shot.warping import move_by_chance
from softmachine.tasks.published import PaperTest
from softmachine.tasks.registry import task
from softmachine.tasks.task import ByInstance, Example, Layout, SequenceTask

LETTERS = string.ascii_letters
REPORTED = (1, 2, 3, 4, 5, 10)
"""The instances whose accuracy is reported: those of the paper's tables."""
FINENESS = 2
"""How many times finer images are turned and moved than they are shown, each way."""


@task("one-shot")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Episodes(SequenceTask):
    """Name images of classes never seen before, told each name one step too late.

    An episode of size n shows ``per_class`` times n images of n classes drawn anew, with names
    drawn anew. The input of step t is image t and the name of image t - 1; wanted is the name
    of image t. So the first image of a class can only be guessed, and the second be named by
    what was seen before. Source: Santoro et al. 2016 (arXiv 1605.06065),
    section 3 and 4.

    Accuracy is told by instance: ``instance_2`` is that of all images that are the second of
    their class in their episode. The first is 1/n for who ignores the images; who sees that an
    image is new, and avoids names in use, is right more often (46 % with five classes).
    """

    source: ImageSource = dataclasses.field(default_factory=Glyphs)
    """Where images come from. Classes for training and for tests are different ones."""
    part: Literal["train", "test"] = "train"
    """Which classes are drawn; validation and tests take the second."""
    side: Annotated[int, Bounds(least=4, most=105)] = 20
    """Pixels of an image each way."""
    per_class: Annotated[int, Bounds(least=1, most=100)] = 10
    """Images per class: exactly, or in the mean."""
    exact: bool = False
    """Whether an episode shows each class exactly ``per_class`` times. If not, the class of
    every image is drawn anew. Exact numbers let a learner count what is left without looking
    at an image: it is right 46 percent of the time at the first instance, 33 at the tenth, of
    five classes. That is what training finds first, and it delays the rest."""
    shots: Annotated[int, Bounds(least=1, most=20)] | None = None
    """For another protocol, n-way k-shot classification: each class is shown exactly this
    often, in any order, then one of them once more, and that last image alone is scored. None
    for episodes in which every image counts. Figures of the two are not comparable."""
    within_group: bool = False
    """Whether all classes of an episode are of one group of the source, such as an alphabet,
    quarter turns of it being groups of their own. Groups come as often as they have classes;
    those with fewer than the largest size that is drawn never do."""
    in_a_row: Annotated[int, Bounds(least=1, most=100)] = 1
    """How many episodes come one after the other in one sequence, each with classes and names
    of its own. Between them nothing is wiped, neither memory nor controller, and nothing marks
    where one ends but that its last name is not told. Instances are counted in each episode.
    The paper keeps the memory between all episodes of training."""
    labels: Literal["one-hot", "words"] = "one-hot"
    """Names: one of ``names``, or a word of five letters from a to e, of 3,125."""
    names: Annotated[int, Bounds(least=2, most=len(LETTERS))] = 5
    """Of one-hot names: how many there are. The largest size of an episode. With more names
    than classes, which are in use and how often each was told is found before anything else."""
    quarter_turns: bool = True
    """Whether all images of a class turned by 90, 180 or 270 degrees are a class of their own;
    in training alone."""
    turn: Annotated[float, Bounds(least=0, most=math.pi)] = math.pi / 16
    """Each image is turned by an angle uniform within plus and minus this, in radians."""
    shift: NonNegative = 10 / 105
    """Each image is moved both ways by up to this share of its side."""
    distort: Annotated[float, Bounds(least=0, most=0.5)] = 0.0
    """In training alone, how far each image is stretched and sheared besides: the four entries
    of its linear map differ from those of the identity by up to this. Not in the paper."""
    augment_tests: bool = True
    """Whether images of tests are turned and moved, too, as it seems to be in the paper."""
    aligned: bool = False
    """Whether every drawing is first brought to the middle, to the same spread each way, and
    upright, by the moments of its ink. Not in the paper: much of what there is to learn of
    handwriting is then known before."""

    smallest: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_fields(self)

    @property
    def inputs(self) -> Stream[Product]:
        """Pixels of the image, then the name of the image before."""
        return Stream(Product((Image(self.side), self.outputs.spec)))

    @property
    def outputs(self) -> Stream[Symbols | Words]:
        """The name of the image."""
        one_hot = self.labels == "one-hot"
        return Stream(Symbols(LETTERS[: self.names]) if one_hot else Words())

    @property
    def input_labels(self) -> list[str]:
        """A label for each pixel, and for each channel of the name before."""
        pixels = [f"{r + 1}, {c + 1}" for r in range(self.side) for c in range(self.side)]
        return pixels + [f"was {label}" for label in self.output_labels]

    @property
    def output_labels(self) -> list[str]:
        """A label for each channel of names."""
        spec = self.outputs.spec
        if isinstance(spec, Symbols):
            return [*spec.alphabet]
        return [f"{letter}{i + 1}" for i in range(spec.length) for letter in spec.alphabet]

    def layout(self, inputs: np.ndarray) -> Layout:
        """Return the labels of channels; of several episodes in a row, which each step is of.

        An episode begins with an image that comes without the name of the one before.
        """
        layout = super().layout(inputs)
        if self.in_a_row == 1:
            return layout
        told = np.any(inputs[:, self.side**2 :] > 0, axis=1)
        numbers = np.maximum(np.cumsum(~told), 1)
        said = "Which of the episodes in a row: classes and names are anew in each."
        field = Field("episode", "integer", ("step",), "tapes", said)
        return layout._replace(more=((field, numbers),))

    @property
    def needs(self) -> str:
        """What the source of images needs."""
        return self.source.needs

    @property
    def largest(self) -> int:
        """As many classes as there are names."""
        return self.name_count

    @property
    def shares(self) -> tuple[str, ...]:
        """Metrics in percent: those of names, and accuracy by instance."""
        return (*super().shares, *(f"instance_{number}" for number in self.reported))

    @property
    def reported(self) -> tuple[int, ...]:
        """The instances whose accuracy is reported."""
        return REPORTED if self.shots is None else (self.shots + 1,)

    def by_instance(self, size: int) -> ByInstance:
        """Return the accuracy of each instance reported; by chance, one name of ``size``."""
        most = (
            self.per_class if self.exact and self.shots is None else self._episode_steps(size)
        )
        numbers = tuple(number for number in self.reported if number <= most)
        return ByInstance(numbers, tuple(f"instance_{n}" for n in numbers), 1 / size)

    @property
    def name_count(self) -> int:
        """How many names there are."""
        spec = self.outputs.spec
        return spec.width if isinstance(spec, Symbols) else spec.count

    def data(self) -> Drawings:
        """Return the images of this part, as arrays.

        Raises SoftmachineError if they cannot be had, or have no groups and should.
        """
        # Made anew where it is asked for: one made in a traced function is a tracer.
        fine = self.side * (FINENESS if self._moves else 1)
        drawings = load_drawings(
            self.source, self.part, fine, aligned=self.aligned, by_group=self.within_group
        )
        return jax.tree.map(jnp.asarray, drawings)

    def held_out(self, *, larger: bool = False) -> Episodes:
        """Return the same task on classes that training never shows."""
        del larger
        plain = {} if self.augment_tests else {"turn": 0.0, "shift": 0.0}
        return dataclasses.replace(self, part="test", quarter_turns=False, distort=0.0, **plain)

    def steps(self, size: Any) -> Any:
        """Return one step per image."""
        return self.in_a_row * self._episode_steps(size)

    def items(self, size: int) -> int:
        """Return ``size``: one memory row per class."""
        return size

    def bucket(self, size: int) -> int:
        """Return ``size``: padding would cost as much as the episode."""
        return size

    def check_size(self, size: Int[Array, ""] | int, max_size: int) -> None:
        """Raise ValueError for a size out of range, or above the number of names or classes."""
        super().check_size(size, max_size)
        if max_size > self.name_count:
            raise ValueError(
                f"{max_size} classes need {max_size} names, there are {self.name_count}: take "
                f"names={max_size} or labels=words"
            )

    def sample(
        self,
        key: PRNGKeyArray,
        size: Int[Array, ""] | int,
        *,
        max_size: int,
        data: Drawings | None = None,
    ) -> Example:
        """Draw an episode of ``size`` classes, or as many of them as come in a row.

        Images are from ``data``, by default `data`. Inputs are float32, shape (steps, side² +
        width of a name); targets are int32, shape (steps,), or (steps, 5) for words; the mask
        has shape (steps,).
        """
        self.check_size(size, max_size)
        data = self.data() if data is None else data
        if self.in_a_row == 1:
            return self._episode(key, size, max_size, data)
        keys = jax.random.split(key, self.in_a_row)
        several = jax.vmap(lambda key: self._episode(key, size, max_size, data))(keys)
        return self._in_a_row(several, size)

    def _episode(
        self, key: PRNGKeyArray, size: Int[Array, ""] | int, max_size: int, data: Drawings
    ) -> Example:
        keys = jax.random.split(key, 5)
        classes, turned = choose_classes(
            keys[0], data, max_size, TURNS if self.quarter_turns else 1
        )
        exactly = None if self.shots is None and not self.exact else self._each
        shown = choose_order(keys[1], size, self._episode_steps(max_size), exactly)
        instances = instance_numbers(shown)
        counts = jnp.asarray(data.counts)[classes]
        drawings = choose_drawings(keys[2], counts, shown, instances)
        names = choose(keys[3], self.name_count, max_size)
        images, places = jnp.asarray(data.images), (classes[shown], drawings)
        if not self._moves:
            return self.episode(images[places], names[shown], size)
        moved = move_by_chance(
            keys[4],
            images,
            *places,
            turned[shown],
            turn=self.turn,
            shift=self.shift,
            distort=self.distort,
            side=self.side,
        )
        return self.episode(moved, names[shown], size)

    def _in_a_row(self, episodes: Example, size: Int[Array, ""] | int) -> Example:
        """Return one sequence of episodes, which have a leading axis and may be padded."""
        each, steps = self._episode_steps(size), self.steps(size)
        places = jnp.arange(episodes.mask.size)
        number, place = jnp.minimum(places // each, self.in_a_row - 1), places % each

        def one_after_another(x):
            due = (places < steps).reshape(-1, *[1] * (x.ndim - 2))
            return jnp.where(due, x[number, place], 0)

        inputs, targets, mask = map(one_after_another, episodes[:3])
        return Example(inputs, targets, mask, jnp.asarray(steps, jnp.int32))

    def episode(
        self,
        images: Shaped[Array, "steps side side"],
        names: Int[Array, " steps"],
        size: Int[Array, ""] | int,
    ) -> Example:
        """Return the episode of ``size`` classes that shows given images with given names.

        Images are divided by their brightest pixel; what comes after the episode's own steps
        is left out. Arguments and the example are as those of `sample`; ``names`` are numbers.
        """
        steps = len(names)
        images = images / jnp.maximum(jnp.max(images, axis=(1, 2), keepdims=True), 1)
        places, last = jnp.arange(steps), self._episode_steps(size) - 1
        due = (places <= last).astype(jnp.float32)
        scored = due if self.shots is None else jnp.where(places < last, 0, due)
        targets = self.targets(names)
        told = self.outputs.spec.one_hot(targets)
        before = jnp.concatenate([jnp.zeros_like(told[:1]), told[:-1]])
        inputs = jnp.concatenate([images.reshape(steps, -1), before], axis=1) * due[:, None]
        wanted = jnp.where(due.reshape(steps, *[1] * (targets.ndim - 1)) > 0, targets, 0)
        return Example(inputs, wanted, scored, jnp.asarray(last + 1, jnp.int32))

    def targets(self, names: Int[Array, " steps"]) -> Int[Array, "steps ..."]:
        """Return the targets that names given by their numbers are."""
        spec = self.outputs.spec
        return names if isinstance(spec, Symbols) else spec.spell(names)

    def metrics(self, outputs: Float[Array, "steps width"], example: Example) -> Metrics:
        """Return the metrics of the names, and accuracy by instance."""
        spec = self.outputs.spec
        wrong = spec.wrong(outputs, example).reshape(len(example.mask), -1)
        right = jnp.where(jnp.any(wrong, axis=1), 0, example.mask)
        targets = example.targets
        if targets.ndim == 2:
            places = 5 ** jnp.arange(targets.shape[1])
            targets = jnp.sum(targets * places, axis=1)
        instances = self._instances(targets, example.steps)
        by_instance = {}
        for number in self.reported:
            of_these = jnp.where(instances == number, example.mask, 0)
            by_instance[f"instance_{number}"] = Ratio(
                jnp.sum(right * of_these), jnp.sum(of_these)
            )
        return spec.metrics(outputs, example) | by_instance

    def published_tests(self) -> list[PaperTest]:
        """Return the tests of section 4.1 and 4.2, by instance, on images as the paper's.

        Then those on images as they were drawn. There are none for n-way k-shot classification.
        """
        if self.shots is not None:
            return []
        return santoro_tests(self)

    def render(
        self, example: Example, outputs: Float[Array, "steps width"] | None = None
    ) -> str:
        """Return names and instances over time, and guesses; wrong ones are ``x``."""
        steps = int(example.steps)
        mask = np.asarray(example.mask)[:steps] > 0
        targets = np.asarray(example.targets)[:steps].reshape(steps, -1)
        _, classes = np.unique(targets, axis=0, return_inverse=True)
        instances = np.asarray(self._instances(jnp.asarray(classes.reshape(-1)), steps))
        digits = np.stack([instances // 10, instances % 10], axis=1)
        rows = [
            Rows("instance", digits, mask, letters="0123456789"),
            Rows("name", targets, mask, letters=LETTERS),
        ]
        if outputs is not None:
            said = np.asarray(self.outputs.spec.decide(jnp.asarray(outputs)))[:steps]
            said = said.reshape(steps, -1)
            rows.append(Rows("guess", said, mask, said != targets, letters=LETTERS))
        return render_rows(rows)

    def _instances(
        self, names: Int[Array, " places"], steps: Int[Array, ""] | int
    ) -> Int[Array, " places"]:
        """Return which image of its class in its episode each is, from numbers of names."""
        episode = jnp.arange(len(names)) // jnp.maximum(steps // self.in_a_row, 1)
        return instance_numbers(names + episode * self.name_count)

    def _episode_steps(self, size: Any) -> Any:
        return size * self._each + (0 if self.shots is None else 1)

    @property
    def _each(self) -> int:
        """How often a class is shown with its name, exactly or in the mean."""
        return self.per_class if self.shots is None else self.shots

    @property
    def _moves(self) -> bool:
        """Whether images are turned or moved."""
        return bool(self.turn or self.shift or self.quarter_turns or self.distort)
