"""The sections of the settings: every key with its type, default and meaning."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from jinhua_rs.grid import Grid
from jinhua_rs.period import Period
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.settings.alerts import Alerts
from jinhua_rs.settings.definitions import Definitions
from jinhua_rs.settings.patches import Patches
from jinhua_rs.settings.plan import TARGETS, THEMES, Section, Target, Theme

__all__ = [
    "Alerts", "Area", "Atlas", "Certificate", "Cluster", "Composite", "Features", "Gates",
    "Interpretation", "Layers", "Mask", "Model", "Output", "Patches", "Reference", "Refine",
    "Report", "Run", "Section", "Settings", "Stac", "Target", "Theme", "Time",
]  # fmt: skip

Share = Annotated[float, Field(ge=0, le=1)]


class Area(Section):
    """Where: reporting units and the grid."""

    units: Path | None = None
    """Layer of reporting units; empty means the nine counties of Jinhua that are built in."""
    code_field: str = "code"
    """Field that holds the unit's code, unique."""
    name_field: str = "name_zh"
    """Field that holds the unit's name."""
    level_field: str = ""
    """Field that holds city/county/township/zone; empty means that all are counties."""
    check_datum: bool = True
    """Compare the layer with the built-in city outline, to catch GCJ-02 shifts."""
    crs: str = "EPSG:4549"
    """Projected CRS of the grid, in which areas are measured."""
    resolution: Annotated[float, Field(gt=0)] = 10.0
    """Side of a pixel, metres."""
    tile_size: Annotated[int, Field(ge=16, le=4096)] = 1024
    """Side of a tile, pixels: the unit of work."""


class Time(Section):
    """Which periods are compared."""

    baseline: str = ""
    """Period with which a run is compared, same season; empty means no comparison."""


class Stac(Section):
    """Where imagery is found."""

    profile: str = "earth-search-c1"
    """Name of a file in ``stac/profiles``."""
    url: str = ""
    """API root or folder with ``catalog.json``; empty means the profile's own address."""
    collection: str = ""
    """Collection id; empty means the profile's own."""
    max_cloud: Annotated[float, Field(ge=0, le=100)] = 80.0
    """Scenes with more cloud than this are dropped, percent."""
    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    """How long one answer of the API is waited for, seconds."""
    retries: Annotated[int, Field(ge=0, le=20)] = 5
    """How often a failed request is tried again."""
    allowed_roots: tuple[Path, ...] = ()
    """Local folders from which imagery may be read; a file elsewhere is refused."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts from which imagery may be read, beside those of the profile."""


class Atlas(Section):
    """Where atlases are found: maps of other makers, and elevation (``stac/atlases``)."""

    url: str = ""
    """API root or folder with ``catalog.json``; empty means each atlas's own address."""


class Composite(Section):
    """How the clear looks of a period become one image."""

    bands: tuple[str, ...] = BAND_NAMES
    """Canonical bands to composite; a model needs those it was trained on."""
    method: Literal["geomedian", "median"] = "geomedian"
    """``geomedian`` keeps real spectra; ``median`` is cheaper, band by band."""
    min_clear: Annotated[int, Field(ge=1)] = 2
    """A pixel with fewer clear looks stays empty: a single look has no witness against a cloud."""
    widen_below: Annotated[int, Field(ge=0)] = 3
    """A pixel with fewer clear looks of the period itself may use those of the days around it."""
    widen_days: Annotated[int, Field(ge=0, le=92)] = 30
    """Days before and after the period that such a pixel may use, and is flagged; 0 is never."""
    season: tuple[str, ...] = ()
    """First and last day of the year that are used, ``("10-01", "12-31")``; empty is all."""
    screen_mads: Annotated[float, Field(ge=0)] = 4.0
    """A look this many deviations off its pixel's median is screened out; 0 is never."""
    engine: Literal["compiled", "library"] = "compiled"
    """``compiled`` is our kernels; ``library`` is GDAL, geomad and NumPy: slower, same answer."""


class Mask(Section):
    """Which looks are clear."""

    source: Literal["scl", "omnicloudmask"] = "scl"
    """``scl`` is Sen2Cor's scene classification; the other needs the extra ``clouds``."""
    opening_m: Annotated[float, Field(ge=0)] = 40.0
    """Cloudy specks narrower than twice this are taken for bright roofs, metres."""
    buffer_m: Annotated[float, Field(ge=0)] = 100.0
    """Clouds and shadows are grown by this much, metres."""
    dem: Path | None = None
    """Elevation, GeoTIFF, metres: SCL class 2 is then dropped where the terrain throws shade."""
    bare_ground: bool = False
    """A cloud of SCL with the colour of soil is none; three more bands are read for it."""


class Certificate(Section):
    """When a scene is set aside though its metadata look sound."""

    check: bool = True
    """Measure offset, registration and scene classification of every scene before it is used."""
    max_shift_px: Annotated[float, Field(gt=0)] = 1.5
    """Shift against the other scenes of the tile that is borne, pixels of 10 m."""


