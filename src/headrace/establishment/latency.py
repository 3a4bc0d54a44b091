"""How patient to be with one dial: a factor for its timeouts, drawn anew for each (client spec §1.11).

Slow networks need long timeouts, fast ones are better off with short ones, and nobody knows beforehand which
is at hand. So most dials are as patient as usual, and some are up to three times as patient.
"""

import math
from typing import Final

from headrace.base.rng import Rng

__all__ = ["LAMBDA", "LEAST", "MOST", "draw_multiplier"]

#: The factor's bounds.
LEAST: Final = 1.0
MOST: Final = 3.0
#: How steeply the distribution falls, unless configured: about 0.1 is nearly uniform.
LAMBDA: Final = 2.0
_NEARLY_UNIFORM: Final = 1e-9


def draw_multiplier(rng: Rng, steepness: float = LAMBDA) -> float:
    """Return 1 + 2 Exp(1)/`steepness`, on the condition that it is 3 at most.

    The field draws again until it is; the inverse of the distribution gives the same without a loop, which
    would have no end for a tiny `steepness`.
    """
    portion = rng.uniform()
    if steepness > _NEARLY_UNIFORM:
        portion = -math.log1p(portion * math.expm1(-steepness)) / steepness
    return LEAST + min(portion, 1.0) * (MOST - LEAST)
