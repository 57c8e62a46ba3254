"""bench/report.py on made-up measurements: python3 report_test.py --bench FOLDER"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

parser = argparse.ArgumentParser()
parser.add_argument("--bench", required=True)
arguments, rest = parser.parse_known_args()
sys.path.insert(0, arguments.bench)
import report  # noqa: E402


def case(name, *times, unit="us", error=None):
    """The JSON of a benchmark's repetitions, and of an aggregate that must not be counted."""
    runs = [{"run_name": name + "/real_time", "run_type": "iteration", "real_time": time,
             "time_unit": unit} for time in times]
    runs.append({"run_name": name + "/real_time", "run_type": "aggregate", "real_time": 1e9,
                 "time_unit": unit, "aggregate_name": "mean"})
    if error:
        runs = [{"run_name": name, "run_type": "iteration", "error_occurred": True,
                 "error_message": error}]
    return runs


def target(piece, shape, against, factor, note="", dtype="int64"):
    return {"piece": piece, "shape": shape, "dtype": dtype, "against": against,
            "factor": str(factor), "note": note}


MEASURED = {
    "context": {"date": "2026-11-25T10:00:00+00:00", "num_cpus": 2, "cpu": "AMD EPYC",
                "isa": "x86-64-v3", "commit": "abc1234-dirty"},
    "benchmarks": [run for runs in [
        case("shuffle/copy/10/int64", 2, 1, 3),
        case("shuffle/regtorch/10/int64", 4, 100, 3),  # median 4: the outlier does not count
        case("shuffle/aten/10/int64", 0.04, 0.04, 0.04, unit="ms"),
        case("shuffle/reference/10/int64", 4, 4, 4, unit="s"),
        case("shuffle/regtorch/7/int64", 500, unit="ns"),
        case("shuffle/copy_1thread/10/int64", 6),
        case("shuffle/regtorch_1thread/10/int64", 8),
        case("load/regtorch/10/uint8", error="no data"),
        case("load/copy/10/uint8", 5),
    ] for run in runs],
}
TARGETS = [
    target("shuffle", "10", "aten", 10),
    target("shuffle", "10", "reference", 2_000_000, "beyond the bus"),
    target("shuffle", "1*", "copy", 4),
    target("shuff*", "*", "copy_1thread", 1.2),
    target("shuffle", "10", "aten", 1, dtype="int32"),
    target("load", "10", "copy", 2, dtype="uint8"),
]


