"""regtorch's transforms are torchvision's, once both are told the same random decisions."""

import math
import unittest

import parity  # first: where there is no torch it skips the test
import torch

try:
    import torchvision
except ImportError:
    parity.skip("this Python has no torchvision; ./bootstrap.sh installs it")
except RuntimeError:
    # A torchvision built for CUDA does not load its compiled operators beside a torch that is built
    # without, and looks for these two when it is imported. No transform uses any of them.
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}",
                             "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
from torchvision.transforms.v2 import functional as F

# Bytes become numbers by byte / 255 there and by byte * (1 / 255) here, 2^-24 apart at most. On
# numbers in [0, 1] an adjustment is a few roundings of 2^-24 on either side, times a factor up to 2.5.
UNIT_BOUND = 8 * 2**-24
# A hue is a dozen roundings of 2^-24 in numbers up to 6. (Divided by the range of the channels and
# multiplied by it again, they do not grow where that is small.)
HUE_BOUND = 5e-6


def random_images(count=64, height=24, width=32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


class TransformsTest(unittest.TestCase):
    def check(self, one, bound, images=None, **words):
        """one(x, decisions) is what torchvision makes of x, float32 [3,H,W]."""
        images = random_images() if images is None else images
        found = parity.exchange("transformed", {"images": images}, seed=7, **words)
        draws = found.get("draws", torch.zeros(len(images), 0)).tolist()
        for image, result, draw in zip(images, found["images"], draws):
            x = F.to_dtype(image, torch.float32, scale=True)
            torch.testing.assert_close(result, one(x, draw), rtol=0, atol=bound)
        return torch.tensor(draws)

    def test_normalize(self):
        for mean, std in (((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
                          ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616))):
            with self.subTest(mean=mean, std=std):
                # Normalize's own bound, where |x| and mean are at most 1, and the bytes'.
                self.check(lambda x, _: F.normalize(x, list(mean), list(std)),
                           8 * 2**-24 / min(std) + UNIT_BOUND / min(std),
                           transform="normalize", mean=mean, std=std)

    def test_random_crop(self):
        for size, padding, mode in ((24, 4, "constant"), (20, 0, "constant"), (24, 5, "reflect")):
            with self.subTest(size=size, padding=padding, mode=mode):
                self.check(
                    lambda x, draw: F.crop(F.pad(x, [padding], padding_mode=mode),
                                           int(draw[0]) + padding, int(draw[1]) + padding, size,
                                           size),
                    UNIT_BOUND, transform="crop", size=size, padding=padding,
                    **({"reflect": 1} if mode == "reflect" else {}))

    def test_random_horizontal_flip(self):
        flips = self.check(lambda x, draw: F.horizontal_flip(x) if draw[0] else x, UNIT_BOUND,
                           transform="flip", p=0.5)
        self.assertEqual(set(flips.flatten().tolist()), {0, 1})

    def test_random_erasing(self):
        for fill in (None, (0.25, 0.5, 1.0)):
            def one(x, draw):
                value = torch.tensor(fill or (0.0, 0.0, 0.0)).view(3, 1, 1)
                return F.erase(x, *map(int, draw), value) if draw[2] else x
            with self.subTest(fill=fill):
                draws = self.check(one, UNIT_BOUND, transform="erasing",
                                   **({"fill": fill} if fill else {}))
                self.assertGreater((draws[:, 2] > 0).sum().item(), 16)

    def test_random_erasing_draws_as_torchvision_does(self):
        """Two samples of areas and of shapes: by Kolmogorov and Smirnov further apart than this
        once in 10^6 times."""
        count = 4000
        images = random_images(1).expand(count, -1, -1, -1)
        ours = parity.exchange("transformed", {"images": images}, seed=7, transform="erasing",
                               p=1.0)["draws"]
        torch.manual_seed(3)
        theirs = torch.tensor([
            torchvision.transforms.RandomErasing.get_params(torch.zeros(3, 24, 32), (0.02, 0.33),
                                                            (0.3, 3.3), [0.0])[:4]
            for _ in range(count)], dtype=torch.float64)
        limit = math.sqrt(math.log(2 / 1e-6) / 2) * math.sqrt(2 / count)
        for name, of in (("area", lambda d: d[:, 2] * d[:, 3]),
                         ("ratio", lambda d: d[:, 2] / d[:, 3]),
                         ("row", lambda d: d[:, 0]), ("column", lambda d: d[:, 1])):
            with self.subTest(name):
                a, b = of(ours).sort()[0], of(theirs).sort()[0]
                places = torch.cat([a, b])
                distance = (torch.searchsorted(a, places, right=True) -
                            torch.searchsorted(b, places, right=True)).abs().max().item() / count
                self.assertLess(distance, limit)

    def test_cutout(self):
        """torchvision has none: its erase, with the part of the square that is in the image."""
        for size in (1, 8, 15, 40):
            def one(x, draw):
                top, left = map(int, draw)
                bottom, right = min(top + size, x.shape[1]), min(left + size, x.shape[2])
                top, left = max(top, 0), max(left, 0)
                return F.erase(x, top, left, bottom - top, right - left, torch.full((3, 1, 1), 0.5))
            with self.subTest(size=size):
                self.check(one, UNIT_BOUND, transform="cutout", size=size, fill=(0.5, 0.5, 0.5))

    def test_random_grayscale(self):
        grays = self.check(lambda x, draw: F.rgb_to_grayscale(x, 3) if draw[0] else x, UNIT_BOUND,
                           transform="grayscale", p=0.5)
        self.assertEqual(set(grays.flatten().tolist()), {0, 1})

    def test_color_jitter(self):
        """Each adjustment alone, and all in every order."""
        adjust = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)

        def one(x, draw):
            for adjustment in draw[:4]:
                if adjustment >= 0:
                    x = adjust[int(adjustment)](x, draw[4 + int(adjustment)])
            return x

        for words, bound in (({"brightness": 0.8}, UNIT_BOUND), ({"contrast": 0.8}, UNIT_BOUND),
                             ({"saturation": 1.5}, UNIT_BOUND), ({"hue": 0.5}, HUE_BOUND),
                             (dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
                              2 * HUE_BOUND)):
            with self.subTest(**words):
                draws = self.check(one, bound, random_images(256), transform="jitter", **words)
                if len(words) == 4:
                    self.assertEqual(len(set(map(tuple, draws[:, :4].tolist()))), 24)


