"""How each mine recovers: a record a mine, from the maps that were published year by year."""

from jinhua_rs.mines.judge import MineStatus
from jinhua_rs.mines.record import MineRecord, Rules
from jinhua_rs.mines.tables import Mines, mine_table, mines_of, roll_up, survey, yearly_table

__all__ = [
    "MineRecord",
    "MineStatus",
    "Mines",
    "Rules",
    "mine_table",
    "mines_of",
    "roll_up",
    "survey",
    "yearly_table",
]
