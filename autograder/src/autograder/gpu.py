"""What processes hold of the memory of GPUs, as NVIDIA's driver says."""

import contextlib
from collections import Counter

import pynvml


def memory_used() -> Counter[int]:
    """Bytes by process, on all GPUs together.

    None where there is no driver, or where it does not say: under Windows it does not count by
    process, and in a container it may call processes by the numbers they have outside.
    """
    used: Counter[int] = Counter()
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        for number in range(pynvml.nvmlDeviceGetCount()):
            device = pynvml.nvmlDeviceGetHandleByIndex(number)
            for process in pynvml.nvmlDeviceGetComputeRunningProcesses(device):
                used[process.pid] += process.usedGpuMemory or 0
    return used
