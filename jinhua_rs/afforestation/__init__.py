"""Whether what was reported as planted became forest: a ledger a parcel, from published maps."""

from jinhua_rs.afforestation.ladder import LADDER, ledger, sums
from jinhua_rs.afforestation.parcels import Parcels, ended, parcels_of
from jinhua_rs.afforestation.stages import Stage

__all__ = ["LADDER", "Parcels", "Stage", "ended", "ledger", "parcels_of", "sums"]
