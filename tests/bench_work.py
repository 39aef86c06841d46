"""Pieces of work for the tests of the benchmarks: light, for a child process imports them."""

import subprocess
import sys
import time

MIB = 1024**2


def busy(seconds, mib, children):
    """Hold memory and burn CPU time, also in children."""
    held = bytearray(b"x") * (mib * MIB)
    spin = f"import time\nwhile time.process_time() < {seconds}: pass"
    for _ in range(children):
        subprocess.run([sys.executable, "-S", "-c", spin], check=True)
    _spin(seconds)
    return {"held": len(held) // MIB}


def prepared(seconds):
    """Burn CPU time before what is measured, in it, and in a child that lives on."""
    _spin(seconds)
    yield {}
    spin = (
        f"import time\nwhile time.process_time() < {seconds}: pass\nprint(1, flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-S", "-c", spin], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        _spin(seconds)
        yield {"done": True}
        child.stdin.write(b"\n")


def _spin(seconds):
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass


def fails():
    raise ValueError("out of squares")
