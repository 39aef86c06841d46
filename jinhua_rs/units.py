"""Areas with their unit in the name, and the Chinese units that staff read."""

__all__ = ["M2_PER_MU", "hectares", "mu", "ten_thousand_mu"]

M2_PER_MU = 10_000 / 15
"""1 亩 = 10000/15 m²; the printed 0.0667 ha is a rounded form and never computed with."""


def mu(area_m2: float) -> float:
    """
    Square metres to 亩.

    >>> mu(10_000), round(mu(10_942e6) / 1e4, 1)
    (15.0, 1641.3)
    """
    return area_m2 / M2_PER_MU


def ten_thousand_mu(area_m2: float) -> float:
    """Square metres to 万亩."""
    return mu(area_m2) / 10_000


def hectares(area_m2: float) -> float:
    """Square metres to hectares."""
    return area_m2 / 10_000
