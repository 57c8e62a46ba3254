"""Prints the folder of a suitable LibTorch that comes with a Python: this one's, if it has any.

    python3 cmake/find_torch.py [--why]

Suitable: version 2.7 or later, with CMake files, and not a CUDA build on a machine without the CUDA
toolkit, since the CMake files of such a build stop there. Prints nothing if there is none; with
--why also says on stderr why one was passed over. Does not import torch, which takes seconds.
"""

import importlib.metadata
import importlib.util
import os
import pathlib
import re
import shutil
import sys


def main():
    why = (lambda text: print(f"find_torch: {text}", file=sys.stderr)) if "--why" in sys.argv else (
        lambda text: None)
    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        return
    folder = pathlib.Path(spec.submodule_search_locations[0])
    version = importlib.metadata.version("torch")
    if tuple(int(part) for part in version.split(".")[:2]) < (2, 7):
        return why(f"wanted torch 2.7 or later, got {version} in {folder}")
    if not (folder / "share/cmake/Torch/TorchConfig.cmake").exists():
        return why(f"torch in {folder} has no CMake files")
    cuda = re.search(r"^cuda\b[^=]*= *'", (folder / "version.py").read_text(), re.MULTILINE)
    if cuda and not (shutil.which("nvcc") or os.environ.get("CUDA_HOME")):
        return why(f"torch {version} in {folder} is a CUDA build, but there is no CUDA toolkit (no "
                   "nvcc, no CUDA_HOME); install the toolkit or a CPU-only build of torch "
                   "(bootstrap.sh --index-url URL)")
    print(folder)


main()
