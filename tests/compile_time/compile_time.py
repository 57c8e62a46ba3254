"""Compiles each header of include/ alone, warnings being errors, and measures what those cost that
the README links: fails if a header does not compile, and prints a table that names those which cost
more than they should.

    cmake --preset dev && cmake --build --preset dev --target headers

A cost is the processor time of compiling a file that includes the header and nothing else, at -O2.
That of all together, regtorch/regtorch.hpp, is compared with torch/torch.h; that of another one with
the headers of LibTorch that it includes, itself or by others of ours. Noise only ever adds to a cost, so the least of several runs counts: a header
above its limit is measured again, and its reference right after it, up to RUNS times before it is
named. FREE is what the standard library may cost beside small headers of LibTorch.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = SOURCE / "include"
ALL = "regtorch/regtorch.hpp"
LIMIT, LIMIT_OF_ALL = 1.3, 1.15
FREE = 0.75  # seconds
RUNS = 3


def included(header, kind):
    return re.findall(rf"^#include {kind}", (INCLUDE / header).read_text(), re.MULTILINE)


def ours_in(header, seen):
    """The header and all of ours that come with it."""
    if header not in seen:
        seen.add(header)
        for other in included(header, '"(regtorch/[^"]+)"'):
            ours_in(other, seen)
    return seen


def torch_in(header):
    """The headers of LibTorch that come with one of ours."""
    return tuple(sorted({name for ours in ours_in(header, set())
                         for name in included(ours, "<((?:ATen|c10|torch)/[^>]+)>")}))


class Stopwatch:
    def __init__(self, command, folder):
        self.command, self.folder, self.least = command, folder, {}

    def measure(self, headers):
        """Compiles a file that includes them once more; whether that went well."""
        source = pathlib.Path(self.folder, f"{abs(hash(headers))}.cpp")
        source.write_text("".join(f"#include <{header}>\n" for header in headers))
        compiler = subprocess.Popen([*self.command, "-c", source, "-o", f"{source}.o"])
        _, status, usage = os.wait4(compiler.pid, 0)
        seconds = usage.ru_utime + usage.ru_stime
        self.least[headers] = min(seconds, self.least.get(headers, seconds))
        return status == 0


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

    linked = re.findall(r"\(include/(regtorch/[^)]+\.hpp)\)", (SOURCE / "README.md").read_text())
    references = {header: ("torch/torch.h",) if header == ALL else torch_in(header)
                  for header in sorted(set(linked)) if torch_in(header)}
    ours = sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.hpp"))
    files = list(dict.fromkeys([*references.values(), *((header,) for header in ours)]))
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch(command, folder)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            good = list(pool.map(watch.measure, files))
        broken = [" ".join(headers) for headers, compiled in zip(files, good) if not compiled]
        if broken:
            sys.exit(f"compile_time: does not compile alone, without a warning: {', '.join(broken)}")
        print("| header | seconds | LibTorch's | ratio | limit |\n|---|---|---|---|---|")
        for header, reference in references.items():
            limit = LIMIT_OF_ALL if header == ALL else LIMIT
            for _ in range(RUNS):
                cost, least = watch.least[(header,)], watch.least[reference]
                over = cost > max(limit * least, least + FREE)
                if not over:
                    break
                watch.measure((header,))
                watch.measure(reference)
            print(f"| {header} | {cost:.2f} | {least:.2f} | {cost / least:.2f} | {limit:.2f}"
                  f"{' MORE' if over else ''} |", flush=True)
    print(f"{len(ours)} headers compile alone, without a warning")


main()
