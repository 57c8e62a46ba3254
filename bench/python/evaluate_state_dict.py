"""The test accuracy of a file that rt::save_state_dict wrote, measured by Python torch alone.

    python bench/python/evaluate_state_dict.py --data FOLDER --state-dict best.pt [--bf16]

The model is the study text's ResNet-18, the images are CIFAR-10's 10,000 test images normalised by
0.5; --bf16 computes as `early_stopping --bf16` does, without it in float32.
"""

import argparse
import pathlib

import torch

from early_stopping import ResNet


def test_images(folder):
    data = (pathlib.Path(folder) / "test_batch.bin").read_bytes()
    records = torch.frombuffer(bytearray(data), dtype=torch.uint8).view(10000, 3073)
    # As rt::transforms::Normalize rounds: in bfloat16 the last bit decides an image or two of 10,000.
    images = records[:, 1:].reshape(-1, 3, 32, 32).float().mul(1 / 255).mul(2).sub(1)
    return images.contiguous(memory_format=torch.channels_last), records[:, 0].long()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--state-dict", required=True)
    parser.add_argument("--bf16", action="store_true")
    arguments = parser.parse_args()

    model = ResNet([2, 2, 2, 2])
    model.load_state_dict(torch.load(arguments.state_dict, weights_only=True))
    model.to(memory_format=torch.channels_last).eval()
    images, labels = test_images(arguments.data)
    correct = 0
    loss_sum = 0.0
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
        for x, y in zip(images.split(500), labels.split(500)):
            logits = model(x)
            loss_sum += torch.nn.functional.cross_entropy(logits, y).item() * len(y)
            correct += (logits.argmax(1) == y).sum().item()
    print(f"torch {torch.__version__}, {'bfloat16' if arguments.bf16 else 'float32'}: "
          f"test accuracy {100 * correct / len(labels):.2f} %, test loss {loss_sum / len(labels):.4f}")


if __name__ == "__main__":
    main()
