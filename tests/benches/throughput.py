"""How many searches a second a daemon answers, against another build of it in turns.

    python tests/benches/throughput.py PIXDEX [OTHER] [--pictures N] [--seconds N] [--turns N]
    python tests/benches/throughput.py PIXDEX --soak-minutes 10

PIXDEX and OTHER are programs; `wrk` (a Debian package) asks them for words of its own each time, over 1, 8 and 64 connections: first
with nothing else to do, and then while a first index of N drawn pictures is made. Printed are searches a second and p99 of each turn,
the answers that were none, and the medians' ratio. The soak has 64 connections ask one daemon for a mixture of everything that reads,
and prints its memory by the minute. Needs Pillow and NumPy.
"""

import argparse
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from under_load import SET, WORDS, Daemon, draw

LIST = ", ".join(f"'{word}'" for word in WORDS)
SEARCHES = f"local words = {{{LIST}}}" + """
function request()
  local w = function() return words[math.random(#words)] end
  return wrk.format("GET", "/api/v1/search?limit=20&q=" .. w() .. "+" .. w() .. "+" .. w())
end
"""

MIXTURE = """
local paths = {"/api/v1/search?q=red+car&limit=20", "/api/v1/images?order=-taken&limit=5", "/api/v1/tags", "/api/v1/status",
  "/metrics", "/health/ready", "/api/v1/search?q=blue+star&facets=true"}
local n = 0
function request() n = n + 1; return wrk.format("GET", paths[n % #paths + 1]) end
"""

UNITS_MS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}


def load(address, script, clients, seconds):
    """Searches a second, the milliseconds within which 99 % are answered, and answers that are none."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", file.name, f"http://{address}"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", said)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", said).groups()
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    errors = int(failed[1]) if failed else 0
    return rate, float(value) * UNITS_MS[unit], errors + sum(map(int, broken.groups() if broken else ()))


def started(pixdex, folder):
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels/set.toml").write_text(SET.format(threshold=0.5))
    return Daemon(pixdex, folder, "bundled")


def queued(status):
    return status["files"].get("pending", 0)


def resident_mib(daemon):
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) // 1024


def compare(arguments, folder):
    (folder / "pictures").mkdir()
    draw(folder / "drawn", 200)
    few = sorted((folder / "drawn").iterdir())[:100]
    drawn = [path.read_bytes() for path in (folder / "drawn").iterdir()]
    results = {}
    for _ in range(arguments.turns):
        for program in arguments.programs:
            for path in few:
                shutil.copy(path, folder / "pictures")
            daemon = started(program, folder)
            daemon.wait(lambda status: status["images"] >= len(few))
            for clients in (1, 8, 64):
                results.setdefault((clients, "idle"), {}).setdefault(program, []).append(
                    load(daemon.address, SEARCHES, clients, arguments.seconds))
            for clients in (1, 8, 64):
                batch = folder / "pictures" / f"while-{clients}"
                batch.mkdir()
                for number in range(arguments.pictures):
                    # The same pictures, and not the same bytes: nothing of them is known.
                    content = drawn[number % len(drawn)] + f"{clients}/{number}".encode()
                    (batch / f"{number}.jpg").write_bytes(content)
                daemon.wait(lambda status: queued(status) > 0)
                results.setdefault((clients, "indexing"), {}).setdefault(program, []).append(
                    load(daemon.address, SEARCHES, clients, arguments.seconds))
                still = queued(daemon.ask("status"))
                assert still > 0, "all was indexed before the measurement ended: ask for more pictures"
                shutil.rmtree(batch)
                daemon.wait(lambda status: queued(status) == 0)
            daemon.stop()
            shutil.rmtree(folder / "library")
            shutil.rmtree(folder / "pictures")
            (folder / "pictures").mkdir()
    for (clients, state), of in results.items():
        medians = []
        for program, turns in of.items():
            rates, p99s, errors = zip(*turns, strict=True)
            medians.append((statistics.median(rates), statistics.median(p99s)))
            told = ", ".join(f"{rate:.0f}/s" for rate in rates)
            print(f"{clients} {state} {program}: {told}; p99 {medians[-1][1]:.2f} ms, {sum(errors)} errors")
        if len(medians) == 2:
            (rate, p99), (other_rate, other_p99) = medians
            print(f"{clients} {state}: {rate / other_rate:.2f} x the searches, {p99 / other_p99:.2f} x the p99")


def soak(arguments, folder):
    draw(folder / "pictures", 100)
    daemon = started(arguments.programs[0], folder)
    daemon.wait(lambda status: status["images"] >= 100)
    resident, asked, worst, failed = [resident_mib(daemon)], 0, 0.0, 0
    for _ in range(arguments.soak_minutes):
        start = time.monotonic()
        rate, p99, errors = load(daemon.address, MIXTURE, 64, 60)
        resident.append(resident_mib(daemon))
        asked, worst, failed = asked + int(rate * (time.monotonic() - start)), max(worst, p99), failed + errors
    print(f"64 clients, {arguments.soak_minutes} minutes: {asked} requests, {failed} errors, p99 {worst:.1f} ms at worst, MiB {resident}")
    daemon.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="+", metavar="PIXDEX")
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--soak-minutes", type=int)
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pixdex-throughput-"))
    try:
        (soak if arguments.soak_minutes else compare)(arguments, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
