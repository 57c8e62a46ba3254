"""regtorch's optimizers, clipping, penalties and max-norm are Python torch's."""

import unittest

import parity  # first: where there is no torch it skips the test
import torch

STEPS = 200

# How far parameters may be apart after STEPS steps, by type, relative to 1 + |p|: each step rounds
# a parameter once or twice, to 2^-24 (2^-53) of itself, in its own order of operations, and the
# parameters below are of size 1: 200 steps that all round the same way are 200 * 2^-23 = 2.4e-5
# (4.4e-14) apart.
STEPS_BOUND = {torch.float32: 2.4e-5, torch.float64: 4.4e-14}

# Of sums of up to 2,000 squares and their roots, relative: Python adds in float32, regtorch in
# float64.
SUM_BOUND = {torch.float32: 2e-6, torch.float64: 1e-13}

# Options by group; every optimizer has more than one.
ADAM = [
    dict(lr=[0.01]),
    dict(lr=[0.01, 0.003, 0.001], beta1=[0.9, 0.5, 0.0], beta2=[0.999, 0.9, 0.99],
         eps=[1e-8, 1e-3, 1e-6], weight_decay=[0.0, 0.1, 0.01]),
    dict(lr=[0.01, 0.003], weight_decay=[0.02, 0.0], amsgrad=[1, 1]),
    dict(lr=[0.01, 0.003], weight_decay=[0.02, 0.0], amsgrad=[0, 1]),
]
SGD = [
    dict(lr=[0.01]),
    dict(lr=[0.01, 0.003, 0.002], momentum=[0.9, 0.5, 0.0], weight_decay=[5e-4, 0.0, 0.1]),
    dict(lr=[0.01, 0.003], momentum=[0.9, 0.7], weight_decay=[5e-4, 0.0], nesterov=[1, 0]),
    dict(lr=[0.01, 0.003], momentum=[0.9, 0.7], weight_decay=[5e-4, 0.0], dampening=[0.1, 0.5]),
]
RMSPROP = [
    dict(lr=[0.01, 0.003], alpha=[0.99, 0.9], momentum=[0.9, 0.0], weight_decay=[0.01, 0.0],
         centered=[1, 0], eps=[1e-8, 1e-4]),
]
ADAGRAD = [dict(lr=[0.1, 0.03], lr_decay=[0.01, 0.0], weight_decay=[0.01, 0.0])]
CASES = {"Adam": ADAM, "AdamW": ADAM, "SGD": SGD, "RMSprop": RMSPROP, "Adagrad": ADAGRAD}


