"""The Differentiable Neural Computer: see `softmachine.machines.dnc.dnc`."""
