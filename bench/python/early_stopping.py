"""The early_stopping experiment's training epoch in Python torch, as a user would write it.

    python bench/python/early_stopping.py --data FOLDER [--steps N] [--bf16]

Prints the seconds of N training steps (default: an epoch of 30,000 images, 938 steps): ResNet-18 of
the study text, batch 32, Adam 1e-3, channels_last, with --bf16 under bfloat16 autocast. For comparison
with `early_stopping --epochs 1 [--bf16]` (column "seconds" of its table, train_seconds of its
history.csv) on the same machine, in alternation.
"""

import argparse
import pathlib
import time

import torch
from torch import nn


class ResidualBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1):
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.downsample = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x):
        return torch.relu(self.conv_block(x) + self.downsample(x))


class ResNet(nn.Module):
    def __init__(self, blocks, num_classes=10):
        super().__init__()
        self.base = nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        )
        channels = 64
        for layer, (count, width) in enumerate(zip(blocks, (64, 128, 256, 512))):
            modules = []
            for block in range(count):
                stride = 2 if layer > 0 and block == 0 else 1
                modules.append(ResidualBlock(channels, width, stride))
                channels = width
            setattr(self, f"layer{layer + 1}", nn.Sequential(*modules))
        self.gap = nn.AvgPool2d(4)
        self.fc = nn.Linear(512, num_classes)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.base(x)))))
        return self.fc(self.gap(x).flatten(1))


class Cifar10(torch.utils.data.Dataset):
    """The first `count` training images, normalised by 0.5, one at a time as DataLoader wants."""

    def __init__(self, folder, count):
        records = []
        for number in range(1, 6):
            data = (pathlib.Path(folder) / f"data_batch_{number}.bin").read_bytes()
            records.append(torch.frombuffer(bytearray(data), dtype=torch.uint8).view(10000, 3073))
        records = torch.cat(records)[:count]
        self.labels = records[:, 0].long()
        self.images = records[:, 1:].reshape(-1, 3, 32, 32)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return (self.images[index].float().div(255) - 0.5) / 0.5, self.labels[index]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=938)
    parser.add_argument("--bf16", action="store_true")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    loader = torch.utils.data.DataLoader(Cifar10(arguments.data, 30000), batch_size=32, shuffle=True)
    model = ResNet([2, 2, 2, 2]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    loss_sum = 0.0
    start = time.perf_counter()
    for step, (images, labels) in enumerate(loader):
        if step == arguments.steps:
            break
        images = images.to(memory_format=torch.channels_last)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
            loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item()
    seconds = time.perf_counter() - start
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads: {arguments.steps} steps, "
          f"{seconds:.1f} s, mean loss {loss_sum / arguments.steps:.4f}")


if __name__ == "__main__":
    main()
