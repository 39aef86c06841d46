"""Keep a cluster of our own at its number."""

from collections.abc import Sequence

from distributed import SpecCluster

__all__ = ["refill"]


def refill(cluster: SpecCluster, wanted: int, ended: Sequence[object] = ()) -> None:
    """
    Forget the workers or jobs that have ended, and start as many as are missing.

    Parameters
    ----------
    cluster : SpecCluster
    wanted : int
        Workers of a LocalCluster, jobs of a SLURMCluster.
    ended : sequence
        Names of those that will not come back by themselves.

    Raises
    ------
    RuntimeError
        If one cannot be started, with the reason.
    """
    cluster.sync(cluster.scale_down, ended)
    while len(cluster.worker_spec) < wanted:
        cluster.worker_spec.update(cluster.new_worker_spec())
    cluster.sync(cluster.scale_down, ())  # also starts what is missing
