#!/usr/bin/env python3
"""Runs the fuzz targets: each on its kept corpus, and for a while on what libFuzzer makes of it.

    cmake --workflow --preset fuzz
    tests/fuzz/run.py build/fuzz                          # half a minute each, two at a time
    tests/fuzz/run.py build/fuzz --seconds 0              # the kept inputs alone
    tests/fuzz/run.py build/fuzz --seconds 900 cifar      # one target, longer
    tests/fuzz/run.py build/fuzz --seconds 900 --keep     # and keep inputs that reach new code

A finding ends its target; the input that shows it is then in BUILD/fuzz/TARGET/, and the exit status
is 1. Run the target with that file as its argument to see it again; once it is fixed, the file goes
into tests/fuzz/corpus/TARGET/ and stays there.

Before anything else it is checked that a target with a known defect ends in a finding.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# For a target of its own each: what to put together, and how long an input may be.
LONGEST = {"cifar": 4096, "state_dict_file": 8192, "smoothed_cross_entropy": 4096}
LIMITS = ["-timeout=30", "-rss_limit_mb=2048", "-malloc_limit_mb=1024"]


class Target:
    def __init__(self, name, build):
        self.name = name
        self.program = build / "tests" / "fuzz" / f"fuzz_{name}"
        self.folder = build / "fuzz" / name
        self.found = self.folder / "corpus"
        self.kept = HERE / "corpus" / name

    def command(self, *options):
        dictionary = HERE / "dictionaries" / f"{self.name}.txt"
        command = [str(self.program), *LIMITS, *options]
        command += [f"-max_len={LONGEST.get(self.name, 1024)}", f"-artifact_prefix={self.folder}/"]
        return command + ([f"-dict={dictionary}"] if dictionary.exists() else [])

    def run(self, seconds):
        """(whether nothing was found, a line that says what was done)"""
        self.found.mkdir(parents=True, exist_ok=True)
        kept = sorted(str(file) for file in self.kept.iterdir()) if self.kept.is_dir() else []
        if seconds > 0:
            command = self.command(f"-max_total_time={seconds}", "-print_final_stats=1", str(self.found))
            command += [str(self.kept)] if kept else []
        elif kept:
            command = self.command(*kept)
        else:
            return False, f"{self.name}: no kept corpus"
        log = self.folder / "log"
        with log.open("w") as file:
            status = subprocess.run(command, stdout=file, stderr=file, env=environment()).returncode
        text = log.read_text(errors="replace")
        if status != 0:
            return False, f"{self.name}: FINDING, status {status}, see {log}\n" + text[-6000:]
        if seconds == 0:
            done = text.count("Executed ")
            return done == len(kept), f"{self.name}: {done} of {len(kept)} kept inputs"
        executed = int(re.findall(r"stat::number_of_executed_units: (\d+)", text)[-1])
        coverage, features = re.findall(r"cov: (\d+) ft: (\d+)", text)[-1]
        line = f"{self.name}: {executed} executions, coverage {coverage}, features {features}"
        return executed > len(kept), line

    def keep(self):
        """Adds the least set of inputs that reach what the kept ones do not."""
        kept = HERE / "corpus" / self.name
        kept.mkdir(parents=True, exist_ok=True)
        command = self.command("-set_cover_merge=1", str(kept), str(self.found))
        with (self.folder / "log.keep").open("w") as file:
            subprocess.run(command, stdout=file, stderr=file, env=environment(), check=True)


def environment():
    # Scratch files in memory: they are written thousands of times a second.
    memory = "/dev/shm"
    return dict(os.environ, TMPDIR=memory) if os.path.isdir(memory) else dict(os.environ)


def check_that_defects_are_found(build):
    target = Target("broken", build)
    shutil.rmtree(target.folder, ignore_errors=True)
    good, line = target.run(60)
    if good or "heap-buffer-overflow" not in line or not list(target.folder.glob("crash-*")):
        sys.exit("fuzz: the target with a known defect did not end in that finding:\n" + line)
    print("broken: its defect was found, as it must be", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, help="folder of a build with REGTORCH_FUZZ")
    parser.add_argument("targets", nargs="*", help="default: all")
    parser.add_argument("--seconds", type=int, default=30, help="for each target; 0: the kept inputs alone")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time")
    parser.add_argument("--keep", action="store_true", help="add to the kept corpora what reaches new code")
    options = parser.parse_intermixed_args()

    programs = (options.build / "tests" / "fuzz").glob("fuzz_*")
    all_names = sorted(p.name[len("fuzz_"):] for p in programs if os.access(p, os.X_OK) and p.is_file())
    names = options.targets or [name for name in all_names if name != "broken"]
    unknown = set(names) - set(all_names)
    if not names or unknown:
        sys.exit(f"fuzz: wanted some of {all_names}, got {sorted(unknown)}")

    check_that_defects_are_found(options.build)
    targets = [Target(name, options.build) for name in names]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = [pool.submit(target.run, options.seconds) for target in targets]
        all_good = True
        for run in concurrent.futures.as_completed(runs):
            good, line = run.result()
            all_good = all_good and good
            print(line, flush=True)
        if options.keep:
            list(pool.map(Target.keep, targets))
    sys.exit(0 if all_good else 1)


if __name__ == "__main__":
    main()
