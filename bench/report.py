"""Runs regtorch_bench and turns what it measured into the tables of docs/benchmarks.md.

    python3 bench/report.py --json FILE [--binary regtorch_bench [--filter REGEX]]
                            [--page docs/benchmarks.md --section NAME] [--no-targets]

    --json     Google Benchmark's output; written by the run, or read if there is no --binary
    --binary   the program to run: five repetitions of each benchmark, in random order
    --filter   only the benchmarks that match
    --page     the tables go between the lines "<!-- bench-report NAME -->" and
               "<!-- end of bench-report NAME -->" of this page; without it, to standard output
    --section  NAME of these lines
    --no-targets  compares with no targets: those of targets.csv are the CPU's

A program that finds nothing to run on, a GPU's without one, leaves the page as it is.

Names are piece/variant/shape/dtype. Times are medians of the repetitions, ratios are between medians
of the one run. A variant whose name ends in _1thread is compared with regtorch_1thread. targets.csv
beside this file holds what issue 6 asks for: for `copy` regtorch's time is at most `factor` times
copy's, for any other variant the variant's time is at least `factor` times regtorch's. `aten` there
is the fastest of what LibTorch offers: of `aten`, the variants `aten_...` and `cross_entropy`; not
`reference`, nor `fused`, ATen's kernels that LibTorch's C++ optimizers do not call.
"""

import argparse
import csv
import fnmatch
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
ONE_THREAD = "_1thread"


def measured(report):
    """{(piece, shape, dtype): {variant: nanoseconds, or the error's text}}, as registered."""
    times = {}
    errors = {}
    # The file has them in the random order of the run.
    for run in sorted(report["benchmarks"], key=lambda run: run.get("family_index", 0)):
        if run.get("run_type", "iteration") != "iteration":
            continue  # an aggregate
        # After the four parts of the name come Google Benchmark's own: /real_time, /iterations:5.
        parts = run["run_name"].split("/")[:4]
        if len(parts) < 4:
            raise SystemExit(f"wanted a name piece/variant/shape/dtype, got {run['run_name']}")
        piece, variant, shape, dtype = parts
        place = (piece, shape, dtype), variant
        if run.get("error_occurred"):
            errors[place] = run.get("error_message", "failed")
        else:
            time = run["real_time"] * NANOSECONDS[run["time_unit"]]
            times.setdefault(place, []).append(time)
    result = {}
    for case, variant in list(times) + list(errors):
        place = case, variant
        value = errors[place] if place in errors else float(statistics.median(times[place]))
        result.setdefault(case, {})[variant] = value
    return result


def baseline_of(variant):
    """The variant of ours that this one is compared with."""
    return "regtorch" + ONE_THREAD if variant.endswith(ONE_THREAD) else "regtorch"


def ratio(variants, variant):
    """That variant's time over ours, or None if one of the two was not measured."""
    times = variants.get(variant), variants.get(baseline_of(variant))
    return times[0] / times[1] if all(isinstance(time, float) for time in times) else None


def is_copy(variant):
    return variant.removesuffix(ONE_THREAD) == "copy"


def reaches(value, target):
    """Whether a ratio meets a target."""
    factor = float(target["factor"])
    return value >= (1 / factor if is_copy(target["against"]) else factor)


def target_text(target):
    factor = target["factor"]
    return f"within {factor}× of its time" if is_copy(target["against"]) else f"{factor}×"


def of_libtorch(variant):
    return variant in ("aten", "cross_entropy") or (
        variant.startswith("aten_") and not variant.endswith(ONE_THREAD))


def rival(target, variants):
    """The variant that the target is about."""
    if target["against"] != "aten":
        return target["against"]
    times = {variant: time for variant, time in variants.items()
             if of_libtorch(variant) and isinstance(time, float)}
    return min(times, key=times.get, default="aten")


def fits(target, case):
    patterns = target["piece"], target["shape"], target["dtype"]
    return all(map(fnmatch.fnmatchcase, case, patterns))


