"""The style that stands for the published negative one in the tiny model."""

from __future__ import annotations

import numpy as np
import pytest

from services.inference.engines.diffrhythm.style import synthetic_style, validated

pytestmark = pytest.mark.unit


def test_a_style_by_its_name() -> None:
    """The same name gives the same style, another name another."""
    style = synthetic_style("negative", "tiny:")
    np.testing.assert_array_equal(validated(style), synthetic_style("negative", "tiny:"))
    assert abs(float((style * synthetic_style("style", "tiny:")).sum())) < 0.2