class Cluster(Section):
    """Where the work is done."""

    kind: Annotated[str, Field(pattern=r"^(local|slurm|tcp://[\w.\-]+:\d+)$")] = "local"
    """``local``, ``slurm``, or the address of a Dask scheduler that runs, ``tcp://host:port``."""
    queue: str = ""
    """Slurm partition; empty is the cluster's default."""
    jobs: Annotated[int, Field(ge=1)] = 1
    """Slurm jobs that are kept running."""
    cores: Annotated[int, Field(ge=1)] = 1
    """Cores of a job; one worker process for each."""
    memory_gib: Annotated[float, Field(gt=0)] = 4.0
    """Memory of each worker process."""
    walltime: Annotated[str, Field(pattern=r"^\d{1,3}:\d{2}:\d{2}$")] = "04:00:00"
    """Time limit of a job, ``HH:MM:SS``; workers retire before it ends."""
    interface: str = ""
    """Network interface between scheduler and workers, such as ``ib0``; empty is the default."""
    prologue: tuple[str, ...] = ()
    """Shell lines that a job runs first, such as ``module load python``."""
    directives: tuple[str, ...] = ()
    """Further Slurm options of a job, such as ``--account=forest``."""
    skip_directives: tuple[str, ...] = ()
    """Slurm options that the site refuses, such as ``--mem``."""
    task_minutes: Annotated[float, Field(ge=0)] = 0.0
    """A task that takes longer loses its worker, and is given up after three times; 0 is never."""
    wait_s: Annotated[float, Field(gt=0)] = 120.0
    """How long a scheduler without any worker is borne, seconds; Slurm's queue is not bounded."""


class Features(Section):
    """What a model is told of a pixel beside the period's own bands, indices and spreads."""

    seasons: tuple[Literal["Q1", "Q2", "Q3", "Q4"], ...] = ()
    """
    Companion quarters of the same calendar year, such as ``("Q1",)``: their bands, indices and
    spreads, and the change of the indices since then. What they did not see is not classified.
    """
    texture: bool = True
    """Spread of near infrared in 5 x 5 pixels."""
    terrain: bool = True
    """Height, slope and the side that it faces, where ``[mask] dem`` is set."""

    def companions(self, period: Period) -> dict[str, Period]:
        """Companion quarters of a period by the suffix of their features; never the period."""
        found = {name.lower(): Period(period.year, int(name[1])) for name in sorted(self.seasons)}
        return {name: quarter for name, quarter in found.items() if quarter != period}


class Model(Section):
    """Where the land-cover and canopy models come from."""

    file: Path | None = None
    """Folder of a model, or of models with ``CURRENT``; empty means: train one from ``samples``."""
    samples: Path | None = None
    """Points or polygons with ``class`` and/or ``canopy`` (0-1): GPKG, GeoParquet or CSV."""
    period: str = ""
    """Period of the samples; empty means the baseline, or the run's own."""
    also: tuple[str, ...] = ()
    """
    Periods of the same season, such as ``("2024Q4",)``, over which the samples are laid as well,
    where they still look the same: a model that saw one year alone is misled by the air of another.
    """
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "landcover"
    """Name of a model that is trained; of simulated data it gets ``sim-`` in front."""
    seed: int = 20200101
    """Of the forests and of the dealing of blocks."""
    block_m: Annotated[float, Field(gt=0)] = 5_000.0
    """Side of the spatial blocks that are held out together, metres."""
    trees: Annotated[int, Field(ge=10, le=1000)] = 100
    """Trees of a random forest; with ``tune`` the most that are tried."""
    tune: bool = False
    """Choose the size of the forest by blocks: the smallest of equal accuracy; takes minutes."""
    screen: Literal["off", "tell", "drop"] = "tell"
    """Labels that held-out forests do not believe: not asked, told in the card, or left out."""
    hysteresis: Annotated[float, Field(ge=0, lt=0.2)] = 0.02
    """
    A pixel changes between forest and other land since the baseline only if its canopy passes
    0.20 by this much; 0 is the plain cut.
    """