def random_tensors(dtype, shapes, scale=1.0, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [scale * torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
            for shape in shapes]


def named(prefix, tensors):
    return {f"{prefix}{i}": tensor.detach() for i, tensor in enumerate(tensors)}


def python_group(parameters, case, group):
    """Python's parameter group, in which what is two words here is one option."""
    result = {name: values[group] for name, values in case.items()}
    if "beta1" in result:
        result["betas"] = result.pop("beta1"), result.pop("beta2")
    for flag in ("amsgrad", "nesterov", "centered"):
        if flag in result:
            result[flag] = bool(result[flag])
    return {"params": parameters, **result}


def python_steps(optimizer, parameters, gradients):
    """Each parameter after each step, of as many steps as there are gradients."""
    after = [[] for _ in parameters]
    for step in range(len(gradients[0])):
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient[step]
        optimizer.step()
        for values, parameter in zip(after, parameters):
            values.append(parameter.clone())
    return [torch.stack(values) for values in after]


class WeightsTest(unittest.TestCase):
    SHAPES = [(16, 3, 3, 3), (17,), (33, 40), (1,), (5, 7)]

    def assert_close(self, found, wanted, bound):
        torch.testing.assert_close(found, wanted, rtol=bound, atol=bound)

    def check_steps(self, name, case, dtype, ours, **others):
        parameters = random_tensors(dtype, self.SHAPES)
        gradients = random_tensors(dtype, [(STEPS, *shape) for shape in self.SHAPES], seed=2)
        found = parity.exchange("steps_of_optimizer", {
            **named("parameter", parameters), **named("gradient", gradients)}, optimizer=ours,
            **case, **others)
        if "decay_groups" in others:
            decayed = [p for p in parameters if p.dim() >= 2]
            kept = [p for p in parameters if p.dim() < 2]
            groups = [python_group(decayed, case, 0),
                      {**python_group(kept, case, 0), "weight_decay": 0}]
        else:
            count = len(case["lr"])
            groups = [python_group(parameters[g::count], case, g) for g in range(count)]
        wanted = python_steps(getattr(torch.optim, name)(groups), parameters, gradients)
        for i, after in enumerate(wanted):
            self.assert_close(found[f"parameter{i}"], after, STEPS_BOUND[dtype])

    def test_optimizers(self):
        """The fused ones and LibTorch's own, whose groups with_parameter_groups made."""
        for name, cases in CASES.items():
            for ours in (name, "Fused" + name)[:2 if name in ("Adam", "AdamW", "SGD") else 1]:
                for case in cases:
                    for dtype in STEPS_BOUND:
                        with self.subTest(ours=ours, case=case, dtype=dtype):
                            self.check_steps(name, case, dtype, ours)

    def test_with_decay_groups(self):
        for ours in ("FusedAdam", "FusedAdamW", "FusedSGD", "AdamW", "SGD"):
            with self.subTest(ours=ours):
                self.check_steps(ours.removeprefix("Fused"), dict(lr=[0.01], weight_decay=[0.1]),
                                 torch.float64, ours, decay_groups=1)

    def test_muon(self):
        """The same operations in the same order: the same bits."""
        shapes = [(16, 27), (33, 10), (1, 5), (8, 8)]
        cases = [
            dict(lr=[0.02]),
            dict(lr=[0.02, 0.1], momentum=[0.6, 0.0], nesterov=[1, 0], weight_decay=[0.0, 0.3],
                 ns_steps=[3, 6], rate=[1, 2]),
        ]
        for dtype in (torch.float32, torch.float64):
            for case in cases:
                with self.subTest(dtype=dtype, case=case):
                    parameters = random_tensors(dtype, shapes)
                    gradients = random_tensors(dtype, [(20, *shape) for shape in shapes], seed=2)
                    found = parity.exchange("steps_of_optimizer", {
                        **named("parameter", parameters), **named("gradient", gradients)},
                        optimizer="Muon", **case)
                    count = len(case["lr"])
                    groups = [python_group(parameters[g::count], case, g) for g in range(count)]
                    for group in groups:
                        if "rate" in group:
                            group["adjust_lr_fn"] = {1: "original", 2: "match_rms_adamw"}[
                                group.pop("rate")]
                    wanted = python_steps(torch.optim.Muon(groups), parameters, gradients)
                    for i, after in enumerate(wanted):
                        self.assert_close(found[f"parameter{i}"], after, 0)

    def test_clipping(self):
        for dtype, bound in SUM_BOUND.items():
            for scale, limit in ((1.0, 0.5), (1e3, 2.0), (1.0, 1e6)):
                with self.subTest(dtype=dtype, scale=scale, limit=limit):
                    gradients = random_tensors(dtype, self.SHAPES, scale)
                    for option in ("max_norm", "clip_value"):
                        found = parity.exchange("clipped_gradients", named("gradient", gradients),
                                                **{option: limit})
                        parameters = [torch.zeros_like(g).requires_grad_() for g in gradients]
                        for parameter, gradient in zip(parameters, gradients):
                            parameter.grad = gradient.clone()
                        if option == "max_norm":
                            norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
                            torch.testing.assert_close(found["norm"], norm, rtol=bound, atol=0)
                        else:
                            torch.nn.utils.clip_grad_value_(parameters, limit)
                        for i, parameter in enumerate(parameters):
                            torch.testing.assert_close(found[f"gradient{i}"], parameter.grad,
                                                       rtol=bound, atol=0)

    def test_penalties(self):
        for dtype, bound in SUM_BOUND.items():
            for strengths in ({"l1": 0.01}, {"l2": 0.5}, {"l1": 1e-4, "l2": 3.0}):
                with self.subTest(dtype=dtype, strengths=strengths):
                    weights = random_tensors(dtype, self.SHAPES)
                    weights[2][::2] = 0  # where |w| has no derivative, and both say 0
                    found = parity.exchange("penalty", named("parameter", weights), **strengths)
                    weights = [w.requires_grad_() for w in weights]
                    value = sum(strengths.get("l1", 0) * w.abs().sum() +
                                strengths.get("l2", 0) * w.square().sum() for w in weights)
                    torch.testing.assert_close(found["penalty"], value.detach(), rtol=bound, atol=0)
                    for i, gradient in enumerate(torch.autograd.grad(value, weights)):
                        torch.testing.assert_close(found[f"gradient{i}"], gradient, rtol=bound,
                                                   atol=0)

    def test_max_norm(self):
        """Of the filters about half are above the limit."""
        shapes = [(16, 3, 3, 3), (33, 40), (5, 7), (64, 512)]
        for dtype, bound in SUM_BOUND.items():
            for limit in (0.1, 2.6, 5.0, 22.6):
                with self.subTest(dtype=dtype, limit=limit):
                    weights = random_tensors(dtype, shapes)
                    found = parity.exchange("bounded_weights", named("parameter", weights),
                                            max_norm=limit)
                    for i, weight in enumerate(weights):
                        torch.testing.assert_close(found[f"parameter{i}"],
                                                   torch.renorm(weight, 2, 0, limit), rtol=bound,
                                                   atol=0)


if __name__ == "__main__":
    parity.main()
