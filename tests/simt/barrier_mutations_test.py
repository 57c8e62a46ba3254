"""barrier_mutations.py on made-up kernels: python3 barrier_mutations_test.py --script S
--link LIBRARY -- COMPILER FLAG..."""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import unittest

own = sys.argv[1:]
compiler = own[own.index("--") + 1:]
parser = argparse.ArgumentParser()
parser.add_argument("--script", required=True)
parser.add_argument("--link", required=True)
arguments = parser.parse_args(own[:own.index("--")])

KERNEL = """#pragma once
#include <cuda_runtime.h>
__global__ void reverse(int* values) {
  __shared__ int shared[64];
  // A comment's __syncthreads(); is none.
  shared[threadIdx.x] = values[threadIdx.x];
  if (blockDim.x == 64) __syncthreads(); else __trap();
  values[threadIdx.x] = shared[63 - threadIdx.x];
  EXTRA
}
"""
WRAPPER = '#pragma once\n#include "regtorch/cuda/reverse.cuh"\n'
TEST = """#include <regtorch/cuda/wrapper.cuh>
int main() {
  int values[64];
  for (int i = 0; i < 64; ++i) values[i] = i;
  cudaLaunchConfig_t config{};
  config.blockDim = 64;
  cudaLaunchKernelEx(&config, reverse, values);
  for (int i = 0; i < 64; ++i) if (values[i] != EXPECTED - i) return 1;
}
"""


class BarrierMutations(unittest.TestCase):
    def run_script(self, extra="", expected="63", files=()):
        """The exit status and the output of the script on a repository with one kernel."""
        with tempfile.TemporaryDirectory() as folder:
            cuda = pathlib.Path(folder, "include/regtorch/cuda")
            tests = pathlib.Path(folder, "tests/cuda")
            cuda.mkdir(parents=True)
            tests.mkdir(parents=True)
            (cuda / "reverse.cuh").write_text(KERNEL.replace("EXTRA", extra))
            (cuda / "wrapper.cuh").write_text(WRAPPER)
            (tests / "reverse_test.cpp").write_text(TEST.replace("EXPECTED", expected))
            for name, text in files:
                (cuda / name).write_text(text)
            done = subprocess.run(
                [sys.executable, arguments.script, "--repository", folder, "--link",
                 arguments.link, "--", *compiler], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_a_barrier_that_is_needed(self):
        status, output = self.run_script()
        self.assertEqual(status, 0, output)
        self.assertIn("1 of 1 barriers", output)

    def test_barriers_that_nobody_misses(self):
        status, output = self.run_script(
            extra="__syncwarp(\n0xFFFFFFFFu);",
            files=[("untested.cuh", "__device__ void f() {\n  __syncthreads();\n}\n")])
        self.assertEqual(status, 1, output)
        self.assertIn("include/regtorch/cuda/reverse.cuh:9: __syncwarp(", output)
        self.assertIn("include/regtorch/cuda/untested.cuh:2: __syncthreads() can be", output)
        self.assertIn("1 of 3 barriers", output)

    def test_tests_that_fail_anyway_prove_nothing(self):
        status, output = self.run_script(expected="64")
        self.assertEqual(status, 2, output)
        self.assertIn("reverse_test.cpp fails with every barrier in its place", output)

    def test_tests_that_do_not_compile(self):
        status, output = self.run_script(expected="nonsense")
        self.assertEqual(status, 2, output)
        self.assertIn("reverse_test.cpp could not be built", output)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
