"""The books that staff open: planting, mines and plan layers as workbook, layer and pictures."""

from jinhua_rs.dossier.brief import Brief
from jinhua_rs.dossier.mining import write_mines
from jinhua_rs.dossier.planting import write_planting
from jinhua_rs.dossier.themes import write_themes
from jinhua_rs.dossier.unlisted import write_unlisted

__all__ = ["Brief", "write_mines", "write_planting", "write_themes", "write_unlisted"]
