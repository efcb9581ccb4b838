"""Convolutions before a controller, against JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from softmachine.machines.parts.controllers import ControllerConfig
from softmachine.machines.parts.convolutions import ConvolutionsConfig


def reference(convolutions, x):
    """The features by `jax.lax`: layers of filters with a stride of two."""
    side = convolutions.side
    image = x[:, : side**2].reshape(-1, side, side, 1)
    for layer in convolutions.filters:
        filters = layer.weight.T.reshape(3, 3, image.shape[-1], -1)
        around = [(1, 1), (1, 1)]
        names = ("NHWC", "HWIO", "NHWC")
        image = jax.lax.conv_general_dilated(
            image, filters, (2, 2), around, dimension_numbers=names
        )
        image = jax.nn.relu(image + layer.bias)
    return jnp.concatenate([image.reshape(len(x), -1), x], axis=1)


@pytest.mark.parametrize("side", [2, 5, 8])
@pytest.mark.parametrize("channels", [(3,), (2, 4, 3)])
def test_convolutions_are_those_of_jax_and_the_input_stays(side, channels):
    config = ConvolutionsConfig(side=side, channels=channels)
    convolutions = config.build(key=jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 2)
    filters = [layer.bias for layer in convolutions.filters]
    assert all(np.all(bias == 0) for bias in filters)
    x = jax.random.normal(keys[0], (6, side**2 + 7))
    expected = reference(convolutions, x)
    assert expected.shape[1] == config.features(x.shape[1])
    np.testing.assert_allclose(convolutions(x), expected, atol=1e-5)
    np.testing.assert_allclose(
        convolutions(x.reshape(2, 3, -1)).reshape(6, -1), expected, atol=1e-5
    )


def test_a_controller_sees_the_features_beside_the_pixels():
    config = ControllerConfig(hidden=3, convolutions=ConvolutionsConfig(side=4, channels=(2,)))
    controller = config.build(20, 5, key=jax.random.key(0))
    assert controller.input_size == 20
    assert controller.inner.input_size == 2 * 2 * 2 + 20
    x, feedback = jnp.sin(jnp.arange(20.0)), jnp.cos(jnp.arange(5.0))
    projected = controller.project(x)
    inner = controller.inner
    np.testing.assert_allclose(projected, inner.project(controller.encoder(x)))
    state, output = controller(controller.init_state(), projected, feedback)
    expected_state, expected = inner(inner.init_state(), projected, feedback)
    np.testing.assert_array_equal(output, expected)
    np.testing.assert_array_equal(state, expected_state)


def test_an_input_without_room_for_the_image_is_refused():
    config = ControllerConfig(convolutions=ConvolutionsConfig(side=5))
    with pytest.raises(ValueError, match="side 5 need 25 inputs, there are 24"):
        config.build(24, 0, key=jax.random.key(0))


@pytest.mark.parametrize("choices", [{"channels": ()}, {"channels": (0,)}, {"side": 1}])
def test_impossible_layers_are_refused(choices):
    with pytest.raises(ValueError, match=r"channels|side"):
        ConvolutionsConfig(**choices)
