"""Mean hinge losses as metrics."""

from __future__ import annotations

from typing import Any

from kerasish.losses.margin import categorical_hinge, hinge, squared_hinge
from kerasish.metrics.reduction import MeanMetricWrapper


class Hinge(MeanMetricWrapper):
    """The mean of `max(1 - y_true * y_pred, 0)`.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.Hinge()([[1.0, -1.0]], [[0.5, 1.0]]))
    1.25
    """

    def __init__(self, name: str = "hinge", dtype: Any = None):
        super().__init__(hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """The mean of `max(1 - y_true * y_pred, 0) ** 2`.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.SquaredHinge()([[1.0, -1.0]], [[0.5, 1.0]]))
    2.125
    """

    def __init__(self, name: str = "squared_hinge", dtype: Any = None):
        super().__init__(squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """The mean margin between the right class' score and the best wrong one's.

    Args:
        name, dtype: see `Metric`.

    >>> import kerasish as keras
    >>> float(keras.metrics.CategoricalHinge()([[0.0, 1.0, 0.0]], [[0.5, 1.25, 0.75]]))
    0.5
    """

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None):
        super().__init__(categorical_hinge, name, dtype)
