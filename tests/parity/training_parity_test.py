"""Training with regtorch is training with Python torch: models, labels, and when to stop."""

import math
import pathlib
import tempfile
import unittest

import parity  # first: where there is no torch it skips the test
import study_text
import torch
from torch import nn

STEPS = 20
RATES = {"cnn": 1e-3, "resnet18": 1e-4}

# How far losses and weights may be apart after STEPS steps, relative to 1 + |x|. Both sides call the
# same convolutions, but add and step in orders of their own. What rounding grows to was measured in
# Python alone, with two runs whose first weights are one rounding apart: in float64 to 5e-14 at the
# most, in float32 to 1e-6 (CNN) and 5e-4 (ResNet-18, in which a rounding may switch a ReLU). The
# bounds leave a factor of ten, or more.
BOUNDS = {("cnn", torch.float64): 1e-11, ("resnet18", torch.float64): 1e-11,
          ("cnn", torch.float32): 1e-4, ("resnet18", torch.float32): 5e-3}


class TrainingTest(unittest.TestCase):
    def check(self, name, model, batch, optimizer, dtype):
        torch.manual_seed(1)
        model = model()
        generator = torch.Generator().manual_seed(2)
        images = torch.randn((STEPS, batch, 3, 32, 32), generator=generator).to(dtype)
        labels = torch.randint(10, (STEPS, batch), generator=generator)
        rate = RATES[name]
        seed = 3  # of the dropout, which draws the same on both sides
        with tempfile.TemporaryDirectory() as folder:
            state, save = (pathlib.Path(folder) / file for file in ("first.pt", "last.pt"))
            torch.save(model.state_dict(), state)
            found = parity.exchange("trained", {"images": images, "labels": labels}, model=name,
                                    optimizer=optimizer, lr=rate, seed=seed, state=state, save=save)
            weights = torch.load(save, weights_only=True)

        model.to(dtype)
        stepper = (torch.optim.Adam(model.parameters(), lr=rate) if optimizer == "adam" else
                   torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4))
        torch.manual_seed(seed)
        losses = []
        for x, y in zip(images, labels):
            stepper.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y, label_smoothing=0.1)
            loss.backward()
            stepper.step()
            losses.append(loss.detach())
        self.assertEqual(list(weights), list(model.state_dict()))
        bound = BOUNDS[name, dtype]
        torch.testing.assert_close(found["losses"], torch.stack(losses), rtol=bound, atol=bound)
        for key, wanted in model.state_dict().items():
            torch.testing.assert_close(weights[key].to(wanted.dtype), wanted, rtol=bound, atol=bound,
                                       msg=lambda text: f"{key}: {text}")

    def test_cnn(self):
        for optimizer in ("sgd", "adam"):
            for dtype in (torch.float64, torch.float32):
                with self.subTest(optimizer=optimizer, dtype=dtype):
                    self.check("cnn", study_text.CNN, 16, optimizer, dtype)

    def test_resnet18(self):
        for dtype in (torch.float64, torch.float32):
            with self.subTest(dtype=dtype):
                self.check("resnet18", study_text.resnet18, 4, "sgd", dtype)


def chi_square_p(statistic, freedom):
    """The probability of a greater statistic."""
    return torch.special.gammaincc(torch.tensor(freedom / 2, dtype=torch.float64),
                                   torch.tensor(statistic / 2, dtype=torch.float64)).item()


class DisturbLabelTest(unittest.TestCase):
    """The study text's DisturbLabel and ours draw from one distribution.

    For each true class, a chi-square test of the two samples of 100,000 labels a class at a
    significance of 10^-6; the seeds are fixed.
    """

    COUNT = 100_000

    def test_distribution(self):
        for alpha, classes in ((10, 10), (30, 10), (100, 4), (20, 2), (50, 3)):
            with self.subTest(alpha=alpha, classes=classes):
                labels = torch.arange(classes).repeat(self.COUNT)
                found = parity.exchange("disturbed_labels", {"labels": labels}, alpha=alpha,
                                        classes=classes, seed=5)
                torch.manual_seed(6)
                theirs = study_text.DisturbLabel(alpha, classes)
                torch.testing.assert_close(
                    found["probabilities"],
                    torch.tensor([theirs.p_c, theirs.p_i], dtype=torch.float64), rtol=1e-12, atol=0)
                pairs = [(torch.bincount(labels * classes + drawn, minlength=classes**2)
                          .view(classes, classes).double())
                         for drawn in (found["labels"], theirs(labels))]
                for ours, other in zip(*pairs):
                    # Two samples of one size: sum (a - b)^2 / (a + b).
                    statistic = ((ours - other) ** 2 / (ours + other)).sum().item()
                    self.assertGreater(chi_square_p(statistic, classes - 1), 1e-6)


def stop_of(values, patience=3, min_delta=0.0, maximize=False, stopping=None, divergence=None,
            baseline=None, start=0, check_finite=True):
    """(epoch, best epoch, reason) by the rules of the documentation: Lightning's and Keras's."""
    sign = -1 if maximize else 1
    best, best_epoch, waited = math.inf, 0, 0
    for epoch, value in enumerate(values, 1):
        value = sign * value
        if epoch <= start:
            continue
        if check_finite and not math.isfinite(value):
            return epoch, best_epoch, 1
        if divergence is not None and value > sign * divergence:
            return epoch, best_epoch, 2
        waited += 1
        if math.isfinite(value) and value < best - min_delta:
            best, best_epoch = value, epoch
            if baseline is None or value < sign * baseline - min_delta:
                waited = 0
        if stopping is not None and value <= sign * stopping:
            return epoch, best_epoch, 3
        if waited > 0 and waited >= patience:
            return epoch, best_epoch, 4
    return 0, best_epoch, 0


class EarlyStoppingTest(unittest.TestCase):
    def test_decisions(self):
        """Of 500 noisy falling curves, with a value that is not finite here and there."""
        generator = torch.Generator().manual_seed(4)
        values = (torch.linspace(2, 1, 30) + 0.3 * torch.randn((500, 30), generator=generator))
        values = values.double()
        values[::7, 20] = math.nan
        values[3::7, 10] = math.inf
        for words, python in (
                ({}, {}),
                ({"patience": 1}, {"patience": 1}),
                ({"patience": 5, "min_delta": 0.05}, {"patience": 5, "min_delta": 0.05}),
                ({"max": 1, "patience": 4}, {"maximize": True, "patience": 4}),
                ({"stopping_threshold": 1.2, "patience": 8}, {"stopping": 1.2, "patience": 8}),
                ({"divergence_threshold": 2.2, "patience": 8}, {"divergence": 2.2, "patience": 8}),
                ({"baseline": 1.5, "patience": 8}, {"baseline": 1.5, "patience": 8}),
                ({"start_from_epoch": 6}, {"start": 6}),
                ({"check_finite": 0, "patience": 6}, {"check_finite": False, "patience": 6})):
            with self.subTest(**words):
                found = parity.exchange("early_stops", {"values": values}, **words)["stops"]
                wanted = [stop_of(run, **python) for run in values.tolist()]
                self.assertEqual([tuple(stop) for stop in found.tolist()], wanted)
                self.assertGreater(len(set(wanted)), 3)


if __name__ == "__main__":
    parity.main()
