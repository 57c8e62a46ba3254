"""regtorch's label smoothing is the study text's and torch's: losses and gradients."""

import itertools
import unittest

import parity  # first: where there is no torch it skips the test
import study_text
import torch

# By type: how far apart values may be, relative and absolute. regtorch computes half types in
# float32 and rounds once, Python in several steps of its own, so those may differ by a few
# roundings of 2^-8 and 2^-11.
BOUNDS = {"float64": 1e-12, "float32": 1e-5, "bfloat16": 3e-2, "float16": 4e-3}

SMOOTHING = (0.0, 0.1, 0.2, 0.9, 1.0)
REDUCTION = ("mean", "sum", "none")
FLAT = ((1, 2), (33, 10), (3, 1000))
SHAPES = ((1, 2), (33, 10), (4, 3, 5), (2, 3, 4, 2))


class Case:
    """Logits and targets, what to ask the program, and what Python says."""

    def __init__(self, python, shape, kind="float64", soft=False, ignored=None, **others):
        generator = torch.Generator().manual_seed(5)
        kind_of = getattr(torch, kind)
        self.kind = kind
        self.logits = (3 * torch.randn(shape, generator=generator)).to(kind_of).requires_grad_()
        if soft:
            self.targets = torch.randn(shape, generator=generator).softmax(1).to(kind_of)
        else:
            self.targets = torch.randint(shape[1], shape[:1] + shape[2:], generator=generator)
            if ignored is not None:
                self.targets.view(-1)[1::3] = ignored
        self.line = " ".join(parity.words(
            type=kind, shape=shape, logits=self.logits,
            **{"probabilities" if soft else "targets": self.targets}, **others))
        self.what = dict(shape=shape, kind=kind, soft=soft, ignored=ignored, **others)
        loss = python(self.logits, self.targets)
        self.wanted = loss.detach(), torch.autograd.grad(loss.sum(), self.logits)[0]


class LabelSmoothingLossTest(unittest.TestCase):
    def check(self, cases):
        answer = parity.run("label_smoothing_losses", lines=[case.line for case in cases])
        lines = [list(map(float, line.split())) for line in answer.splitlines()]
        self.assertEqual(len(lines), 2 * len(cases))
        for case, loss, gradient in zip(cases, lines[::2], lines[1::2]):
            with self.subTest(**case.what):
                for found, wanted in zip((loss, gradient), case.wanted):
                    bound = BOUNDS[case.kind]
                    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64),
                                               wanted.flatten().double(), rtol=bound, atol=bound)

    def test_study_text(self):
        """What it has: the mean, without weights or ignored targets, dim=-1."""
        self.check([Case(lambda x, t: study_text.label_smoothing_loss(x, t, smoothing), shape, kind,
                         smoothing=smoothing, **others)
                    for smoothing in SMOOTHING for shape in FLAT
                    for kind in ("float64", "float32", "bfloat16") for others in ({}, {"dim": -1})])

    def test_defaults(self):
        self.check([Case(lambda x, t: study_text.label_smoothing_loss(x, t, 0.1), (33, 10))])
        self.check([Case(lambda x, t: torch.nn.functional.cross_entropy(x, t, label_smoothing=0.1),
                         (33, 10), ignored=-100, spread="all")])

    def test_cross_entropy(self):
        """Every option that both have, in each type that is computed in a way of its own."""
        cases = []
        for shape, smoothing, reduction, soft, weighted, kind in itertools.product(
                SHAPES, SMOOTHING, REDUCTION, (False, True), (False, True),
                ("float64", "float32", "bfloat16")):
            for ignored in (None,) if soft else (None, -100, 1):
                python = {"reduction": reduction}
                ours = {"smoothing": smoothing, "reduction": reduction, "spread": "all"}
                if weighted:
                    generator = torch.Generator().manual_seed(7)
                    python["weight"] = ours["weight"] = torch.rand(
                        shape[1], generator=generator).to(getattr(torch, kind)) + 0.1
                if ignored is not None:
                    python["ignore_index"] = ours["ignore_index"] = ignored
                cases.append(Case(
                    lambda x, t: torch.nn.functional.cross_entropy(
                        x, t, label_smoothing=smoothing, **python),
                    shape, kind, soft=soft, ignored=ignored, **ours))
        self.check(cases)

    def test_types(self):
        self.check([Case(lambda x, t: torch.nn.functional.cross_entropy(x, t, label_smoothing=0.2),
                         (33, 10), kind, soft=soft, smoothing=0.2, spread="all")
                    for kind in BOUNDS for soft in (False, True)])


if __name__ == "__main__":
    torch.set_num_threads(1)  # on tensors this small more only wait for each other
    parity.main()
