"""What the features of a tile are made from: its composite, its neighbours, its companions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinhua_rs import features, store
from jinhua_rs.planning import Plan

__all__ = ["Ground", "Sources", "choice_of"]


@dataclass(frozen=True, slots=True)
class Sources:
    """
    What the features of a tile are made from.

    Attributes
    ----------
    own : Path
        Composite of the period.
    around : tuple of (int, int, Path)
        Composites of the tiles beside it: how many tiles down and to the right.
    companions : tuple of (str, Path)
        Composite of the same tile in each companion quarter, by season (``q1``).
    dem : Path or None
        Elevation, metres.
    """

    own: Path
    around: tuple[tuple[int, int, Path], ...] = ()
    companions: tuple[tuple[str, Path], ...] = ()
    dem: Path | None = None


def choice_of(plan: Plan) -> features.Choice:
    """Say what features of a period can be made from, by its settings."""
    settings = plan.settings
    return features.Choice(
        bands=settings.composite.bands,
        seasons=tuple(settings.features.companions(plan.period)),
        texture=settings.features.texture,
        terrain=settings.features.terrain and settings.mask.dem is not None,
    )


@dataclass(frozen=True)
class Ground:
    """The composites of a period by tile, and of its companion quarters by season and tile."""

    plan: Plan
    own: Mapping[str, Path]
    companions: Mapping[str, Mapping[str, Path]]

    def sources(self, tile: str, wanted: Sequence[str]) -> Sources:
        """Gather what some features of a tile are made from, and no more than that."""
        needs = features.needs(wanted)
        (here,) = (one for one in self.plan.tiles if one.id == tile)
        around = self.plan.settings.grid.around(here).items() if needs.texture else ()
        return Sources(
            self.own[tile],
            tuple(
                (down, right, self.own[name])
                for (down, right), name in around
                if name in self.own and name != tile
            ),
            tuple((season, self.companions[season][tile]) for season in needs.seasons),
            self.plan.settings.mask.dem if needs.terrain else None,
        )

    def facts(self, sources: Sources) -> list[object]:
        """Digests of everything in ``sources``, and where it lies against the tile."""
        return [
            _digest(sources.own),
            [(down, right, _digest(path)) for down, right, path in sources.around],
            [(season, _digest(path)) for season, path in sources.companions],
            self.plan.layer_digests[sources.dem] if sources.dem else "",
        ]


def _digest(piece: Path) -> str:
    return str(store.read_facts(piece)["sha256"])
