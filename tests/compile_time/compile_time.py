"""Compiles each header of include/ alone, warnings being errors, and measures what it costs, against
the narrowest header of LibTorch that its piece needs: prints a table, and fails if one does not
compile or costs more than limits.csv beside this file allows.

    cmake --preset dev && cmake --build --preset dev --target headers

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

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"
LIMITS = pathlib.Path(__file__).with_name("limits.csv")
RUNS = 3
SLACK = 1.03


class Stopwatch:
    def __init__(self, command, folder):
        self.command, self.folder, self.least = command, folder, {}

    def measure(self, header):
        """Compiles it once more; whether that went well."""
        source = pathlib.Path(self.folder, header.replace("/", "_") + ".cpp")
        source.write_text(f"#include <{header}>\n")
        compiler = subprocess.Popen([*self.command, "-c", source, "-o", f"{source}.o"])
        _, status, usage = os.wait4(compiler.pid, 0)
        seconds = usage.ru_utime + usage.ru_stime
        self.least[header] = min(seconds, self.least.get(header, seconds))
        return status == 0

    def ratio(self, row):
        return self.least[row["header"]] / self.least[row["reference"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--system-include", action="append", default=[], help="LibTorch's folders")
    parser.add_argument("options", nargs="*", help="further options for the compiler, after --")
    arguments = parser.parse_args()
    command = [arguments.compiler, "-std=c++20", "-O2", "-fopenmp", "-Werror", *arguments.options,
               "-I", INCLUDE]
    for folder in arguments.system_include:
        command += ["-isystem", folder]
    with open(LIMITS, newline="") as file:
        rows = list(csv.DictReader(file))

    ours = sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.hpp"))
    headers = list(dict.fromkeys([row["reference"] for row in rows] + ours))
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch(command, folder)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            good = list(pool.map(watch.measure, headers))
        broken = [header for header, compiled in zip(headers, good) if not compiled]
        if broken:
            sys.exit(f"compile_time: does not compile alone, without a warning: {', '.join(broken)}")
        failed = False
        print("| header | seconds | reference | seconds | ratio | limit |\n|---|---|---|---|---|---|")
        for row in rows:
            limit = float(row["limit"])
            for _ in range(RUNS - 1):
                if watch.ratio(row) <= limit:
                    break
                watch.measure(row["header"])
                watch.measure(row["reference"])
            over = watch.ratio(row) > limit * SLACK
            failed = failed or over
            print(f"| {row['header']} | {watch.least[row['header']]:.2f} | {row['reference']} "
                  f"| {watch.least[row['reference']]:.2f} | {watch.ratio(row):.2f} | {limit:.2f}"
                  f"{' EXCEEDED' if over else ''} |", flush=True)
    print(f"{len(ours)} headers compile alone, without a warning")
    sys.exit(failed)


main()
