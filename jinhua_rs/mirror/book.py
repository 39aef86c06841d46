"""The catalogue of a mirror: its items, and the book of the periods that are whole."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinhua_rs import catalog, store
from jinhua_rs.catalog.retell import differences, to_item
from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.mirror.assets import Want
from jinhua_rs.scene import Asset

__all__ = ["book_of", "enter", "tell"]

_CATALOG = "catalog.json"
_BOOK = "jinhua:mirrors"
"""Key of the catalogue under which it says which periods are mirrored, and from where."""
_SAME = ("period", "bounds")
"""What makes an entry replace a former one."""


def tell(inventory: catalog.Inventory, wanted: Sequence[Want], folder: Path) -> None:
    """Write the items, and read each again to see that nothing of the scene is lost."""
    profile = catalog.load_profile("local")
    access = catalog.Access(roots=(folder,))
    assets: dict[str, dict[str, Asset]] = {}
    for want in wanted:
        facts = store.read_facts(want.path)
        assets.setdefault(want.scene, {})[want.band] = replace(
            want.asset,
            href=f"../scenes/{want.scene}/{want.path.name}",
            checksum=facts["checksum"],
            size=facts["size"],
        )
    for scene in (*inventory.kept, *inventory.spare):
        here = replace(scene, assets=assets[scene.id])
        path = folder / "items" / f"{scene.id}.json"
        item = to_item(here, inventory.lineage.get(scene.id, catalog.Lineage()))
        bands = [band for band in here.assets if band != "scl"]
        again = catalog.to_scene(item, profile, access=access, bands=bands, base=str(path))
        if lost := differences(here, again):
            raise IntegrityError(
                f"scene {scene.id} cannot be mirrored without loss of {', '.join(lost)}; "
                "report it to the makers",
                zh=f"影像 {scene.id} 无法无损镜像（{'、'.join(lost)}）；请向开发方反映",
            )
        store.write_json(path, item)


def enter(inventory: catalog.Inventory, folder: Path) -> None:
    """Enter the period in the catalogue, the last act; a former entry of the same is replaced."""
    scenes = (*inventory.kept, *inventory.spare)
    entry = {
        "period": str(inventory.period),
        "bounds": list(inventory.bounds),
        "profile": inventory.profile,
        "source": inventory.source,
        "attribution": inventory.attribution,
        "simulated": any(scene.simulated for scene in scenes),
        "scenes": sorted(scene.id for scene in scenes),
    }
    others = [one for one in book_of(folder) if any(one[k] != entry[k] for k in _SAME)]
    store.write_json(folder / _CATALOG, _catalogue([*others, entry]))


def _catalogue(book: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make the root of the static catalogue of all periods that are whole."""
    sources = sorted({str(one["attribution"]) for one in book} - {""})
    mark = "SIMULATED " if any(one["simulated"] for one in book) else ""
    items = sorted({name for one in book for name in one["scenes"]})
    return {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "jinhua-mirror",
        "title": f"{mark}Mirror of Sentinel-2 scenes",
        "description": "; ".join([f"{mark}Mirror written by jinhua-rs", *sources]),
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            *(
                {"rel": "item", "href": f"./items/{name}.json", "type": "application/geo+json"}
                for name in items
            ),
        ],
        _BOOK: sorted(book, key=lambda one: (one["period"], one["bounds"])),
    }


def book_of(folder: Path) -> list[dict[str, Any]]:
    """Entries of the periods that the folder's catalogue holds; none where there is none yet."""
    if not (folder / _CATALOG).exists():
        return []
    catalogue = store.read_json(folder / _CATALOG)
    book = catalogue.get(_BOOK) if isinstance(catalogue, dict) else None
    if not isinstance(book, list):
        raise ConfigError(
            f"{folder} holds another catalogue; choose another folder for the mirror",
            zh=f"{folder} 已有其他目录；请为镜像选择其他目录",
        )
    return book
