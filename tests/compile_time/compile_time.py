"""What each header costs to compile, against the narrowest header of LibTorch that its piece needs:
prints a table, and fails if one costs more than limits.csv beside this file allows.

    python3 tests/compile_time/compile_time.py --torch FOLDER [--compiler g++]

A cost is the processor time of compiling a file that includes the header and nothing else, at -O2.
Noise only ever adds to it, so the least of several runs counts: a header above its limit is measured
again, and its reference right after it, up to RUNS times before it counts as a failure. SLACK is
added to each limit for what noise is left.
"""

import argparse
import concurrent.futures
import csv
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
LIMITS = pathlib.Path(__file__).with_name("limits.csv")
RUNS = 5
SLACK = 1.03


class Stopwatch:
    def __init__(self, command, folder):
        self.command, self.folder, self.least = command, folder, {}

    def measure(self, header):
        """Compiles it once more."""
        source = pathlib.Path(self.folder, header.replace("/", "_") + ".cpp")
        source.write_text(f"#include <{header}>\n")
        compiler = subprocess.Popen([*self.command, "-c", source, "-o", f"{source}.o"])
        _, status, usage = os.wait4(compiler.pid, 0)
        if status:
            sys.exit(f"compile_time: {header} does not compile")
        seconds = usage.ru_utime + usage.ru_stime
        self.least[header] = min(seconds, self.least.get(header, seconds))

    def ratio(self, row):
        return self.least[row["header"]] / self.least[row["reference"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--torch", type=pathlib.Path, required=True,
                        help="the folder of LibTorch that holds include/")
    parser.add_argument("--compiler", default="g++")
    arguments = parser.parse_args()
    torch = arguments.torch / "include"
    command = [arguments.compiler, "-std=c++20", "-O2", "-fopenmp", "-I", SOURCE / "include",
               "-isystem", torch, "-isystem", torch / "torch/csrc/api/include"]
    with open(LIMITS, newline="") as file:
        rows = list(csv.DictReader(file))

    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch(command, folder)
        headers = dict.fromkeys(row[key] for row in rows for key in ("reference", "header"))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(watch.measure, headers))
        for row in rows:
            row["limit"] = float(row["limit"])
            for _ in range(RUNS - 1):
                if watch.ratio(row) <= row["limit"]:
                    break
                watch.measure(row["header"])
                watch.measure(row["reference"])

    failed = False
    print("| header | seconds | reference | seconds | ratio | limit |\n|---|---|---|---|---|---|")
    for row in rows:
        over = watch.ratio(row) > row["limit"] * SLACK
        failed = failed or over
        print(f"| {row['header']} | {watch.least[row['header']]:.2f} | {row['reference']} "
              f"| {watch.least[row['reference']]:.2f} | {watch.ratio(row):.2f} | {row['limit']:.2f}"
              f"{' EXCEEDED' if over else ''} |")
    sys.exit(failed)


main()
