"""
Where things are in the simulated Jinhua: ranges, rivers, towns, reservoirs, forest shares.

Rough sketches in longitude and latitude that give the twin the face of the place; they are
neither surveyed nor meant for any use outside the simulation.
"""

from dataclasses import dataclass

from pyproj import Transformer

__all__ = [
    "CENTRE",
    "CRS",
    "FOREST_SHARES",
    "RANGES",
    "RESERVOIRS",
    "RIVERS",
    "ROADS",
    "TOWNS",
    "Line",
    "Place",
    "Vertex",
]

CRS = "EPSG:4549"
"""Ground coordinates of the twin, metres (CGCS2000, 3-degree Gauss-Krueger, 120 E)."""
CENTRE = (500_000.0, 3_220_000.0)
"""Easting and northing from which the sketches below are measured, m."""


@dataclass(frozen=True, slots=True)
class Vertex:
    """
    A vertex of a range or river, ``x``, ``y`` km east and north of ``CENTRE``.

    Ranges: ``first`` height of the crest above the floor (m), ``second`` half-width (km).
    Rivers: ``first`` height of the valley floor (m), ``second`` half-width of the water (m).
    """

    x: float
    y: float
    first: float
    second: float

    @property
    def position(self) -> tuple[float, float]:
        """Both coordinates, km."""
        return self.x, self.y


Line = tuple[Vertex, ...]
"""A polyline along which two values vary."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place ``x``, ``y`` km east and north of ``CENTRE``, of ``radius`` km."""

    x: float
    y: float
    radius: float

    @property
    def position(self) -> tuple[float, float]:
        """Both coordinates, km."""
        return self.x, self.y


_TO_GROUND = Transformer.from_crs("EPSG:4490", CRS, always_xy=True)


def _ground(longitude: float, latitude: float) -> tuple[float, float]:
    east, north = _TO_GROUND.transform(longitude, latitude)
    return (east - CENTRE[0]) / 1000, (north - CENTRE[1]) / 1000


def _line(*vertices: tuple[float, float, float, float]) -> Line:
    return tuple(Vertex(*_ground(*vertex[:2]), *vertex[2:]) for vertex in vertices)


def _place(longitude: float, latitude: float, radius: float) -> Place:
    return Place(*_ground(longitude, latitude), radius)


# longitude, latitude, crest above the floor (m), half-width (km)
RANGES: tuple[Line, ...] = (
    # 金华山（北山）
    _line(
        (119.53, 29.24, 500, 4),
        (119.64, 29.23, 1150, 6),
        (119.76, 29.29, 1050, 7),
        (119.93, 29.38, 850, 6),
        (120.02, 29.40, 500, 4),
    ),
    # 龙门山
    _line(
        (119.55, 29.48, 700, 7),
        (119.70, 29.60, 1000, 8),
        (119.88, 29.62, 1050, 8),
        (120.02, 29.63, 850, 6),
    ),
    # 千里岗 东支
    _line((119.16, 29.42, 900, 8), (119.30, 29.33, 650, 7), (119.33, 29.22, 350, 5)),
    # 会稽山
    _line(
        (120.14, 29.42, 500, 5),
        (120.30, 29.46, 700, 7),
        (120.46, 29.52, 900, 8),
        (120.62, 29.40, 700, 8),
    ),
    # 大盘山
    _line(
        (120.42, 29.20, 480, 7),
        (120.52, 29.02, 760, 11),
        (120.66, 29.12, 680, 11),
        (120.76, 29.24, 620, 9),
        (120.62, 28.88, 720, 10),
    ),
    # 仙霞岭
    _line(
        (119.18, 28.88, 750, 8),
        (119.42, 28.80, 880, 9),
        (119.60, 28.70, 1050, 10),
        (119.80, 28.62, 950, 10),
        (119.96, 28.68, 750, 8),
    ),
    # 括苍山 北支
    _line((120.00, 28.72, 750, 7), (120.18, 28.76, 850, 8), (120.34, 28.86, 900, 8)),
    # 金衢与永武盆地之间的丘陵
    _line(
        (119.74, 29.00, 350, 4),
        (119.88, 29.03, 650, 5.5),
        (120.04, 29.08, 750, 6),
        (120.22, 29.06, 700, 6),
        (120.36, 29.00, 700, 7),
    ),
    # 东阳江与南江之间
    _line((120.14, 29.21, 220, 3), (120.30, 29.20, 450, 4), (120.44, 29.16, 700, 6)),
    # 浦江与义乌之间
    _line((119.88, 29.39, 600, 5), (120.06, 29.40, 520, 4.5), (120.16, 29.44, 500, 4)),
    # beyond the city: the mountains of 丽水, 杭州 and 绍兴
    _line(
        (118.90, 28.60, 1000, 12),
        (119.35, 28.45, 1100, 14),
        (120.10, 28.42, 950, 14),
        (120.60, 28.62, 1000, 12),
        (121.00, 28.90, 800, 12),
    ),
    _line((119.10, 29.75, 800, 12), (119.60, 29.82, 700, 10), (120.05, 29.85, 500, 8)),
    _line((120.80, 29.48, 700, 10), (121.00, 29.25, 750, 10)),
)

