"""What a run is told: one TOML file, then environment, then command line; nothing unknown."""

from jinhua_rs.settings.loading import ENV_PREFIX, Sourced, load_settings
from jinhua_rs.settings.sections import (
    Area,
    Certificate,
    Cluster,
    Composite,
    Gates,
    Layers,
    Mask,
    Model,
    Output,
    Reference,
    Report,
    Run,
    Settings,
    Stac,
    Target,
    Time,
)

__all__ = [
    "ENV_PREFIX",
    "Area",
    "Certificate",
    "Cluster",
    "Composite",
    "Gates",
    "Layers",
    "Mask",
    "Model",
    "Output",
    "Reference",
    "Report",
    "Run",
    "Settings",
    "Sourced",
    "Stac",
    "Target",
    "Time",
    "load_settings",
]