class ReportTest(unittest.TestCase):
    def rows(self):
        return report.tables(MEASURED, TARGETS).splitlines()

    def test_rows(self):
        rows = self.rows()
        at = rows.index("| **10, int64** | | | |")
        self.assertEqual(rows[at + 1:at + 7], [
            "| `regtorch` | 4.00 µs |  |  |",
            "| `regtorch_1thread` | 8.00 µs |  |  |",
            "| `aten` | 40.0 µs | 10.0× | 10×: reached |",
            "| `reference` | 4.00 s | 1,000,000× | 2000000×: **not reached** (beyond the bus) |",
            "| `copy` | 2.00 µs | 50.0 % of the limit | within 4× of its time: reached |",
            "| `copy_1thread` | 6.00 µs | 75.0 % of the limit "
            "| within 1.2× of its time: **not reached** |",
        ])

    def test_one_heading_a_piece_and_cases_in_order(self):
        rows = self.rows()
        self.assertEqual([row for row in rows if row.startswith("###")], ["### shuffle", "### load"])
        self.assertEqual([row for row in rows if row.startswith("| **")],
                         ["| **10, int64** | | | |", "| **7, int64** | | | |",
                          "| **10, uint8** | | | |"])
        self.assertIn("| `regtorch` | 500 ns |  |  |", rows)

    def test_errors_are_shown_and_not_compared_with(self):
        rows = self.rows()
        self.assertIn("| `regtorch` | not measured: no data | | |", rows)
        self.assertIn("| `copy` | 5.00 µs |  |  |", rows)

    def test_header_and_summary(self):
        rows = self.rows()
        self.assertEqual(rows[0], "2026-11-25T10:00:00+00:00; commit abc1234-dirty; AMD EPYC; "
                                  "2 cores; kernels for x86-64-v3.")
        self.assertEqual(rows[2], "Targets reached: 2; not reached: 2. Not measured in this run: "
                                  "shuffle 10 int32 against aten; load 10 uint8 against copy.")

    def test_aten_is_the_fastest_of_libtorchs_ways(self):
        runs = [run for runs in [case("loss/regtorch/10/int64", 1), case("loss/aten/10/int64", 9),
                                 case("loss/aten_sum/10/int64", 7), case("loss/fused/10/int64", 2),
                                 case("loss/aten_1thread/10/int64", 3),
                                 case("loss/cross_entropy/10/int64", 8)] for run in runs]
        rows = report.tables({"context": {}, "benchmarks": runs},
                             [target("loss", "10", "aten", 6)]).splitlines()
        self.assertEqual([row for row in rows if "reached" in row],
                         ["Targets reached: 1; not reached: 0.",
                          "| `aten_sum` | 7.00 µs | 7.00× | 6×: reached |"])

    def test_cases_stand_as_registered_and_pieces_together(self):
        runs = []
        for index, name in ((2, "load/regtorch/9/int64"), (1, "sort/regtorch/1/int64"),
                            (0, "load/regtorch/1/int64")):
            runs += [dict(run, family_index=index) for run in case(name, 1)]
        rows = report.tables({"context": {}, "benchmarks": runs}, []).splitlines()
        self.assertEqual([row for row in rows if row.startswith(("###", "| **"))],
                         ["### load", "| **1, int64** | | | |", "| **9, int64** | | | |",
                          "### sort", "| **1, int64** | | | |"])

    def test_a_name_without_four_parts_is_refused(self):
        runs = [{"run_name": "shuffle/regtorch/10", "real_time": 1, "time_unit": "us"}]
        with self.assertRaisesRegex(SystemExit, "got shuffle/regtorch/10"):
            report.tables({"context": {}, "benchmarks": runs}, [])

    def test_only_what_is_between_the_lines_changes(self):
        page = "# A\n<!-- bench-report a -->\nold\n<!-- end of bench-report a -->\ntail\n"
        once = report.put(page, "a", "new\n")
        self.assertEqual(once, "# A\n<!-- bench-report a -->\n\nnew\n\n"
                               "<!-- end of bench-report a -->\ntail\n")
        self.assertEqual(report.put(once, "a", "new\n"), once)
        for broken in ("", page + page, page.replace("end of ", "")):
            with self.assertRaises(SystemExit):
                report.put(broken, "a", "new\n")

    def test_targets_file(self):
        text = pathlib.Path(report.HERE, "targets.csv").read_text()
        self.assertEqual(text.splitlines()[0], "piece,shape,dtype,against,factor,note")
        for line in text.splitlines()[1:]:
            self.assertGreater(float(line.split(",")[4]), 0, line)

    def test_command_line(self):
        script = str(report.HERE / "report.py")
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder, "out.json")
            data.write_text(json.dumps(MEASURED))
            page = pathlib.Path(folder, "page.md")
            page.write_text("<!-- bench-report b -->\n<!-- end of bench-report b -->\n")
            command = [sys.executable, script, "--json", str(data)]
            subprocess.run(command + ["--page", str(page), "--section", "b"], check=True,
                           capture_output=True)
            printed = subprocess.run(command, check=True, capture_output=True, text=True,
                                     encoding="utf-8").stdout
            self.assertIn(printed, page.read_text())
            self.assertIn("| `reference` | 4.00 s | 1,000,000× |", printed)
            filtered = subprocess.run(command + ["--page", str(page), "--section", "b", "--filter",
                                                 "x"], check=False, capture_output=True)
            self.assertNotEqual(filtered.returncode, 0)

    def test_without_targets(self):
        lines = report.tables(MEASURED, []).splitlines()
        self.assertFalse([line for line in lines if "eached" in line])
        self.assertIn("| `aten` | 40.0 µs | 10.0× |  |", lines)

    def test_a_program_that_measures_nothing_leaves_the_page(self):
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder, "out.json")
            data.write_text(json.dumps(MEASURED))  # of an earlier run
            page = pathlib.Path(folder, "page.md")
            text = "<!-- bench-report b -->\nold\n<!-- end of bench-report b -->\n"
            page.write_text(text)
            done = subprocess.run(
                [sys.executable, str(report.HERE / "report.py"), "--json", str(data), "--page",
                 str(page), "--section", "b", "--binary", "true"], check=True, capture_output=True,
                text=True)
            self.assertEqual(page.read_text(), text)
            self.assertIn("measured nothing", done.stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *rest])