# longitude, latitude, valley floor (m), half-width of the water (m)
RIVERS: tuple[Line, ...] = (
    # 东阳江
    _line(
        (120.62, 29.22, 330, 14),
        (120.50, 29.20, 190, 22),
        (120.41, 29.235, 140, 30),
        (120.30, 29.27, 88, 45),
        (120.20, 29.27, 75, 55),
        (120.08, 29.29, 62, 65),
        (120.00, 29.21, 52, 75),
        (119.88, 29.155, 43, 85),
        (119.76, 29.12, 38, 95),
        (119.66, 29.095, 35, 100),
    ),
    # 南江
    _line(
        (120.50, 29.08, 420, 10),
        (120.43, 29.10, 210, 16),
        (120.34, 29.14, 110, 25),
        (120.22, 29.17, 78, 32),
        (120.10, 29.185, 60, 40),
        (120.00, 29.21, 52, 45),
    ),
    # 武义江
    _line(
        (120.28, 28.96, 190, 14),
        (120.15, 28.93, 110, 25),
        (120.04, 28.89, 88, 38),
        (119.92, 28.90, 72, 48),
        (119.82, 28.91, 62, 55),
        (119.74, 28.98, 48, 62),
        (119.69, 29.05, 39, 70),
        (119.66, 29.095, 35, 75),
    ),
    # 金华江
    _line(
        (119.66, 29.095, 35, 120),
        (119.60, 29.105, 33, 125),
        (119.54, 29.13, 31, 130),
        (119.47, 29.19, 28, 140),
    ),
    # 衢江、兰江
    _line(
        (119.10, 29.03, 45, 150),
        (119.24, 29.05, 39, 155),
        (119.33, 29.09, 35, 160),
        (119.42, 29.15, 31, 165),
        (119.47, 29.19, 28, 175),
        (119.465, 29.28, 26, 190),
        (119.50, 29.38, 24, 195),
        (119.51, 29.56, 22, 200),
        (119.44, 29.80, 20, 210),
    ),
    # 浦阳江
    _line(
        (119.70, 29.50, 260, 12),
        (119.78, 29.475, 110, 20),
        (119.89, 29.455, 52, 30),
        (120.00, 29.47, 34, 38),
        (120.10, 29.50, 26, 45),
        (120.20, 29.60, 18, 55),
        (120.25, 29.75, 12, 60),
    ),
    # 梅溪、白沙溪（南来诸水）
    _line(
        (119.40, 28.78, 420, 10),
        (119.47, 28.87, 210, 14),
        (119.53, 28.97, 95, 20),
        (119.58, 29.05, 45, 28),
        (119.60, 29.105, 33, 32),
    ),
    # 宣平溪
    _line(
        (119.56, 28.80, 480, 10),
        (119.64, 28.70, 330, 18),
        (119.70, 28.60, 210, 26),
        (119.76, 28.45, 110, 34),
    ),
    # 文溪、好溪
    _line(
        (120.52, 29.00, 560, 9),
        (120.46, 28.90, 340, 14),
        (120.36, 28.80, 210, 22),
        (120.26, 28.68, 140, 30),
    ),
    # 始丰溪
    _line((120.62, 29.10, 520, 9), (120.74, 29.05, 280, 16), (120.90, 29.08, 110, 28)),
)

