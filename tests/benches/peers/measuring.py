"""What every measuring process needs: seconds of a call, memory at its peak, one JSON line at the end."""

import json
import statistics
import time


def seconds(call, budget_s, at_least=3):
    """Median seconds of `call()` over `budget_s`, after one call that does not count."""
    call()
    times = []
    end = time.perf_counter() + budget_s
    while len(times) < at_least or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_mib():
    """The most memory that this process ever held (`VmHWM`)."""
    with open("/proc/self/status") as status:
        [line] = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def answer(**figures):
    """Hands the figures to `run.py`, which reads standard output."""
    print(json.dumps({**figures, "peak_mib": peak_mib()}))
