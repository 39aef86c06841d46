"""How QGIS shows patches: colours by kind and state, aliases, forms with drop-downs."""

from xml.etree import ElementTree as ET

from jinhua_rs.delivery.fields import FIELDS, ID
from jinhua_rs.patches import KINDS, State
from jinhua_rs.qgis import Column, document, fill_form, symbol

__all__ = ["FORM", "KIND_COLOURS", "qml"]

KIND_COLOURS = {"loss": (209, 52, 43), "gain": (47, 111, 208)}
"""Red for loss, blue for gain, as on the maps of change."""
FORM = tuple(
    Column(
        field.key, field.zh, field.en, tuple((one, one) for one in field.choices),
        editable=field.answer,
    )
    for field in FIELDS
)  # fmt: skip
"""The fields as QGIS shows them."""
_FILLED = {State.OPEN: 0, State.FIELD: 60, State.CONFIRMED: 150, State.REPAIR: 110}
"""How opaque a patch is filled, 0-255; states that are not named are grey."""


def qml(title: str, label: str) -> str:
    """
    Return the style as QML of QGIS 3.22, whole: symbols, labels, aliases and form.

    Simulated data carry their mark, ``label``, in the label of every patch.
    """
    root = ET.Element("qgis", version="3.22.0", styleCategories="AllStyleCategories")
    root.set("labelsEnabled", "1")
    _renderer(root)
    _labels(root, label)
    fill_form(root, FORM)
    ET.SubElement(root, "mapTip").text = f'{title}: [% "{ID}" %]'
    ET.SubElement(root, "layerGeometryType").text = "2"
    return document(root)


def _renderer(root: ET.Element) -> None:
    """Put one symbol a kind and state; whatever is settled is grey."""
    renderer = ET.SubElement(root, "renderer-v2", type="RuleRenderer", symbollevels="0")
    rules = ET.SubElement(renderer, "rules", key="all")
    symbols = ET.SubElement(renderer, "symbols")
    for kind, names in KINDS.items():
        for state in State:
            number = str(len(symbols))
            colour = KIND_COLOURS[kind] if state in _FILLED else (150, 150, 150)
            ET.SubElement(
                rules, "rule", key=f"r{number}", symbol=number, label=f"{names[0]} · {state}",
                filter=f"\"LX\" = '{names[0]}' AND \"ZT\" = '{state}'",
            )  # fmt: skip
            _symbol(symbols, number, colour, _FILLED.get(state, 40))


def _symbol(symbols: ET.Element, number: str, colour: tuple[int, int, int], opacity: int) -> None:
    red, green, blue = colour
    options = {
        "color": f"{red},{green},{blue},{opacity}",
        "outline_color": f"{red},{green},{blue},255",
        "outline_style": "solid",
        "outline_width": "0.5",
        "outline_width_unit": "MM",
        "style": "solid",
    }
    symbol(symbols, number, ("fill", "SimpleFill"), options)


def _labels(root: ET.Element, label: str) -> None:
    """Write period and number of a patch beside it, from 1:25,000 on."""
    number = f'right("{ID}", 11)'
    labeling = ET.SubElement(root, "labeling", type="simple")
    settings = ET.SubElement(labeling, "settings")
    ET.SubElement(
        settings, "text-style", isExpression="1",
        fieldName=f"{number} || '\n{label}'" if label else number,
        fontSize="9", textColor="31,42,46,255",
    )  # fmt: skip
    ET.SubElement(settings, "rendering", scaleVisibility="1", scaleMin="0", scaleMax="25000")
