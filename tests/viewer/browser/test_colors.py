"""Colours say the same to those who see fewer of them."""

import numpy as np
import pytest

SIGHT = {
    "all": np.eye(3),
    "no red": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "no green": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no blue": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
"""What is seen of linear red, green and blue (Machado, Oliveira and Fernandes 2009)."""

TO_XYZ = np.array([[0.434, 0.376, 0.190], [0.213, 0.715, 0.072], [0.018, 0.109, 0.873]])
"""From linear sRGB, white being 1, 1, 1."""


def seen(color, sight):
    """Return lightness, green to red, blue to yellow (CIE Lab) of a colour #rrggbb."""
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.asarray(sight) @ linear, 0, 1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_more_looks_like_more_and_signs_are_told_apart(open_traces, scheme, sight):
    page = open_traces(scheme=scheme)
    page.get_by_role("heading", name="Drop a trace here").wait_for()
    names = ["least", "less", "nothing", "more", "most", "all", "accent", "ink", "surface"]
    colors = page.evaluate(
        "names => { const style = getComputedStyle(document.documentElement);"
        " return names.map((name) => style.getPropertyValue(`--${name}`).trim()) }",
        names,
    )
    lab = {name: seen(color, SIGHT[sight]) for name, color in zip(names, colors, strict=True)}

    def difference(one, other):
        return np.linalg.norm(lab[one] - lab[other])

    away = 1 if scheme == "dark" else -1  # from the surface
    for scale in (
        ["nothing", "less", "least"],
        ["nothing", "more", "most"],
        ["nothing", "all"],
    ):
        assert (np.diff([away * lab[name][0] for name in scale]) > 20).all()
    assert difference("less", "more") > 60
    assert difference("least", "most") > 20
    assert min(difference("accent", "ink"), difference("accent", "surface")) > 40