class MixingTest(unittest.TestCase):
    CLASSES = 10
    # Two roundings of numbers below 1, and of bfloat16 three, as torchvision rounds in between.
    UNITS = {torch.float64: 2**-52, torch.float32: 2**-23, torch.bfloat16: 3 * 2**-8}

    def check(self, mix, torchvisions, parameters):
        for dtype, unit in self.UNITS.items():
            for seed in range(6):
                with self.subTest(mix=mix, dtype=dtype, seed=seed):
                    generator = torch.Generator().manual_seed(seed)
                    images = torch.rand((17, 3, 24, 32), generator=generator).to(dtype)
                    labels = torch.randint(self.CLASSES, (17,), generator=generator)
                    found = parity.exchange("mixed", {"images": images, "labels": labels}, mix=mix,
                                            classes=self.CLASSES, alpha=1.0, seed=seed)
                    what = {"labels": labels, "batch_size": 17, **parameters(found)}
                    transform = torchvisions(num_classes=self.CLASSES)
                    torch.testing.assert_close(
                        found["images"], transform.transform(images, what), rtol=0,
                        atol=unit if mix == "mixup" else 0)
                    torch.testing.assert_close(found["targets"], transform.transform(labels, what),
                                               rtol=0, atol=2**-23)

    def test_mixup(self):
        self.check("mixup", torchvision.transforms.v2.MixUp,
                   lambda found: {"lam": found["own"].item()})

    def test_cutmix(self):
        def parameters(found):
            top, bottom, left, right = found["box"].tolist()
            share = 1 - (bottom - top) * (right - left) / (24 * 32)
            self.assertEqual(found["own"].item(), share)
            return {"box": (left, top, right, bottom), "lam_adjusted": share}
        self.check("cutmix", torchvision.transforms.v2.CutMix, parameters)


if __name__ == "__main__":
    parity.main()