class Refine(Section):
    """How class probabilities become a map; 0 switches a step off."""

    window_m: Annotated[float, Field(ge=0)] = 70.0
    """Side of the neighbourhood that smooths probabilities, metres; 0 is no smoothing."""
    neigh_fraction: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the neighbours that count: those most probably of the class in hand."""
    smoothness: Annotated[float, Field(ge=0)] = 0.5
    """Variance of a single look, squared logits: the more, the smoother."""
    history_years: Annotated[int, Field(ge=0, le=5)] = 2
    """Years back from which the same season is heard, if it lies in the output root; 0 is never."""
    change_rate: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """Share of the ground that changes its class in a year, as expected beforehand."""
    line_rate: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the ground whose canopy may pass 0.20 in a year, as expected beforehand."""
    min_patch_mu: Annotated[float, Field(ge=0)] = 1.0
    """Patches of tree cover smaller than this are dropped, 亩; 0 is never."""
    applicability: bool = True
    """Mark ground unlike anything in training, on a map and by unit."""
    fill_holes_m2: Annotated[float, Field(ge=0)] = 400.0
    """Holes in tree cover smaller than this are closed, m²; 0 is never."""

    def rim(self, resolution: float) -> int:
        """Pixels to each side that smoothing looks at: 3 of 10 m; none where pixels are large."""
        return min(7, int(self.window_m / 2 // resolution))


class Reference(Section):
    """Independent reference sample from which intervals are estimated."""

    file: Path | None = None
    """Point layer with columns ``point``, ``period``, ``canopy`` (0-1)."""


class Layers(Section):
    """Layers that the bureau supplies, none of them needed: without one its column stays "—"."""

    townships: Path | None = None
    """Townships, with a field ``name``, ``name_zh``, ``XZQMC`` or ``乡镇``."""
    basic_farmland: Path | None = None
    """Permanent basic farmland, on which planting trees is forbidden."""
    red_line: Path | None = None
    """Ecological protection red line."""
    reserves: Path | None = None
    """Nature reserves."""
    parcels: Path | None = None
    """Planting parcels as reported."""
    permits: Path | None = None
    """Felling permits."""
    mines: Path | None = None
    """Mines and quarries."""
    land_use: Path | None = None
    """Land use with codes of the third land survey (三调) in ``DLBM``; forest and garden land."""


class Interpretation(Section):
    """How a reference sample is planned, handed out and read back."""

    city_points: Annotated[float, Field(gt=0, lt=50)] = 1.0
    """Half width of the city's 95 % interval to plan for, percentage points."""
    county_points: Annotated[float, Field(gt=0, lt=50)] = 3.0
    """The same for each county."""
    accuracy_forest: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """User's accuracy to expect of mapped tree cover."""
    accuracy_other: Annotated[float, Field(gt=0, lt=1)] = 0.93
    """The same of other land."""
    allocation: Literal["proportional", "neyman"] = "proportional"
    """Points by area, or by area × spread, which needs fewer if the accuracies hold."""
    minimum: Annotated[int, Field(ge=2)] = 20
    """Points of every stratum, however rare."""
    buffer_px: Annotated[int, Field(ge=1, le=50)] = 3
    """Strata of change: width of the stratum beside mapped change, pixels."""
    second_share: Annotated[float, Field(ge=0.2, le=1)] = 0.2
    """Share of the points that a second interpreter reads too."""
    first_reader: str = ""
    """Name of the first interpreter, printed on the form; empty leaves a line to fill in."""
    second_reader: str = ""
    """The same of the second."""


class Gates(Section):
    """When a number is not published."""

    min_clear_share: Share = 0.60
    """Share of a unit's area that must be seen clear."""
    max_failed_assets: Share = 0.02
    """Share of a period's assets that may fail to be read."""


class Run(Section):
    """How a run uses the machine."""

    workers: Annotated[int, Field(ge=0)] = 0
    """Worker processes; 0 means one for each core. 1 works in this very process."""
    memory_gib: Annotated[float, Field(gt=0)] = 4.0
    """Memory limit of each worker."""


class Output(Section):
    """Where products go."""

    root: Path = Path("outputs")
    """Folder below which each period gets its own."""


class Report(Section):
    """How people are spoken to."""

    languages: Annotated[tuple[Literal["zh", "en"], ...], Field(min_length=1)] = ("zh", "en")
    """Languages in which figures are drawn."""
    area_name: str = "Jinhua"
    """Name of the whole area, English."""
    area_name_zh: str = "金华市"
    """Name of the whole area, Chinese."""
    label: str = ""
    """Mark of simulated data, printed on every page and file; empty means SIMULATED."""
    label_zh: str = ""
    """The same mark in Chinese."""
    credits: tuple[str, ...] = ()
    """Sources that must be named beside every product, besides those the program knows."""
    simulated: bool = False
    """True for the twin: every product carries the mark."""


class Settings(Section):
    """Everything a run is told. Unknown keys are refused."""

    area: Area = Area()
    time: Time = Time()
    stac: Stac = Stac()
    atlas: Atlas = Atlas()
    mask: Mask = Mask()
    composite: Composite = Composite()
    certificate: Certificate = Certificate()
    features: Features = Features()
    model: Model = Model()
    refine: Refine = Refine()
    reference: Reference = Reference()
    interpretation: Interpretation = Interpretation()
    layers: Layers = Layers()
    alerts: Alerts = Alerts()
    patches: Patches = Patches()
    gates: Gates = Gates()
    definitions: Definitions = Definitions()
    targets: dict[str, Target] = TARGETS
    themes: dict[str, Theme] = THEMES
    run: Run = Run()
    cluster: Cluster = Cluster()
    output: Output = Output()
    report: Report = Report()

    @property
    def grid(self) -> Grid:
        """The pixel grid of ``[area]``."""
        return Grid(self.area.crs, self.area.resolution, self.area.tile_size)

    @property
    def all_year(self) -> "Settings":
        """The same without ``[composite] season``."""
        whole = self.composite.model_copy(update={"season": ()})
        return self.model_copy(update={"composite": whole})

    @property
    def atlas_stac(self) -> Stac:
        """How atlases are asked for: at their own address, as patiently as ``[stac]``."""
        return self.stac.model_copy(update={"url": self.atlas.url, "collection": ""})
