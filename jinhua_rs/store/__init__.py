"""The only room that writes products: whole or not at all, with a checksum beside each."""

from jinhua_rs.store.atomic import (
    SUMS,
    digest,
    is_sealed,
    read_facts,
    read_json,
    seal,
    sweep,
    verify_sums,
    whole,
    write_json,
    write_sums,
)
from jinhua_rs.store.lock import locked
from jinhua_rs.store.partial import Partial
from jinhua_rs.store.raster import (
    open_map,
    open_tile,
    tile_variables,
    write_mosaic,
    write_raster,
    write_tile,
)
from jinhua_rs.store.trouble import require_space

__all__ = [
    "SUMS",
    "Partial",
    "digest",
    "is_sealed",
    "locked",
    "open_map",
    "open_tile",
    "read_facts",
    "read_json",
    "require_space",
    "seal",
    "sweep",
    "tile_variables",
    "verify_sums",
    "whole",
    "write_json",
    "write_mosaic",
    "write_raster",
    "write_sums",
    "write_tile",
]
