"""The section that says which changed ground is a patch, and which are looked at first."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from jinhua_rs.settings.plan import Section

__all__ = ["Patches"]

Share = Annotated[float, Field(ge=0, le=1)]


class Patches(Section):
    """Which changed ground is a patch (图斑), and which patches are worth a look first."""

    candidate_m2: Annotated[float, Field(gt=0)] = 400.0
    """Smallest patch that is kept, m²: the mapping minimum at 1:10,000."""
    hole_m2: Annotated[float, Field(ge=0)] = 400.0
    """Holes in a patch that are smaller are filled, m²."""
    reportable_mu: Annotated[float, Field(gt=0)] = 1.0
    """A patch from this area on is reportable, 亩."""
    priority_ha: Annotated[float, Field(gt=0)] = 1.0
    """A patch from this area on goes first, hectares."""
    same_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Patches of two periods are one where they share this much of the smaller."""
    least_confidence: Annotated[int, Field(ge=1, le=3)] = 2
    """Confidence from which an alert is part of a patch; what was seen once waits on the map."""
    report_loss: Annotated[int, Field(ge=1, le=3)] = 3
    """
    Confidence from which a loss is reported; a patch that is less sure waits as candidate. Without
    the watch (``[alerts]``) no loss is surer than 2.
    """
    report_gain: Annotated[int, Field(ge=1, le=3)] = 2
    """The same for a gain."""
    real_low: Share = 0.5
    """Expected share of real patches among those of low, or unknown, confidence."""
    real_high: Share = 0.75
    """The same for high confidence."""
    real_highest: Share = 0.9
    """The same for the highest confidence."""
    prior_verdicts: Annotated[float, Field(gt=0)] = 10.0
    """Number of verdicts that such an expectation weighs as much as."""
    weight_basic_farmland: float = 2.0
    """What lying wholly on basic farmland adds to a patch's weight of 1."""
    weight_red_line: float = 3.0
    """The same inside the red line."""
    weight_reserves: float = 3.0
    """The same inside a nature reserve."""
    weight_parcels: float = -0.5
    """The same on a reported planting parcel, which explains it."""
    weight_permits: float = -0.8
    """The same under a felling permit, which explains it."""

    @model_validator(mode="after")
    def _no_patch_lies_in_a_filled_hole(self) -> Self:
        if self.hole_m2 > self.candidate_m2:
            raise ValueError("hole_m2 must not exceed candidate_m2; hole_m2 不得大于 candidate_m2")
        return self
