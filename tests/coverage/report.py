"""Which lines of include/ the tests ran: prints gcovr's table, and fails if under 95 % of the lines
are covered, or if an uncovered one is not named with its reason in uncovered.txt beside this file.

    python3 tests/coverage/report.py BUILD      (after the tests of `cmake --preset coverage`)

uncovered.txt holds groups of lines of code, each after its reason:

    # why no test runs these
    include/regtorch/some/file.hpp: the line, as it is there
    ...

A reason that begins with a processor's flags in brackets ([avx512f avx512bw]) counts only where the
processor lacks one of them; elsewhere its lines are covered. A name that no uncovered line bears is an
error too, so that the list stays true.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
NAMED = pathlib.Path(__file__).with_name("uncovered.txt")
LEAST = 95.0


def processor_flags():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    return set(re.search(r"^flags\s*: (.*)$", text, re.MULTILINE).group(1).split())


def read_named(flags):
    """The names, "file: code", that apply on a processor with these flags."""
    named, applies, reason = set(), True, ""
    for line in NAMED.read_text().splitlines():
        if line.startswith("#"):
            reason = line[1:].strip()
            needed = re.match(r"\[(.*?)\]", reason)
            applies = not needed or not flags.issuperset(needed.group(1).split())
        elif line.strip():
            if not reason:
                sys.exit(f"coverage: no reason given for '{line}' in {NAMED}")
            if applies:
                named.add(line.strip())
        else:
            reason = ""
    return named


def measure(build):
    """gcovr's files, each with its lines; prints its table."""
    report = build / "coverage.json"
    table = subprocess.run(
        ["gcovr", "--root", SOURCE, "--filter", f"{re.escape(str(SOURCE))}/include/", "-j", "2",
         "--json", report, "--txt", "-", build], check=True, capture_output=True, text=True).stdout
    print(table)
    return json.loads(report.read_text())["files"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build", type=pathlib.Path, help="the build tree, with the tests' counts")
    build = parser.parse_args().build.resolve()

    lines, uncovered = 0, []
    for file in measure(build):
        source = (SOURCE / file["file"]).read_text().splitlines()
        counted = [line for line in file["lines"] if not line["gcovr/noncode"]]
        lines += len(counted)
        uncovered += [(f"{file['file']}: {source[line['line_number'] - 1].strip()}",
                       line["line_number"]) for line in counted if line["count"] == 0]
    if not lines:
        sys.exit(f"coverage: no lines measured in {build}: did the tests run?")

    covered = 100.0 * (lines - len(uncovered)) / lines
    named = read_named(processor_flags())
    failures = [f"not covered and not named: line {number} of {name}"
                for name, number in uncovered if name not in named]
    failures += [f"named but covered, or not there: {name}"
                 for name in sorted(named - {name for name, _ in uncovered})]
    if covered < LEAST:
        failures.append(f"wanted at least {LEAST} % of the lines covered, got {covered:.2f} %")
    print(f"{lines - len(uncovered)} of {lines} lines of include/ covered: {covered:.2f} %; "
          f"{len(uncovered)} not, each named with its reason in {NAMED.relative_to(SOURCE)}"
          if not failures else "\n".join(failures))
    sys.exit(bool(failures))


main()
