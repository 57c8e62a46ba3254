#!/usr/bin/env python3
"""Writes what Python's torch.save makes of small state_dicts to the corpora of state_dict_file and
state_dict_pickle, for libFuzzer to begin with. Run once, with the Python that has torch.

    .venv/bin/python tests/fuzz/state_dict_seeds.py
"""

import pathlib
import zipfile

import torch

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def main():
    w = torch.arange(4.0)
    square = torch.arange(6.0).view(2, 3)
    states = {
        "model": {"w": w},
        "parameter": torch.nn.Linear(1, 1).state_dict(),
        "shared": {"a": square, "b": square.t(), "c": square[1, 1:]},
        "expanded": {"w": torch.ones(1).expand(4)},
        "types": {"h": w.half(), "b": w.bfloat16(), "l": w.long(), "z": w > 1, "c": w.cfloat()},
        "late_types": {"u": torch.zeros(2, dtype=torch.uint16), "f": w.to(torch.float8_e5m2)},
        "empty": {"none": torch.zeros(0, 3), "scalar": torch.tensor(7)},
        "not_tensors": {"w": torch.nn.Parameter(w), "n": 1, "t": (None, True, "x")},
    }
    for folder in ("state_dict_file", "state_dict_pickle"):
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    for name, state in states.items():
        file = CORPUS / "state_dict_file" / f"{name}.pt"
        torch.save(state, file)
        with zipfile.ZipFile(file) as records:
            pickle = next(n for n in records.namelist() if n.endswith("/data.pkl"))
            (CORPUS / "state_dict_pickle" / f"{name}.pkl").write_bytes(records.read(pickle))


if __name__ == "__main__":
    main()
