"""The certificate of a period: offset, registration and classes of each scene, by its pixels."""

from jinhua_rs.certificate.document import Certificate, SceneVerdict, StepVerdict, Summary
from jinhua_rs.certificate.examine import SceneEvidence, examine
from jinhua_rs.certificate.judge import judge
from jinhua_rs.certificate.seam import Step, measure_step, pairs

__all__ = [
    "Certificate",
    "SceneEvidence",
    "SceneVerdict",
    "Step",
    "StepVerdict",
    "Summary",
    "examine",
    "judge",
    "measure_step",
    "pairs",
]
