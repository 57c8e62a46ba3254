"""The pieces of the PyTorch study text in plain Python torch, written from its formulas."""

import importlib.util
import pathlib

import torch
from torch import nn

_path = pathlib.Path(__file__).parents[2] / "bench/python/early_stopping.py"
_spec = importlib.util.spec_from_file_location("early_stopping", _path)
_early_stopping = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_early_stopping)


def resnet18():
    return _early_stopping.ResNet([2, 2, 2, 2])


class CNN(nn.Module):
    """The small network; its first linear layer has the 400 inputs that 32x32 images give."""

    def __init__(self, num_classes=10, dropout=0.5):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 5, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(400, 120), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(120, 64), nn.ReLU(), nn.Linear(64, num_classes),
        )

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def label_smoothing_loss(logits, target, smoothing, dim=-1):
    """1 - s on the true class, s / (K - 1) on each other one; for logits [N, K]."""
    classes = logits.size(dim)
    log_p = logits.log_softmax(dim=dim)
    with torch.no_grad():
        true_dist = torch.zeros_like(log_p)
        true_dist.fill_(smoothing / (classes - 1))
        true_dist.scatter_(1, target.unsqueeze(1), 1.0 - smoothing)
    return torch.mean(torch.sum(-true_dist * log_p, dim=dim))


class DisturbLabel:
    """Draws each label from a distribution in which its own class is the likeliest."""

    def __init__(self, alpha, num_classes):
        self.num_classes = num_classes
        self.p_c = 1 - (num_classes - 1) / num_classes * (alpha / 100)
        self.p_i = (1 - self.p_c) / (num_classes - 1)

    def __call__(self, labels):
        distribution = torch.full((len(labels), self.num_classes), self.p_i)
        distribution.scatter_(1, labels.unsqueeze(1), self.p_c)
        return torch.distributions.OneHotCategorical(distribution).sample().argmax(1)
