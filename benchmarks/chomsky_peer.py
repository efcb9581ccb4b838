"""The code of Deletang et al. 2023 as a contender.

google-deepmind/neural_networks_chomsky_hierarchy runs as it is, from a checkout: its task, its
model, its compiled update (``_update_parameters``), called for each update as its loop does.
It needs dm-haiku, dm-tree, chex, tqdm and einshape. All strings have one length here, so that
it compiles once; training on 1 to 40 letters it compiles 40 times.
"""

from __future__ import annotations

import random
import sys
import types

import jax
import optax
from checkouts import commit
from workload import StackWork

PACKAGE = "neural_networks_chomsky_hierarchy"


class ChomskyTrainer:
    """Trains the paper's model as its example script does."""

    def __init__(self, workload: StackWork) -> None:
        """Build model and optimiser from the checkout at ``workload.peer_path``."""
        package = types.ModuleType(PACKAGE)
        package.__path__ = [workload.peer_path]
        sys.modules[PACKAGE] = package
        import haiku as hk
        from neural_networks_chomsky_hierarchy.experiments import training, utils
        from neural_networks_chomsky_hierarchy.models import rnn, stack_rnn
        from neural_networks_chomsky_hierarchy.tasks.dcf import reverse_string

        random.seed(0)
        self.workload = workload
        self.task = reverse_string.ReverseString(vocab_size=2)
        model = rnn.make_rnn(
            output_size=self.task.output_size,
            rnn_core=stack_rnn.StackRNNCore,
            return_all_outputs=True,
            stack_cell_size=workload.memory_columns,
            stack_size=workload.memory_rows,
            hidden_size=workload.hidden,
        )
        self.model = hk.transform(utils.make_model_with_empty_targets(model, self.task))
        self.update = training._update_parameters
        self.optimizer = optax.chain(
            optax.clip_by_global_norm(workload.gradient_norm),
            optax.adam(workload.learning_rate),
        )
        self.keys = hk.PRNGSequence(0)
        batch = self._batch()
        self.parameters = self.model.init(next(self.keys), batch["input"])
        self.state = self.optimizer.init(self.parameters)
        count = sum(x.size for x in jax.tree.leaves(self.parameters))
        self.facts = {
            "jax": jax.__version__,
            "haiku": hk.__version__,
            "threads": len(jax.devices()),
            "parameters": count,
            "training": "Adam, a compiled update per call",
            "commit": commit(workload.peer_path),
        }

        def loss(outputs, targets):
            return self.task.pointwise_loss_fn(outputs, targets).sum(-1).mean(), {}

        self.loss = loss

    def _batch(self):
        return self.task.sample_batch(
            next(self.keys), batch_size=self.workload.batch, length=self.workload.length
        )

    def run(self, updates: int) -> float:
        """Make that many updates and return the last loss."""
        for _ in range(updates):
            self.parameters, self.state, (loss, _, _) = self.update(
                params=self.parameters,
                rng_key=next(self.keys),
                batch=self._batch(),
                model_apply_fn=self.model.apply,
                loss_fn=self.loss,
                accuracy_fn=None,
                optimizer=self.optimizer,
                opt_state=self.state,
                is_autoregressive=False,
            )
        return float(loss)
