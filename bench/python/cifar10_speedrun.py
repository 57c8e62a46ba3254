"""airbench94 in Python torch, the yardstick of examples/cifar10_speedrun.

    python bench/python/cifar10_speedrun.py --data FOLDER [--epochs 9.9] [--seed 0] [--fp32]

Written from the recipe's description (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024,
arXiv:2404.00498) as its users would run it on a CPU: bfloat16 autocast over float32 weights,
channels_last. Prints the seconds of training and of test-time augmentation, and both accuracies. With
--epochs N the schedule is that of N epochs.
"""

import argparse
import math
import pathlib
import time

import torch
import torch.nn.functional as F
from torch import nn

BATCH = 1024
MEAN = torch.tensor((0.4914, 0.4822, 0.4465)).view(1, 3, 1, 1)
STD = torch.tensor((0.2470, 0.2435, 0.2616)).view(1, 3, 1, 1)


def load(folder, names):
    records = torch.cat(
        [
            torch.frombuffer(bytearray((pathlib.Path(folder) / name).read_bytes()), dtype=torch.uint8).view(-1, 3073)
            for name in names
        ]
    )
    images = (records[:, 1:].reshape(-1, 3, 32, 32).float().div(255) - MEAN) / STD
    return images.contiguous(memory_format=torch.channels_last), records[:, 0].long()


def convolution(in_channels, out_channels):
    conv = nn.Conv2d(in_channels, out_channels, 3, padding="same", bias=False)
    nn.init.dirac_(conv.weight.data[:in_channels])
    return conv


def norm(channels):
    bn = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
    bn.weight.requires_grad = False
    return bn


class Group(nn.Sequential):
    def __init__(self, in_channels, out_channels):
        super().__init__(
            convolution(in_channels, out_channels), nn.MaxPool2d(2), norm(out_channels), nn.GELU(),
            convolution(out_channels, out_channels), norm(out_channels), nn.GELU(),
        )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2, bias=True)
        self.whiten.weight.requires_grad = False
        self.groups = nn.Sequential(Group(24, 64), Group(64, 256), Group(256, 256))
        self.head = nn.Linear(256, 10, bias=False)

    def whiten_by(self, images, eps=5e-4):
        patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12).double()
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (vectors / (values + eps).sqrt()).T.flip(0).reshape(12, 3, 2, 2).float()
        self.whiten.weight.data.copy_(torch.cat([filters, -filters]))

    def forward(self, x):
        x = self.groups(F.gelu(self.whiten(x)))
        return self.head(F.max_pool2d(x, 3).flatten(1)) / 9


class Batches:
    """Reflect-pad 2 and random crop; one random flip, and all flipped again in every odd epoch."""

    def __init__(self, images, labels):
        flip = torch.rand(len(images)) < 0.5
        images = torch.where(flip.view(-1, 1, 1, 1), images.flip(3), images)
        self.padded = F.pad(images, (2,) * 4, mode="reflect")
        self.labels = labels
        self.epoch = 0

    def __len__(self):
        return len(self.padded) // BATCH

    def __iter__(self):
        n = len(self.padded)
        shifts = torch.randint(5, (2, n))
        cropped = torch.empty((n, 3, 32, 32)).contiguous(memory_format=torch.channels_last)
        for y in range(5):
            for x in range(5):
                mask = (shifts[0] == y) & (shifts[1] == x)
                cropped[mask] = self.padded[mask, :, y:y + 32, x:x + 32]
        if self.epoch % 2 == 1:
            cropped = cropped.flip(3)
        self.epoch += 1
        order = torch.randperm(n)
        for i in range(len(self)):
            chosen = order[i * BATCH:(i + 1) * BATCH]
            yield cropped[chosen].contiguous(memory_format=torch.channels_last), self.labels[chosen]


class LookaheadState:
    def __init__(self, net):
        self.slow = {k: v.clone() for k, v in net.state_dict().items()}

    def update(self, net, decay):
        for name, fast in net.state_dict().items():
            if fast.is_floating_point():
                slow = self.slow[name]
                slow.lerp_(fast, 1 - decay)
                fast.copy_(slow)


def augmented(net, images):
    def mirrored(x):
        return net(x) + net(x.flip(3))

    padded = F.pad(images, (1,) * 4, mode="reflect")
    moved = mirrored(padded[:, :, 0:32, 0:32]) + mirrored(padded[:, :, 2:34, 2:34])
    return 0.5 * mirrored(images) / 2 + 0.5 * moved / 4


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=float, default=9.9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fp32", action="store_true", help="no autocast: faster where the CPU has no AMX")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)

    images, labels = load(arguments.data, [f"data_batch_{i}.bin" for i in range(1, 6)])
    test_images, test_labels = load(arguments.data, ["test_batch.bin"])
    net = Net().to(memory_format=torch.channels_last)

    start = time.perf_counter()
    net.whiten_by(images[:5000])
    batches = Batches(images, labels)
    steps = math.ceil(len(batches) * arguments.epochs)
    k = BATCH * (1 + 1 / (1 - 0.85))
    lr = 11.5 / k
    decay = 0.0153 * BATCH / k / lr
    biases = [p for n, p in net.named_parameters() if p.requires_grad and n.startswith("groups") and n.endswith("bias")]
    others = [p for p in net.parameters() if p.requires_grad and all(p is not b for b in biases)]
    optimizer = torch.optim.SGD(
        [dict(params=biases, lr=lr * 64, weight_decay=decay / 64), dict(params=others, lr=lr, weight_decay=decay)],
        momentum=0.85, nesterov=True)
    peak = int(0.23 * steps)

    def factor(step):
        if step < peak:
            return 0.2 + 0.8 * step / peak
        return 1 + (0.07 - 1) * (step - peak) / (steps - peak)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.2, reduction="none")
    lookahead = LookaheadState(net)
    step, epoch = 0, 0
    while step < steps:
        net.whiten.bias.requires_grad = epoch < 3
        net.train()
        for inputs, targets in batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=not arguments.fp32):
                loss = criterion(net(inputs), targets).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            if step % 5 == 0:
                lookahead.update(net, 0.95**5 * (step / steps) ** 3)
            if step >= steps:
                lookahead.update(net, 1.0)
                break
        epoch += 1
        print(f"epoch {epoch}: {time.perf_counter() - start:.1f} s, loss {loss.item() / BATCH:.4f}", flush=True)
    trained = time.perf_counter()

    net.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=not arguments.fp32):
        plain = torch.cat([net(x) for x in test_images.split(2000)])
        evaluated = time.perf_counter()
        averaged = torch.cat([augmented(net, x) for x in test_images.split(2000)])
    done = time.perf_counter()
    accuracy = [(logits.argmax(1) == test_labels).float().mean().item() for logits in (plain, averaged)]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {steps} steps: {trained - start:.1f} s of training, "
          f"{done - evaluated:.1f} s of test-time augmentation; accuracy {accuracy[0]:.4f}, augmented {accuracy[1]:.4f}")


if __name__ == "__main__":
    main()
