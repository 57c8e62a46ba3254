"""Python's state_dicts and regtorch's are the same: names, order, shapes, values, both ways."""

import pathlib
import tempfile
import unittest

import parity  # first: where there is no torch it skips the test
import study_text
import torch
from parity import run


def random_resnet18(seed):
    """No value is as a new model has it, the running statistics included."""
    torch.manual_seed(seed)
    model = study_text.resnet18()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
        for buffer in model.buffers():  # means, variances, and how often they were updated
            buffer.copy_(torch.tensor(3) if buffer.dim() == 0
                         else buffer + 0.5 * torch.rand_like(buffer))
    return model


class StateDictTest(unittest.TestCase):
    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.folder = pathlib.Path(temp.name)
        self.file = self.folder / "model.pt"

    def assert_same_logits(self, state):
        """The file in regtorch and `state` in Python give the same on the same input."""
        images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(2))
        (self.folder / "input").write_bytes(images.numpy().tobytes())
        run("logits_of_model", self.file, self.folder / "input", self.folder / "output")
        logits = torch.frombuffer(bytearray((self.folder / "output").read_bytes()),
                                  dtype=torch.float32).view(4, 10)
        model = study_text.resnet18().eval()
        model.load_state_dict(state)  # strict
        with torch.no_grad():
            wanted = model(images)
        self.assertGreater(wanted.std().item(), 0.01)  # there is something to compare
        torch.testing.assert_close(logits, wanted, rtol=0, atol=1e-5)

    def check_saved_by_regtorch(self, dtype, layout):
        run("save_model", self.file, str(dtype).removeprefix("torch."), layout)
        state = torch.load(self.file, weights_only=True)
        python = study_text.resnet18().state_dict()
        self.assertEqual(type(state), type(python))
        self.assertEqual(list(state), list(python))
        for name, tensor in state.items():
            self.assertEqual(tensor.shape, python[name].shape, name)
            wanted = dtype if python[name].is_floating_point() else python[name].dtype
            self.assertEqual(tensor.dtype, wanted, name)
            self.assertFalse(tensor.requires_grad)
            if tensor.dim() == 4 and layout == "channels_last":
                self.assertTrue(tensor.is_contiguous(memory_format=torch.channels_last), name)
            else:
                self.assertTrue(tensor.is_contiguous(), name)
        self.assertGreater(state["base.1.running_mean"].min().item(), 0)
        self.assertEqual(state["base.1.num_batches_tracked"].item(), 3)
        self.assert_same_logits(state)

    def test_saved_by_regtorch(self):
        self.check_saved_by_regtorch(torch.float32, "contiguous")

    def test_saved_by_regtorch_channels_last(self):
        self.check_saved_by_regtorch(torch.float32, "channels_last")

    def test_saved_by_regtorch_bfloat16(self):
        self.check_saved_by_regtorch(torch.bfloat16, "contiguous")

    def check_saved_by_python(self, state):
        torch.save(state, self.file)
        self.assert_same_logits(state)

    def test_saved_by_python(self):
        self.check_saved_by_python(random_resnet18(3).state_dict())

    def test_saved_by_python_channels_last(self):
        model = random_resnet18(4).to(memory_format=torch.channels_last)
        self.check_saved_by_python(model.state_dict())

    def test_saved_by_python_bfloat16(self):
        self.check_saved_by_python(random_resnet18(5).bfloat16().state_dict())

    def test_parameters_saved_by_python(self):
        self.check_saved_by_python(random_resnet18(6).state_dict(keep_vars=True))

    def test_missing_and_unexpected(self):
        state = random_resnet18(7).state_dict()
        state["extra"] = state.pop("fc.bias")
        state["base.0.weight"] = state["base.0.weight"][:, :1]
        torch.save(state, self.file)
        with self.assertRaises(RuntimeError) as error:
            run("logits_of_model", self.file, self.folder / "none", self.folder / "output")
        for part in ("missing: fc.bias", "unexpected: extra",
                     "base.0.weight ([64, 1, 3, 3] in the file, [64, 3, 3, 3] in the model)"):
            self.assertIn(part, str(error.exception))

    def test_every_type_and_strides(self):
        """What Python saved, loaded and saved by regtorch, is what it was."""
        types = {
            "Float": torch.float32, "Double": torch.float64, "Half": torch.float16,
            "BFloat16": torch.bfloat16, "Long": torch.int64, "Int": torch.int32,
            "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8, "Bool": torch.bool,
            "ComplexFloat": torch.complex64, "ComplexDouble": torch.complex128,
            "ComplexHalf": torch.complex32, "UInt16": torch.uint16, "UInt32": torch.uint32,
            "UInt64": torch.uint64, "Float8_e5m2": torch.float8_e5m2,
            "Float8_e4m3fn": torch.float8_e4m3fn, "Float8_e5m2fnuz": torch.float8_e5m2fnuz,
            "Float8_e4m3fnuz": torch.float8_e4m3fnuz, "Float8_e8m0fnu": torch.float8_e8m0fnu,
        }
        torch.manual_seed(8)
        values = torch.tensor([1, 2, 4, 8, 16, 32, 0.5, 1, 2, 4, 8, 64]).view(3, 4)
        state = {name: values.to(dtype) for name, dtype in types.items()}
        base = torch.randn(20)
        state |= {
            "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
            "transposed": torch.randn(3, 4).t(),
            "view_a": base[2:5],
            "view_b": base[3:].as_strided((3, 2), (5, 2), 4),
            "expanded": torch.randn(3, 1).expand(3, 7),
            "scalar": torch.tensor(2.5),
            "empty": torch.zeros(0, 5),
            "huge": torch.tensor([-2**63, 2**63 - 1]),
            "parameter": torch.nn.Parameter(torch.randn(2, 3)),
        }
        torch.save(state, self.file)
        run("copy_tensors", self.file, self.folder / "copy.pt")
        copy = torch.load(self.folder / "copy.pt", weights_only=True)
        self.assertEqual(list(copy), ["parameter", *list(state)[:-1]])  # parameters come first
        for name, wanted in state.items():
            self.assertEqual(copy[name].dtype, wanted.dtype, name)
            self.assertEqual(copy[name].shape, wanted.shape, name)
            same = [t.detach().contiguous().view(-1).view(torch.uint8).tolist()
                    for t in (copy[name], wanted)]
            self.assertEqual(*same, name)


if __name__ == "__main__":
    parity.main()
