"""regtorch's learning-rate schedules are Python's: rates and momenta of whole runs, and beyond."""

import bisect
import math
import unittest
import warnings

import parity  # first: where there is no torch it skips the test
import torch
from torch.optim import lr_scheduler

# Relative. OneCycleLR and LambdaLR compute each value anew, as regtorch does. CosineAnnealingLR and
# LinearLR multiply the last one by a factor, so Python's own rounding adds up: to 4e-13 in the runs
# below. Values near 0 are differences of larger ones, hence the absolute bound.
RELATIVE = 1e-12
ABSOLUTE = 1e-16

BY_NAME = ("SGD", "RMSprop", "Adam", "AdamW")

COSINE = [
    dict(t_max=1), dict(t_max=2), dict(t_max=10), dict(t_max=10, eta_min=0.001),
    dict(t_max=10, eta_min=0.01),  # above one group's rate
    dict(t_max=137, eta_min=1e-5), dict(t_max=1000), dict(t_max=1000, eta_min=1e-4),
    dict(t_max=10, warmup_steps=1), dict(t_max=10, warmup_steps=4),
    dict(t_max=10, eta_min=0.001, warmup_steps=5, warmup_start_factor=0.01),
    dict(t_max=195, warmup_steps=20, warmup_start_factor=1e-6),
]
LINEAR = [
    dict(), dict(start_factor=0.01, total_iters=100), dict(start_factor=1, end_factor=0),
    dict(start_factor=0.5, end_factor=0.1, total_iters=1), dict(start_factor=0.25, end_factor=0.25),
    dict(start_factor=0.001, end_factor=0.9, total_iters=1000),
]
ONE_CYCLE = [
    dict(total_steps=1), dict(total_steps=2), dict(total_steps=10), dict(total_steps=997),
    dict(total_steps=100, pct_start=0.0), dict(total_steps=100, pct_start=0.955),
    dict(total_steps=100, pct_start=0.005), dict(total_steps=100, linear=1),
    dict(total_steps=100, cycle_momentum=0), dict(total_steps=100, three_phase=1),
    dict(total_steps=100, three_phase=1, linear=1, pct_start=0.45),
    dict(total_steps=100, three_phase=1, pct_start=0.5),
    dict(total_steps=100, three_phase=1, pct_start=0.7),
    dict(total_steps=100, base_momentum=0.1, max_momentum=0.7, div_factor=3.0,
         final_div_factor=50.0, pct_start=0.25),
]
PIECEWISE = [
    [(0, 1.0)], [(5, 0.3)], [(0, 0.2), (20, 1.0), (100, 0.0)],
    [(3, 0.0), (4, 2.5), (17, 2.5), (19, 0.125), (60, 7.0)],
    [(i * i, 1 / (i + 1)) for i in range(11)],
]


def interpolate(step, points):
    """numpy.interp, which not every Python with torch has."""
    i = bisect.bisect_right([point[0] for point in points], step)
    if i in (0, len(points)):
        return points[max(i - 1, 0)][1]
    (x0, y0), (x1, y1) = points[i - 1:i + 1]
    return y0 + (y1 - y0) * (step - x0) / (x1 - x0)


def make_optimizer(name):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]},
              {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.003}]
    momentum = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    return getattr(torch.optim, name)(groups, lr=0.1, **momentum)


def make_cosine(optimizer, t_max, eta_min=None, warmup_steps=0, warmup_start_factor=None):
    cosine = lr_scheduler.CosineAnnealingLR(
        optimizer, t_max, **({} if eta_min is None else {"eta_min": eta_min}))
    if warmup_steps == 0:
        return cosine
    factor = {} if warmup_start_factor is None else {"start_factor": warmup_start_factor}
    warmup = lr_scheduler.LinearLR(optimizer, total_iters=warmup_steps, **factor)
    return lr_scheduler.SequentialLR(optimizer, [warmup, cosine], [warmup_steps])


def make_one_cycle(optimizer, linear=0, **others):
    if linear:
        others["anneal_strategy"] = "linear"
    return lr_scheduler.OneCycleLR(optimizer, max_lr=0.7, **others)


def python_run(make, optimizer_name, steps):
    optimizer = make_optimizer(optimizer_name)
    schedule = make(optimizer)
    momentum = (lambda group: group["betas"][0] if "betas" in group else group["momentum"])
    values = []
    while True:
        groups = optimizer.param_groups
        values.append([group["lr"] for group in groups] + [momentum(group) for group in groups])
        if len(values) == steps + 1:
            return values
        optimizer.step()
        try:
            schedule.step()
        except ValueError:
            return values + [["error"]]


def regtorch_runs(lines):
    runs = parity.run("lr_schedules", lines=lines).split("\n\n")[:-1]
    return [[line.split() for line in run.splitlines()] for run in runs]


class LRSchedulesTest(unittest.TestCase):
    def check(self, schedule, make, cases, words, steps):
        """Every value of every case with every optimizer.

        make(optimizer, case) -> Python's schedule; words(case) -> the program's arguments;
        steps(case) -> how far to go
        """
        runs = [(case, name) for case in cases for name in BY_NAME]
        found = regtorch_runs(f"{schedule} {name} {steps(case)} {words(case)}"
                              for case, name in runs)
        self.assertEqual(len(found), len(runs))
        for (case, name), values in zip(runs, found):
            wanted = python_run(lambda optimizer: make(optimizer, case), name, steps(case))
            with self.subTest(schedule=schedule, optimizer=name, case=case):
                self.assertEqual(len(values), len(wanted))
                for step, (ours, pythons) in enumerate(zip(values, wanted)):
                    self.assertEqual(len(ours), len(pythons), step)
                    for one, other in zip(ours, pythons):
                        same = one == other == "error" or math.isclose(
                            float(one), other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
                        self.assertTrue(same, f"step {step}: {ours}, Python: {pythons}")

    @staticmethod
    def words(case):
        return " ".join(f"{name}={value!r}" for name, value in case.items())

    def test_cosine(self):
        self.check("cosine", lambda optimizer, case: make_cosine(optimizer, **case), COSINE,
                   self.words, lambda case: case.get("warmup_steps", 0) + 3 * case["t_max"] + 2)

    def test_linear(self):
        self.check("linear", lambda optimizer, case: lr_scheduler.LinearLR(optimizer, **case),
                   LINEAR, self.words, lambda case: case.get("total_iters", 5) + 10)

    def test_one_cycle(self):
        """The last step that is taken is beyond the end, and an error in both."""
        self.check("one_cycle", lambda optimizer, case: make_one_cycle(optimizer, **case),
                   ONE_CYCLE, lambda case: "max_lr=0.7 " + self.words(case),
                   lambda case: case["total_steps"] + 1)

    def test_piecewise_linear(self):
        self.check("piecewise",
                   lambda optimizer, case: lr_scheduler.LambdaLR(
                       optimizer, lambda step: interpolate(step, case)),
                   PIECEWISE, lambda case: " ".join(f"{x}:{y!r}" for x, y in case),
                   lambda case: case[-1][0] + 10)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "The epoch parameter in", UserWarning)  # SequentialLR's own
    parity.main()
