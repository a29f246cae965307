"""Runs every notebook from top to bottom with its reference, and prints CPU seconds and memory.

python tools/measure_notebooks.py [NAME...]
"""

import os
import resource
import subprocess
import sys
import tempfile
import time

from autograder.build import write
from autograder.config import Assignment, assignments


def measure(assignment: Assignment) -> tuple[float, float, float]:
    """CPU seconds, seconds, and the peak memory of the largest process so far in MB."""
    write(assignment)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                *(sys.executable, "-m", "jupyter", "nbconvert", "--execute", "--to", "notebook"),
                *("--ExecutePreprocessor.timeout=1800", "--output-dir", folder),
                "--ExecutePreprocessor.skip_cells_with_tag=none",
                str(assignment.source),
            ],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - started, after.ru_maxrss / 1024


if __name__ == "__main__":
    wanted = sys.argv[1:] or [each.name for each in assignments()]
    print("| assignment | CPU s | s | MB |\n| --- | --- | --- | --- |")
    for each in assignments():
        if each.name in wanted:
            cpu, seconds, memory = measure(each)
            print(f"| `{each.name}` | {cpu:.0f} | {seconds:.0f} | {memory:.0f} |", flush=True)
