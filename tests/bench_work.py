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
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass
    return {"held": len(held) // MIB}


def fails():
    raise ValueError("out of squares")
