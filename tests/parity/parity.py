"""What the tests share that compare regtorch with Python.

    python SUBJECT_parity_test.py --program PROGRAM [unittest's own arguments]

PROGRAM is regtorch_parity, the C++ side. Needs the torch that it is linked to; otherwise a test
prints SKIPPED and why.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import unittest


def skip(why):
    """Ends the test; CTest counts it as skipped."""
    print(f"SKIPPED: {why}")
    sys.exit()


try:
    import torch
except ImportError:
    skip(f"{sys.executable} has no torch")

options = argparse.Namespace()


def run(command, *arguments, lines=()):
    """What the program prints for a command, given these lines on its standard input."""
    done = subprocess.run([options.program, command, *map(str, arguments)], timeout=300, text=True,
                          input="".join(line + "\n" for line in lines), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(f"regtorch_parity {command} {arguments}: {done.stdout}{done.stderr}")
    return done.stdout


def words(**values):
    """The words NAME=VALUE, lists with commas and every number to its last digit."""
    def text(value):
        if torch.is_tensor(value):
            value = value.flatten().tolist()
        if isinstance(value, (list, tuple)):
            return ",".join(map(text, value))
        return str(int(value)) if isinstance(value, bool) else str(value)
    return [f"{name}={text(value)}" for name, value in values.items()]


def exchange(command, tensors, **values):
    """What a command of the program makes of these tensors by name, told these words."""
    with tempfile.TemporaryDirectory() as folder:
        sent, received = (pathlib.Path(folder) / name for name in ("in", "out"))
        torch.save(tensors, sent)
        run(command, sent, received, *words(**values))
        return torch.load(received, weights_only=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    _, others = parser.parse_known_args(namespace=options)
    version = run("version").strip()
    if torch.__version__.split("+")[0] != version:
        skip(f"{sys.executable} has torch {torch.__version__}, LibTorch is {version}")
    unittest.main(argv=sys.argv[:1] + others)
