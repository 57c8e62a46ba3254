"""Which lines of include/ the tests ran: prints gcovr's table, and fails if under 95 % of the lines
are covered, or if uncovered ones are not named with their reason in uncovered.txt beside this file.

    python3 tests/coverage/report.py BUILD      (after the tests of `cmake --preset coverage`)

uncovered.txt holds groups of lines of code, each after its reason. A line stands for itself and the
uncovered ones that follow on it:

    # why no test runs these
    include/regtorch/some/file.hpp: the line, as it is there
    ...

A reason that begins with a processor's flags in brackets ([avx512f avx512bw]) counts only where the
processor lacks one of them; elsewhere its lines are covered. A name that no uncovered line bears is
reported, and no error: what runs also depends on the machine and on who runs the tests.
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
        ["gcovr", "--root", SOURCE, "--filter", f"{re.escape(str(SOURCE))}/include/",
         "--json", report, "--txt", "-", build], check=True, capture_output=True, text=True).stdout
    print(table)
    return json.loads(report.read_text())["files"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build", type=pathlib.Path, help="the build tree, with the tests' counts")
    build = parser.parse_args().build.resolve()

    lines, uncovered, begins = 0, 0, []
    for file in measure(build):
        source = (SOURCE / file["file"]).read_text().splitlines()
        last_covered = True
        for line in file["lines"]:
            if line["gcovr/noncode"]:
                continue
            covered = line["count"] > 0
            if not covered and last_covered:
                number = line["line_number"]
                begins.append((f"{file['file']}: {source[number - 1].strip()}", number))
            lines, uncovered, last_covered = lines + 1, uncovered + (not covered), covered
    if not lines:
        sys.exit(f"coverage: no lines measured in {build}: did the tests run?")

    share = 100.0 * (lines - uncovered) / lines
    named = read_named(processor_flags())
    failures = [f"not covered and not named: line {number} of {name}"
                for name, number in begins if name not in named]
    if share < LEAST:
        failures.append(f"wanted at least {LEAST} % of the lines covered, got {share:.2f} %")
    for name in sorted(named - {name for name, _ in begins}):
        print(f"named but covered here, or not there: {name}")
    print(f"{lines - uncovered} of {lines} lines of include/ covered: {share:.2f} %")
    print("\n".join(failures) or
          f"the others are named with their reason in {NAMED.relative_to(SOURCE)}")
    sys.exit(bool(failures))


main()
