"""The zoo: small trained machines that come with the package, each with a model card.

A model is three files: ``NAME.safetensors``, the machine's arrays; ``NAME.json``, the whole
experiment and the measurements; ``NAME.md``, the card for people, rendered from the JSON.
Models are added by `softmachine.zoo.publish`.
"""

from softmachine.zoo.models import ZooModel, load, names, open_model
from softmachine.zoo.sharing import from_pretrained, push

__all__ = ["ZooModel", "from_pretrained", "load", "names", "open_model", "push"]
