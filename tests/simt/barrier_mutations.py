"""Is every barrier of the CUDA kernels there for a reason that a test knows?

    barrier_mutations.py [--repository R] [--folder F] [--link FILE]... -- COMPILER [FLAG...]

Takes the barriers out of include/regtorch/cuda/*.cuh one at a time, runs the tests of
tests/cuda/*_test.cpp that include the file, directly or through others, and names each barrier
(a statement __syncthreads(...); or __syncwarp(...);) whose absence no test notices. Exits 0 if
there is none, 1 if there is one, and 2 if the tests can't be built or fail as they are.

The flags must find the emulated <cuda_runtime.h> and Catch2; FILE are the emulator's library and
Catch2's main. Each test is compiled once: in the copy of include/ that it sees, each barrier asks an
environment variable whether it is the one that is missing.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

VARIABLE = "REGTORCH_MISSING_BARRIER"
SWITCH = f"""#pragma once
#include <cstdlib>
inline const char* const regtorch_missing_text = std::getenv("{VARIABLE}");
inline const int regtorch_missing = regtorch_missing_text ? std::atoi(regtorch_missing_text) : 0;
"""
# Comments and string literals come first, so that a barrier inside one is none.
BARRIER = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'
                     r"|(?P<call>\b__sync(?:threads|warp)\s*\((?:[^();]|\([^()]*\))*\))\s*;",
                     re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
SECONDS = 300  # that a test may run; one that gets stuck has noticed


@dataclasses.dataclass
class Barrier:
    number: int
    file: str
    line: int
    call: str

    def __str__(self):
        return f"include/{self.file}:{self.line}: {self.call}"


def give_switches(include):
    """Rewrites the kernels under `include`; returns the barriers found, numbered from 1."""
    barriers = []
    for path in sorted((include / "regtorch/cuda").rglob("*.cuh")):
        text = path.read_text()

        def switched(match):
            if not match["call"]:
                return match[0]
            line = text.count("\n", 0, match.start()) + 1
            file = path.relative_to(include).as_posix()
            barriers.append(Barrier(len(barriers) + 1, file, line, match["call"]))
            return f"(regtorch_missing == {len(barriers)} ? void() : {match['call']});"

        path.write_text(BARRIER.sub(switched, text))
    return barriers


def included(path, include, seen):
    """Adds to `seen` what a file includes of those under `include`, however indirectly."""
    for name in INCLUDE.findall(path.read_text()):
        for candidate in (include / name, path.parent / name):
            file = os.path.relpath(candidate, include)
            if candidate.is_file() and not file.startswith(".."):
                if file not in seen:
                    seen.add(file)
                    included(candidate, include, seen)
                break
    return seen


def broken(message):
    print(f"barrier_mutations: {message}", file=sys.stderr)
    sys.exit(2)


def build(test, folder, compiler, link):
    program = folder / test.stem
    command = [*compiler, f"-I{folder}/include", "-include", f"{folder}/switch.hpp", str(test),
               *link, "-o", str(program)]
    if subprocess.run(command, check=False).returncode != 0:
        broken(f"{test.name} could not be built: {' '.join(command)}")
    if not passes(program, 0):
        broken(f"{test.name} fails with every barrier in its place")
    return program


def passes(program, missing):
    environment = dict(os.environ, **{VARIABLE: str(missing)})
    try:
        return subprocess.run([str(program)], env=environment, timeout=SECONDS, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def check(repository, folder, compiler, link):
    """Returns how many barriers no test misses."""
    include = folder / "include"
    shutil.rmtree(include, ignore_errors=True)
    shutil.copytree(repository / "include", include)
    (folder / "switch.hpp").write_text(SWITCH)
    barriers = give_switches(include)
    files = {barrier.file for barrier in barriers}

    tests_of = {file: [] for file in files}  # the programs that include it
    for test in sorted((repository / "tests/cuda").glob("*_test.cpp")):
        reached = included(test, include, set()) & files
        if reached:
            program = build(test, folder, compiler, link)
            for file in reached:
                tests_of[file].append(program)

    missed = [barrier for barrier in barriers
              if all(passes(program, barrier.number) for program in tests_of[barrier.file])]
    for barrier in missed:
        print(f"{barrier} can be removed, and no test notices")
    print(f"{len(barriers) - len(missed)} of {len(barriers)} barriers are noticed when missing")
    return len(missed)


def main():
    own, compiler = sys.argv[1:], []
    if "--" in own:
        own, compiler = own[:own.index("--")], own[own.index("--") + 1:]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repository", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--folder", type=pathlib.Path,
                        help="where to build (default: a temporary folder)")
    parser.add_argument("--link", action="append", default=[], help="an object or a library")
    arguments = parser.parse_args(own)
    if not compiler:
        parser.error("wanted a compiler after --")

    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        missed = check(arguments.repository.resolve(), folder.resolve(), compiler, arguments.link)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