def number(value):
    """Three significant digits, without an exponent; thousands are set apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def time_text(nanoseconds):
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if nanoseconds >= unit:
            return f"{number(nanoseconds / unit)} {name}"
    return f"{number(nanoseconds)} ns"


def row(case, variant, variants, targets):
    value = variants[variant]
    if not isinstance(value, float):
        return f"| `{variant}` | not measured: {value} | | |"
    compared = ratio(variants, variant)
    ours = variant == baseline_of(variant)
    text = "" if compared is None or ours else f"{number(compared)}×"
    if compared is not None and is_copy(variant):
        text = f"{number(100 * compared)} % of the limit"
    verdicts = []
    for target in targets:
        if compared is None or not fits(target, case) or variant != rival(target, variants):
            continue
        verdict = f"{target_text(target)}: reached"
        if not reaches(compared, target):
            note = f" ({target['note']})" if target["note"] else ""
            verdict = f"{target_text(target)}: **not reached**{note}"
        verdicts.append(verdict)
    return f"| `{variant}` | {time_text(value)} | {text} | {'; '.join(verdicts)} |"


def rank(variant):
    """Ours first, the limit last, the rest as they were registered."""
    return 0 if variant == baseline_of(variant) else 2 if is_copy(variant) else 1


def summary(cases, targets):
    met = missed = 0
    unmeasured = []
    for target in targets:
        ratios = [ratio(variants, rival(target, variants)) for case, variants in cases.items()
                  if fits(target, case)]
        ratios = [value for value in ratios if value is not None]
        met += sum(reaches(value, target) for value in ratios)
        missed += sum(not reaches(value, target) for value in ratios)
        if not ratios:
            unmeasured.append(f"{target['piece']} {target['shape']} {target['dtype']} "
                              f"against {target['against']}")
    text = f"Targets reached: {met}; not reached: {missed}."
    if unmeasured:
        text += f" Not measured in this run: {'; '.join(unmeasured)}."
    return text


def header(context):
    """What was measured on what. Keys that are not there are of a bench without its own main."""
    known = [("date", "{}"), ("commit", "commit {}"), ("cpu", "{}"), ("gpu", "{}"), ("num_cpus", "{} cores"),
             ("threads", "{} threads"), ("isa", "kernels for {}"), ("compiler", "{}"),
             ("flags", "flags `{}`"), ("libtorch", "LibTorch {}"), ("regtorch", "regtorch {}")]
    return "; ".join(form.format(context[key]) for key, form in known if key in context) + "."


def tables(report, targets):
    cases = measured(report)
    lines = [header(report["context"])]
    if targets:
        lines += ["", summary(cases, targets)]
    piece = None
    pieces = list(dict.fromkeys(case[0] for case in cases))
    for case in sorted(cases, key=lambda case: pieces.index(case[0])):
        variants = cases[case]
        if case[0] != piece:
            piece = case[0]
            lines += ["", f"### {piece}", "", "| | median | time / regtorch's | target |",
                      "|---|---:|---:|---|"]
        lines.append(f"| **{case[1]}, {case[2]}** | | | |")
        lines += [row(case, variant, variants, targets) for variant in sorted(variants, key=rank)]
    return "\n".join(lines) + "\n"


def put(page, section, text):
    """The page with `text` between the lines of that section."""
    begin, end = f"<!-- bench-report {section} -->\n", f"<!-- end of bench-report {section} -->\n"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(end) < page.index(begin):
        raise SystemExit(f"wanted one line {begin.strip()} and, after it, one {end.strip()}")
    before, after = page.split(begin)[0], page.split(end)[1]
    return f"{before}{begin}\n{text}\n{end}{after}"


def commit():
    """Of the source, with "-dirty" if files were changed."""
    described = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=7"], cwd=HERE,
                               capture_output=True, text=True, check=False)
    return described.stdout.strip() or "unknown"


def run(binary, out, pattern):
    command = [binary, f"--benchmark_out={out}", "--benchmark_out_format=json",
               "--benchmark_repetitions=5", "--benchmark_min_time=0.05",
               "--benchmark_enable_random_interleaving=true",
               f"--benchmark_context=commit={commit()}"]
    if pattern:
        command.append(f"--benchmark_filter={pattern}")
    subprocess.run(command, check=True, stdout=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", required=True)
    parser.add_argument("--binary")
    parser.add_argument("--filter")
    parser.add_argument("--page", type=pathlib.Path)
    parser.add_argument("--section")
    parser.add_argument("--no-targets", action="store_true")
    arguments = parser.parse_args()
    if (arguments.page is None) != (arguments.section is None):
        parser.error("--page and --section go together")
    if arguments.filter and arguments.page:
        parser.error("a page is written from a run of all benchmarks, not of some (--filter)")
    if arguments.page:  # before minutes are spent on a run
        put(arguments.page.read_text(), arguments.section, "")
    if arguments.binary:
        pathlib.Path(arguments.json).unlink(missing_ok=True)
        run(arguments.binary, arguments.json, arguments.filter)
        if not pathlib.Path(arguments.json).exists():
            print(f"{arguments.binary} measured nothing")
            return
    targets = []
    if not arguments.no_targets:
        with open(HERE / "targets.csv", newline="") as file:
            targets = list(csv.DictReader(file))
    text = tables(json.loads(pathlib.Path(arguments.json).read_text()), targets)
    if arguments.page:
        page = put(arguments.page.read_text(), arguments.section, text)
        arguments.page.write_text(page)
        print(f"wrote {arguments.page}")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