TOWNS: tuple[Place, ...] = (
    _place(119.66, 29.095, 6.2),  # 金华
    _place(120.075, 29.315, 6.6),  # 义乌
    _place(120.235, 29.27, 4.6),  # 东阳
    _place(120.035, 28.905, 4.8),  # 永康
    _place(119.47, 29.21, 3.2),  # 兰溪
    _place(119.885, 29.455, 3.2),  # 浦江
    _place(119.815, 28.90, 3.0),  # 武义
    _place(120.445, 29.055, 1.1),  # 磐安
    _place(120.32, 29.145, 2.4),  # 横店
    _place(120.01, 29.205, 1.6),  # 佛堂
    _place(119.86, 29.165, 1.8),  # 孝顺
    _place(119.44, 29.08, 1.5),  # 汤溪
    _place(119.33, 29.10, 1.2),  # 游埠
    _place(120.14, 28.97, 1.8),  # 古山
    _place(120.02, 29.48, 1.3),  # 黄宅
    _place(120.37, 29.36, 1.0),  # 巍山
    _place(119.69, 28.69, 0.8),  # 柳城
    _place(120.66, 29.16, 0.8),  # 尖山
)

ROADS: tuple[tuple[int, int], ...] = (
    (0, 1),
    (1, 2),
    (0, 4),
    (0, 6),
    (6, 3),
    (1, 5),
    (2, 8),
    (8, 7),
    (1, 9),
    (9, 10),
    (10, 0),
    (0, 11),
    (11, 12),
    (12, 4),
    (3, 13),
    (3, 8),
    (5, 14),
    (14, 1),
    (2, 15),
    (6, 16),
    (7, 17),
)
"""Pairs of ``TOWNS`` that a main road joins."""

RESERVOIRS: tuple[Place, ...] = (
    _place(120.43, 29.225, 2.6),  # 横锦
    _place(120.41, 29.105, 2.0),  # 南江
    _place(119.80, 29.475, 1.9),  # 通济桥
    _place(119.52, 28.955, 2.0),  # 金兰
    _place(119.46, 28.86, 1.6),  # 沙畈
    _place(119.70, 28.83, 1.7),  # 源口
    _place(120.20, 28.93, 1.9),  # 杨溪
    _place(120.06, 29.385, 1.2),  # 岩口
    _place(119.97, 29.07, 1.3),  # 枫坑
    _place(120.56, 29.16, 1.6),  # 五丈岩
    _place(119.36, 29.26, 1.2),  # 城头
)

FOREST_SHARES: dict[str, float] = {
    "330702": 0.60,  # 婺城
    "330703": 0.40,  # 金东
    "330723": 0.74,  # 武义
    "330726": 0.66,  # 浦江
    "330727": 0.78,  # 磐安
    "330781": 0.50,  # 兰溪
    "330782": 0.50,  # 义乌
    "330783": 0.63,  # 东阳
    "330784": 0.56,  # 永康
}
"""
Tree cover (canopy ≥ 0.20) before any event, share of the county's area.

磐安, 武义, 义乌 and the city's total (61-62 %) follow the figures that the governments
publish; the others are chosen to fit the total.
"""
