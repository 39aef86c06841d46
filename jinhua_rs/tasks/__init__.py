"""Run many independent pieces of work: one future each, with progress, failures kept apart."""

from jinhua_rs.tasks.places import pool
from jinhua_rs.tasks.pool import Pool, Progress
from jinhua_rs.tasks.work import Task

__all__ = ["Pool", "Progress", "Task", "pool"]
