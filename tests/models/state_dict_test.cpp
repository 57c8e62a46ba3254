#include "regtorch/models/state_dict.hpp"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "regtorch/models/channels_last.hpp"
#include "regtorch/models/residual_block.hpp"
#include "temporary_folder.hpp"

namespace state_dict_test {

namespace fs = std::filesystem;
using namespace std::string_literals;
using regtorch::testing::contains;
using regtorch::testing::TemporaryFolder;

namespace {

/// A module of the tensors it is given.
struct Buffers : torch::nn::Module {
  explicit Buffers(const std::vector<std::pair<std::string, torch::Tensor>>& tensors) {
    for (const auto& [name, tensor] : tensors) {
      register_buffer(name, tensor);
    }
  }
  torch::Tensor operator[](const std::string& name) const { return named_buffers()[name]; }
};

/// The message of what loading throws, which may be nothing but a c10::Error; "" if it throws
/// nothing.
std::string load_error(torch::nn::Module& module, const fs::path& path) {
  try {
    rt::load_state_dict(module, path);
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "";
}

std::string save_error(const torch::nn::Module& module, const fs::path& path) {
  try {
    rt::save_state_dict(module, path);
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "";
}

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const fs::path& path, std::string_view bytes) {
  fs::remove(path);  // some file systems flush a file that is cut short and written again
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// ---- Pickles by hand. ----

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    text += static_cast<char>(value >> (8 * i) & 0xff);
  }
  return text;
}
std::string text(const std::string& value) { return "X" + little_endian(value.size(), 4) + value; }
std::string number(std::int64_t value) {
  return "\x8a\x08" + little_endian(static_cast<std::uint64_t>(value), 8);
}
std::string numbers(const std::vector<std::int64_t>& values) {
  std::string tuple = "(";
  for (const auto value : values) {
    tuple += number(value);
  }
  return tuple + "t";
}
std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
const std::string kOrderedDict = global("collections", "OrderedDict") + ")R";

/// A tensor of floats, by default as long as its storage, which is the record data/0.
struct Pickled {
  std::int64_t elements = 4;
  std::int64_t offset = 0;
  std::vector<std::int64_t> sizes = {4};
  std::vector<std::int64_t> strides = {1};
  std::string type = "FloatStorage";
  std::string metadata = "";

  std::string storage() const {
    return "(" + text("storage") + global("torch", type) + text("0") + text("cpu") +
           number(elements) + "tQ";
  }
  operator std::string() const {  // NOLINT: reads as the bytes it stands for
    return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage() + number(offset) +
           numbers(sizes) + numbers(strides) + "\x89" + kOrderedDict + metadata + "tR";
  }
};
std::string dict(const std::string& items) { return "\x80\x02}(" + items + "u."; }

const std::string kFourFloats("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40", 16);  // 1 2 3 4

using Records = std::map<std::string, std::string>;

/// A file with these records, and a module of one tensor `w` of four zeros to load it into.
class Crafted {
 public:
  explicit Crafted(const Records& records) {
    std::string bytes;
    caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, std::size_t size) {
      bytes.append(static_cast<const char*>(data), size);
      return size;
    });
    for (const auto& [name, record] : records) {
      writer.writeRecord(name, record.data(), record.size());
    }
    writer.writeEndOfFile();
    put(path, bytes);
  }
  explicit Crafted(const std::string& pickle)
      : Crafted(Records{{"data.pkl", pickle}, {"data/0", kFourFloats}}) {}

  /// What loading says after the file's name; the module must be as it was if that is something.
  std::string error() {
    const auto message = load_error(module, path);
    if (message.empty()) {
      return "";
    }
    CHECK(module["w"].equal(torch::zeros({4})));
    const std::string begin = "load_state_dict: " + path.string();
    CHECK(message.substr(0, begin.size()) == begin);
    return message.substr(begin.size());
  }

  TemporaryFolder folder;
  fs::path path = folder.path / "crafted.pt";
  Buffers module{{{"w", torch::zeros({4})}}};
};

}  // namespace

TEST_CASE("a state_dict comes back, into the model's own tensors", "[models]") {
  const TemporaryFolder folder;
  const auto path = folder.path / "block.pt";
  torch::manual_seed(0);
  rt::ResidualBlock saved(3, 8, /*stride=*/2);
  saved->forward(torch::randn({4, 3, 8, 8}));  // running statistics of its own
  rt::to_channels_last(*saved);
  rt::save_state_dict(*saved, path);

  rt::ResidualBlock loaded(3, 8, /*stride=*/2);
  torch::optim::SGD optimizer(loaded->parameters(), torch::optim::SGDOptions(0.1));
  const auto before = loaded->named_parameters();
  rt::load_state_dict(*loaded, path);
  const auto wanted = rt::detail::state_dict_of(*saved);
  const auto got = rt::detail::state_dict_of(*loaded);
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO(got[i].key());
    CHECK(got[i].key() == wanted[i].key());
    CHECK(got[i].value().equal(wanted[i].value()));
  }
  for (const auto& parameter : loaded->named_parameters()) {
    CHECK(parameter.value().is_same(before[parameter.key()]));
    CHECK(parameter.value().requires_grad());
    CHECK(parameter.value().is_contiguous());  // not channels_last, as in the file
  }
  loaded->forward(torch::randn({2, 3, 8, 8})).sum().backward();
  optimizer.step();
  const std::string name = "conv_block.4.bias";
  CHECK_FALSE(loaded->named_parameters()[name].equal(saved->named_parameters()[name]));
}

TEST_CASE("tensors by name come back without a module", "[models]") {
  const TemporaryFolder folder;
  const auto path = folder.path / "state.pt";
  rt::TensorDict state;
  const auto shared = torch::arange(6, torch::kDouble);
  state.insert("z.weights", shared);
  state.insert("a", shared.slice(0, 2, 4));
  state.insert("count", torch::tensor(7));
  state.insert("none", torch::zeros({0, 3}));
  rt::save_state_dict(state, path);
  const auto loaded = rt::load_state_dict(path);
  CHECK(loaded.keys() == state.keys());
  for (const auto& entry : state) {
    INFO(entry.key());
    CHECK(loaded[entry.key()].equal(entry.value()));
    CHECK(loaded[entry.key()].scalar_type() == entry.value().scalar_type());
  }
  // Each tensor is its own.
  loaded["a"].zero_();
  CHECK(loaded["z.weights"].equal(shared));

  // What a module's state_dict loads as, and what does not hold tensors alone.
  rt::ResidualBlock block(3, 8, /*stride=*/2);
  rt::save_state_dict(*block, path);
  CHECK(rt::load_state_dict(path).keys() == rt::detail::state_dict_of(*block).keys());
  CHECK(contains(
      regtorch::testing::error_of([&] { rt::load_state_dict(folder.path / "missing.pt"); }),
      "missing.pt: No such file"));
}

TEST_CASE("a state_dict is in Python's order", "[models]") {
  struct Node : torch::nn::Module {
    explicit Node(int depth) {
      if (depth > 0) {  // registered first, listed last
        register_module("child", std::make_shared<Node>(depth - 1));
      }
      register_buffer("buffer", torch::zeros({1}));
      register_parameter("weight", torch::zeros({1}));
      register_parameter("bias", torch::Tensor(), /*requires_grad=*/false);
    }
  };
  const TemporaryFolder folder;
  rt::save_state_dict(Node(2), folder.path / "node.pt");
  const auto bytes = contents(folder.path / "node.pt");
  std::size_t at = 0;
  for (const char* name : {"weight", "buffer", "child.weight", "child.buffer", "child.child.weight",
                           "child.child.buffer"}) {
    INFO(name);
    const auto found = bytes.find(text(name), at);
    REQUIRE(found != std::string::npos);
    at = found;
  }
  CHECK_FALSE(contains(bytes, "bias"));
}

TEST_CASE("every type of element comes back bit for bit", "[models]") {
  const TemporaryFolder folder;
  std::vector<std::pair<std::string, torch::Tensor>> saved, empty;
  for (const auto& dtype : rt::detail::kPickledDtypes) {
    const auto values = torch::tensor({0.0, 1.0, 2.0, 4.0, 0.5, 64.0}).view({2, 3}).to(dtype.dtype);
    saved.emplace_back(c10::toString(dtype.dtype), values);
    empty.emplace_back(c10::toString(dtype.dtype), torch::zeros({2, 3}).to(dtype.dtype));
  }
  rt::save_state_dict(Buffers(saved), folder.path / "types.pt");
  Buffers loaded(empty);
  rt::load_state_dict(loaded, folder.path / "types.pt");
  const auto bytes_of = [](const torch::Tensor& t) {
    return std::string(static_cast<const char*>(t.data_ptr()), t.nbytes());
  };
  for (const auto& [name, tensor] : saved) {
    INFO(name);
    CHECK(loaded[name].scalar_type() == tensor.scalar_type());
    CHECK(bytes_of(loaded[name]) == bytes_of(tensor));
  }
}

TEST_CASE("tensors of any strides come back, and shared memory is written once", "[models]") {
  const TemporaryFolder folder;
  const auto path = folder.path / "strides.pt";
  torch::manual_seed(0);
  const auto base = torch::randn({1000, 6});
  const auto images = torch::randn({2, 3, 4, 5});
  const std::vector<std::pair<std::string, torch::Tensor>> tensors{
      {"base", base},
      {"transposed", base.t()},
      {"column", base.select(1, 4)},
      {"every_other", base.slice(0, 1, 999, 2)},
      {"channels_last", images.contiguous(at::MemoryFormat::ChannelsLast)},
      {"expanded", torch::randn({3, 1}).expand({3, 7})},
      {"scalar", torch::tensor(3.5)},
      {"empty", torch::zeros({0, 5})},
      {"empty_view", base.slice(0, 1000)},
      {"conjugated", torch::randn({3}, at::kComplexFloat).conj()},
      {"same_memory_other_type", base.view(at::kInt)},
  };
  rt::save_state_dict(Buffers(tensors), path);
  // base once for all that lie in it, and once as int: Python reads a storage as one type.
  CHECK(fs::file_size(path) > 2 * base.nbytes());
  CHECK(fs::file_size(path) < 2 * base.nbytes() + 10000);

  std::vector<std::pair<std::string, torch::Tensor>> zeros;
  zeros.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    zeros.emplace_back(name, torch::zeros(tensor.sizes(), tensor.options()));
  }
  Buffers loaded(zeros);
  rt::load_state_dict(loaded, path);
  for (const auto& [name, tensor] : tensors) {
    INFO(name);
    CHECK(loaded[name].equal(tensor));
    CHECK(loaded[name].is_contiguous());
  }
  // And into tensors of other strides, which stay.
  Buffers strided({{"w", torch::zeros({5, 4}).t()}});
  rt::save_state_dict(Buffers({{"w", torch::arange(20.).view({4, 5})}}), path);
  rt::load_state_dict(strided, path);
  CHECK(strided["w"].equal(torch::arange(20.).view({4, 5})));
  CHECK(strided["w"].strides() == torch::IntArrayRef({1, 4}));
}

TEST_CASE("values are converted to the model's types, as Python does", "[models]") {
  const TemporaryFolder folder;
  const auto path = folder.path / "double.pt";
  rt::save_state_dict(Buffers({{"a", torch::tensor({0.1, 2.7}, at::kDouble)},
                               {"b", torch::tensor({0.1, 2.7}, at::kDouble)}}),
                      path);
  Buffers loaded({{"a", torch::zeros({2}, at::kFloat)}, {"b", torch::zeros({2}, at::kLong)}});
  rt::load_state_dict(loaded, path);
  CHECK(loaded["a"].equal(torch::tensor({0.1F, 2.7F})));
  CHECK(loaded["b"].equal(torch::tensor({0, 2}, at::kLong)));
}

TEST_CASE("one error names all that does not fit, and nothing is changed", "[models]") {
  const TemporaryFolder folder;
  const auto path = folder.path / "other.pt";
  rt::save_state_dict(Buffers({{"same", torch::ones({3})},
                               {"wide", torch::ones({2, 4})},
                               {"flat", torch::ones({})},
                               {"extra", torch::ones({1})},
                               {"more", torch::ones({1})},
                               {"overlapping", torch::ones({3})}}),
                      path);
  Buffers module({{"same", torch::zeros({3})},
                  {"wide", torch::zeros({2, 3})},
                  {"flat", torch::zeros({1})},
                  {"absent", torch::zeros({1})},
                  {"gone", torch::zeros({1})},
                  {"overlapping", torch::zeros({1}).expand({3})}});
  CHECK(load_error(module, path) == "load_state_dict: " + path.string() +
                                        " does not fit the model:"
                                        "\n  cannot be written in the model: overlapping"
                                        "\n  missing: absent, gone"
                                        "\n  of another shape: wide ([2, 4] in the file, [2, 3] in "
                                        "the model), flat ([] in the file, [1] in the model)"
                                        "\n  unexpected: extra, more");
  CHECK(module["same"].equal(torch::zeros({3})));
}

TEST_CASE("what cannot be saved is named, and the old file stays", "[models]") {
  const TemporaryFolder folder;
  const auto path = folder.path / "model.pt";
  put(path, "old");
  for (const auto& tensor : {torch::eye(3).to_sparse(), torch::empty({2}, at::device(at::kMeta)),
                             torch::empty({2}, at::kBits8)}) {
    const auto error = save_error(Buffers({{"good", torch::ones({1})}, {"bad", tensor}}), path);
    CHECK(contains(error, "save_state_dict: " + path.string() +
                              ": wanted a dense tensor of numbers as bad, got "));
  }
  CHECK(contents(path) == "old");
  const auto missing = folder.path / "no" / "model.pt";
  CHECK(contains(save_error(Buffers({}), missing),
                 "save_state_dict: could not write " + missing.string() + ": "));
}

TEST_CASE("hand-made state_dicts load", "[models]") {
  const std::string tensor = Pickled{};
  const auto entry = text("w") + tensor;
  Pickled nothing_to_do;
  nothing_to_do.metadata = "}";
  const std::map<std::string, std::string> pickles{
      {"a dict", dict(entry)},
      {"a parameter", dict(text("w") + global("torch._utils", "_rebuild_parameter") + "(" + tensor +
                           "\x88" + kOrderedDict + "tR")},
      {"an OrderedDict with an attribute, as Python writes it",
       "\x80\x02" + kOrderedDict + entry + "s}" + text("_metadata") + kOrderedDict + text("") +
           "}" + text("version") + "K\x01sssb."},
      {"name and value by way of the memo",
       "\x80\x02}}" + text("w") + "q\0"s + tensor + "r\1\0\0\0sbh\0j\1\0\0\0s."s},
      {"an empty dict of metadata", dict(text("w") + std::string(nothing_to_do))},
  };
  for (const auto& [what, pickle] : pickles) {
    INFO(what);
    Crafted file(pickle);
    CHECK(file.error() == "");
    CHECK(file.module["w"].equal(torch::tensor({1., 2., 3., 4.}, at::kFloat)));
  }
}

TEST_CASE("a pickle that is no state_dict is an error that says why", "[models]") {
  struct Case {
    std::string pickle;
    std::string message;
  };
  const std::string tensor = Pickled{};
  const std::string two = "\x80\x02";
  const auto with = [](auto change) {
    Pickled pickled;
    change(pickled);
    return dict(text("w") + std::string(pickled));
  };
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  const std::string reaches_out = ": data.pkl: a tensor reaches out of storage 0 of 16 bytes";
  const std::vector<Case> cases{
      // Calls.
      {two + global("os", "system") + text("touch /tmp/hacked") + "\x85R.",
       ": data.pkl: names os.system, which no state_dict needs"},
      {two + global("builtins", "eval") + text("1") + "\x85R.", "names builtins.eval, which"},
      {two + global("torch", "load") + ".", "names torch.load, which"},
      {two + "c" + std::string(1000, 'm') + "\n" + std::string(1000, 'n') + "\n.",
       "names " + std::string(100, 'm') + "." + std::string(100, 'n') + ", which"},
      {two + global("torch", "FloatStorage") + ")R.", "calls a type"},
      {two + global("collections", "OrderedDict") + "N\x85R.",
       "calls OrderedDict with 1 arguments"},
      {two + global("torch._utils", "_rebuild_tensor_v2") + ")R.",
       "calls _rebuild_tensor_v2 with 0 arguments"},
      {two + global("torch._utils", "_rebuild_tensor_v3") + "NNN\x87R.",
       "calls _rebuild_tensor_v3 with 3 arguments"},
      {two + global("torch._utils", "_rebuild_parameter") + ")R.",
       "calls _rebuild_parameter with 0 arguments"},
      {two + text("x") + ")R.", "wanted a type or function, got a string"},
      // Opcodes: POP, BINFLOAT, INST, OBJ, NEWOBJ, STACK_GLOBAL, EXT1, 0, FRAME.
      {two + "0", "opcode 48 at byte 2 is nothing that a state_dict needs"},
      {two + "G\0\0\0\0\0\0\0\0."s, "opcode 71 at byte 2"},
      {two + "ios\nsystem\n.", "opcode 105 at byte 2"},
      {two + "o.", "opcode 111 at byte 2"},
      {two + "\x81.", "opcode 129 at byte 2"},
      {two + "\x93.", "opcode 147 at byte 2"},
      {two + "\x82\1.", "opcode 130 at byte 2"},
      {two + "\0."s, "opcode 0 at byte 2"},
      {"\x80\x04\x95", "wanted pickle protocol 2, got 4"},
      // The stack, marks and the memo.
      {"", ": data.pkl: ends at byte 0, wanted 1 bytes from byte 0"},
      {two, ": data.pkl: ends at byte 2, wanted 1 bytes from byte 2"},
      {two + ".", "wanted one value, got 0"},
      {two + "}}.", "wanted one value, got 2"},
      {two + "}(.", "wanted one value, got 1"},
      {two + "R.", "wanted 1 values at byte 3, the stack has 0"},
      {two + ")R.", "wanted 1 values at byte 4, the stack has 0"},
      {two + "N\x86.", "wanted 2 values at byte 4, the stack has 1"},
      {two + "NN(N\x87.", "wanted 3 values at byte 7, the stack has 1"},
      {two + "t.", "wanted a mark at byte 3"},
      {two + "u.", "wanted a mark at byte 3"},
      {two + "(NNu.", "wanted 3 values at byte 6, the stack has 2"},
      {two + "}(Nu.", "wanted pairs, got 1 values"},
      {two + "NNNs.", "wanted a dict, got None"},
      {two + "NQ.", "wanted a tuple, got None"},
      {two + "}Nb.", "wanted a dict, got None"},
      {two + "N}b.", "wanted a dict, got None"},
      {two + "q\0."s, "wanted 1 values at byte 4, the stack has 0"},
      {two + "Nq\1."s, "wanted to remember value 1 after 0 others"},
      {two + "Nr\xff\xff\xff\xff.", "wanted to remember value 4294967295 after 0 others"},
      {two + "h\0."s, "wanted remembered value 0 of 0"},
      {two + "Nq\0j\xff\xff\xff\xff."s, "wanted remembered value 4294967295 of 1"},
      // Numbers, strings and lines.
      {two + "\x8a\x09" + std::string(9, '\1') + ".", "wanted a number of at most 8 bytes, got 9"},
      {two + "\x8a\x08\1", "ends at byte 5, wanted 8 bytes from byte 4"},
      {two + "X\xff\xff\xff\xff" + "abc", "ends at byte 10, wanted 4294967295 bytes from byte 7"},
      {two + "ccollections\nOrderedDict", "ends at byte 26 within a line"},
      // What the dict holds.
      {two + "N.", "wanted a dict, got None"},
      {two + tensor + ".", "wanted a dict, got a tensor"},
      {dict("K\x01N"), "wanted a string, got a number"},
      {dict(text("w") + tensor + text("w") + tensor), ": entry 'w' is there twice"},
      {dict(text("w") + "K\x01" + text("x") + "}"),
       " does not fit the model:\n  not a tensor: w\n  unexpected: x"},
      {std::string((std::size_t{16} << 20) + 1, 'N'),
       ": data.pkl has 16777217 bytes, wanted at most 16777216"},
      // Tensors and storages.
      {with([](auto& t) { t.offset = 1; }), reaches_out},
      {with([](auto& t) { t.offset = -1; }), reaches_out},
      {with([](auto& t) { t.offset = kMax; }), reaches_out},
      {with([](auto& t) { t.sizes = {5}; }), reaches_out},
      {with([](auto& t) { t.sizes = {-4}; }), reaches_out},
      {with([](auto& t) { t.sizes = {kMax}; }), reaches_out},
      {with([](auto& t) { t.strides = {2}; }), reaches_out},
      {with([](auto& t) { t.strides = {-1}; }), reaches_out},
      {with([](auto& t) { t.strides = {kMax}; }), reaches_out},
      {with([](auto& t) { t.strides = {kMax / 3 + 1}; }), reaches_out},
      {with([](auto& t) {
         t.sizes = {0, -1}, t.strides = {1, 1};
       }),
       reaches_out},
      {with([](auto& t) {
         t.sizes = {2, 2}, t.strides = {kMax, kMax};
       }),
       reaches_out},
      {with([](auto& t) { t.sizes = {}, t.strides = {}, t.offset = 4; }), reaches_out},
      {with([](auto& t) { t.elements = 3; }),
       ": data.pkl: a tensor reaches out of storage 0 of 12 bytes"},
      {with([](auto& t) { t.elements = 0; }), "reaches out of storage 0 of 0 bytes"},
      {with([](auto& t) { t.elements = -1; }), ": data.pkl: a storage claims -1 elements"},
      {with([](auto& t) { t.elements = kMax; }),
       ": data.pkl: a storage claims 9223372036854775807 elements"},
      {with([](auto& t) { t.elements = 5; }), ": wanted 20 bytes in record data/0, got 16"},
      {with([](auto& t) { t.type = "DoubleStorage"; }),
       ": wanted 32 bytes in record data/0, got 16"},
      {with([](auto& t) { t.elements = std::int64_t{1} << 40; }),
       ": wanted 4398046511104 bytes in record data/0, got 16"},
      {with([](auto& t) { t.strides = {}; }), "a tensor has 1 sizes and 0 strides"},
      {with([](auto& t) { t.sizes.assign(65, 1), t.strides.assign(65, 1); }),
       "a tensor has 65 sizes and 65 strides"},
      {with([](auto& t) { t.metadata = "}" + text("conj") + "\x88s"; }),
       "has a tensor that is stored conjugated or negated"},
      {with([](auto& t) { t.type = "uint16"; }), "wanted a storage"},
      {with([](auto& t) { t.type = "QInt8Storage"; }), "names torch.QInt8Storage, which"},
      {two + "(" + text("storage") + "tQ.", "wanted a storage's 5 values, got 1"},
      {two + "(" + text("storage") + global("torch", "FloatStorage") + text("0") + "N\x8a\1\xfftQ.",
       ": a storage claims -1 elements"},
      {two + "(" + text("storage") + global("torch", "FloatStorage") + text("0") +
           "NJ\xfe\xff\xff\xfftQ.",
       ": a storage claims -2 elements"},
      {two + "(" + text("module") + global("torch", "FloatStorage") + "NNK\1tQ.",
       "wanted a storage"},
      // A shape that no memory could hold is no more than a shape.
      {with([](auto& t) {
         t.sizes = {std::int64_t{1} << 40, std::int64_t{1} << 40}, t.strides = {0, 0};
       }),
       "of another shape: w ([1099511627776, 1099511627776] in the file, [4] in the model)"},
  };
  for (const auto& [pickle, message] : cases) {
    Crafted file(pickle);
    const auto error = file.error();
    INFO("wanted " << message << ", got " << error);
    CHECK(contains(error, message));
  }
  CHECK_FALSE(fs::exists("/tmp/hacked"));
}

TEST_CASE("values nested without end, or in themselves, are read like any", "[models]") {
  const auto tuples = "\x80\x02)" + std::string(5'000'000, '\x85') + ".";
  CHECK(contains(Crafted(tuples).error(), "wanted a dict, got a tuple"));
  std::string dicts = "\x80\x02}" + text("w") + "q\0}"s;
  for (int i = 0; i < 1'000'000; ++i) {
    dicts += "h\0}"s;
  }
  dicts += std::string(1'000'001, 's') + ".";
  const Crafted nested(dicts);
  CHECK(contains(Crafted(dicts).error(), "not a tensor: w"));
  CHECK(contains(regtorch::testing::error_of([&] { rt::load_state_dict(nested.path); }),
                 "wanted a tensor as w"));
  CHECK(contains(Crafted("\x80\x02}q\0"s + text("w") + "h\0s."s).error(), "not a tensor: w"));
}

TEST_CASE("a small file that claims large tensors is an error, not a lack of memory", "[models]") {
  const auto error_of = [](const std::string& pickle) {
    const Crafted file(pickle);
    return regtorch::testing::error_of([&] { rt::load_state_dict(file.path); });
  };
  const auto repeated = [](std::vector<std::int64_t> sizes) {
    Pickled tensor;
    tensor.strides.assign(sizes.size(), 0);
    tensor.sizes = std::move(sizes);
    return dict(text("w") + std::string(tensor));
  };
  CHECK(error_of(repeated({1 << 24})).empty());  // 64 MiB
  const std::string wanted = "tensors up to w take more memory than a file of";
  CHECK(contains(error_of(repeated({(1 << 24) + 1})), wanted));
  const auto most = std::numeric_limits<std::int64_t>::max();
  CHECK(contains(error_of(repeated({most})), wanted));
  CHECK(contains(error_of(repeated({1, most, most})), wanted));
  CHECK(contains(error_of(repeated({4, std::int64_t{1} << 62})), wanted));  // 2^66 bytes
  // Each of them small.
  std::string many;
  Pickled tensor;
  tensor.sizes = {1 << 12, 1 << 10};
  tensor.strides = {0, 0};
  for (int i = 0; i < 5; ++i) {
    many += text(std::to_string(i)) + std::string(tensor);
  }
  CHECK(contains(error_of(dict(many)), "tensors up to 4 take"));
}

TEST_CASE("a tensor of bools holds bools, whatever the bytes", "[models]") {
  Pickled bools;
  bools.type = "BoolStorage";
  Crafted file(
      Records{{"data.pkl", dict(text("w") + std::string(bools))}, {"data/0", "\0\1\2\xff"s}});
  Buffers module({{"w", torch::zeros({4}, at::kBool)}});
  rt::load_state_dict(module, file.path);
  CHECK(std::string(static_cast<const char*>(module["w"].data_ptr()), 4) == "\0\1\1\1"s);
  const auto state = rt::load_state_dict(file.path);
  CHECK(std::string(static_cast<const char*>(state["w"].data_ptr()), 4) == "\0\1\1\1"s);
}

TEST_CASE("a file that is no archive of torch.save is an error that says why", "[models]") {
  const Records good{{"data.pkl", dict(text("w") + std::string(Pickled{}))},
                     {"data/0", kFourFloats}};
  CHECK(Crafted(good).error() == "");
  const auto error = [&](auto change) {
    Records records = good;
    change(records);
    return Crafted(records).error();
  };
  CHECK(contains(error([](Records& r) { r.erase("data.pkl"); }), ": there is no record data.pkl"));
  CHECK(contains(error([](Records& r) { r.erase("data/0"); }), ": there is no record data/0"));
  CHECK(contains(error([](Records& r) { r["data/0"].pop_back(); }),
                 ": wanted 16 bytes in record data/0, got 15"));
  CHECK(contains(error([](Records& r) { r["byteorder"] = "big"; }),
                 ": wanted byteorder little, got big"));

  const TemporaryFolder folder;
  Buffers module({});
  const auto file_error = [&](const fs::path& path) {
    return load_error(module, path).substr(("load_state_dict: " + path.string()).size());
  };
  CHECK(file_error(folder.path / "none") == ": No such file or directory");
  CHECK(file_error(folder.path) == ": Is a directory");
  CHECK(file_error("/dev/zero") != "");
  put(folder.path / "empty", "");
  CHECK(file_error(folder.path / "empty") == ": wanted a zip archive, got 0 bytes");
  put(folder.path / "text", std::string(1000, 'x'));
  CHECK(file_error(folder.path / "text") == ": wanted a zip archive, as torch.save writes it");
}

namespace {

/// A file whose zip structure is changed by hand.
class PatchedZip : public Crafted {
 public:
  PatchedZip()
      : Crafted(Records{{"data.pkl", dict(text("w") + std::string(Pickled{}))},
                        {"data/0", kFourFloats},
                        {"data/1", ""}}),
        bytes(contents(path)) {}

  /// Where a record's entry in the directory begins; the name is 46 bytes further.
  std::size_t entry(const std::string& record) const {
    return bytes.rfind("archive/" + record) - 46;
  }
  std::size_t header(const std::string& record) const {
    return bytes.find("archive/" + record) - 30;
  }
  std::size_t end() const { return bytes.size() - 22; }
  std::size_t end64() const { return end() - 20 - 56; }

  PatchedZip& set(std::size_t at, std::uint64_t value, int count) {
    bytes.replace(at, static_cast<std::size_t>(count), little_endian(value, count));
    return *this;
  }
  /// Moves the sizes and the offset of data/0 into a 64-bit field.
  PatchedZip& use_field64(std::uint64_t size, std::uint64_t stored, std::uint64_t offset) {
    const auto field = "\1\0\x18\0"s + little_endian(size, 8) + little_endian(stored, 8) +
                       little_endian(offset, 8);
    const auto at = entry("data/0");
    set(at + 20, 0xffffffff, 4).set(at + 24, 0xffffffff, 4).set(at + 42, 0xffffffff, 4);
    set(at + 30, field.size(), 2);
    bytes.insert(at + 46 + std::string("archive/data/0").size(), field);
    return set(end() + 12, end64() - directory(), 4);
  }
  std::uint64_t directory() const {
    std::uint64_t offset = 0;
    std::memcpy(&offset, bytes.data() + end() + 16, 4);
    return offset;
  }
  std::string error() {
    put(path, bytes);
    return Crafted::error();
  }

  std::string bytes;
};

}  // namespace

TEST_CASE("a zip with 64-bit fields is read, as torch.save writes it from 4 GB on", "[models]") {
  PatchedZip end;
  end.set(end.end() + 12, 0xffffffff, 4).set(end.end() + 16, 0xffffffff, 4);
  CHECK(end.error() == "");
  CHECK(end.module["w"].equal(torch::tensor({1., 2., 3., 4.}, at::kFloat)));

  PatchedZip entry;
  entry.use_field64(16, 16, entry.header("data/0"));
  CHECK(entry.error() == "");
  CHECK(entry.module["w"].equal(torch::tensor({1., 2., 3., 4.}, at::kFloat)));
}

TEST_CASE("a zip that lies is an error, and no size in it is believed", "[models]") {
  constexpr std::uint64_t kTerabyte = std::uint64_t{1} << 40;
  constexpr std::uint64_t kHuge = 0xfffffff0;  // 4 GB
  CHECK(PatchedZip().error() == "");
  const auto error = [](auto change) {
    PatchedZip zip;
    change(zip);
    return zip.error();
  };
  for (const char* record : {"data.pkl", "data/0", "version"}) {
    INFO(record);
    const auto set_sizes = [&](PatchedZip& zip, std::uint64_t size) {
      zip.set(zip.entry(record) + 20, size, 4).set(zip.entry(record) + 24, size, 4);
    };
    CHECK(contains(error([&](auto& zip) { set_sizes(zip, kHuge); }),
                   "claims 4294967280 bytes, but the whole file has "));
    CHECK(contains(error([&](auto& zip) { set_sizes(zip, zip.bytes.size()); }),
                   "bytes, but the whole file has "));  // with the others it is too much
    CHECK(contains(error([&](auto& zip) { zip.set(zip.entry(record) + 10, 8, 2); }),
                   " is compressed, wanted it stored as torch.save does"));
    CHECK(contains(error([&](auto& zip) { zip.set(zip.entry(record) + 20, 1000, 4); }),
                   " is compressed, wanted it stored as torch.save does"));
  }
  CHECK(contains(error([&](auto& zip) { zip.use_field64(kTerabyte, kTerabyte, 0); }),
                 "record archive/data/0 claims 1099511627776 bytes, but the whole file has "));
  CHECK(contains(error([&](auto& zip) { zip.use_field64(~0ull, ~0ull, 0); }),
                 "claims 18446744073709551615 bytes, but the whole file has "));
  CHECK(contains(error([&](auto& zip) { zip.use_field64(16, 16, ~0ull); }),
                 "wanted 30 bytes from byte 18446744073709551615, but the file has "));
  CHECK(contains(error([&](auto& zip) { zip.use_field64(16, 16, 1); }),
                 "wanted a zip archive, as torch.save writes it"));
  // Headers of records.
  CHECK(contains(error([&](auto& zip) { zip.set(zip.entry("data/0") + 42, zip.end() - 5, 4); }),
                 "wanted 30 bytes from byte "));
  CHECK(contains(error([&](auto& zip) { zip.set(zip.header("data/0") + 28, 0xffff, 2); }),
                 "wanted 16 bytes from byte "));
  // The directory.
  CHECK(contains(error([&](auto& zip) { zip.set(zip.entry("data.pkl") + 28, 0xffff, 2); }),
                 ": the zip's directory: ends at byte "));
  CHECK(contains(error([&](auto& zip) { zip.set(zip.entry("data/1") + 46 + 13, '0', 1); }),
                 ": record archive/data/0 is there twice"));
  CHECK(contains(error([&](auto& zip) { zip.set(zip.entry("data/0"), 0, 4); }),
                 "wanted a zip archive, as torch.save writes it"));
  CHECK(contains(error([&](auto& zip) { zip.set(zip.end() + 12, kHuge, 4); }),
                 "wanted 4294967280 bytes from byte "));
  CHECK(contains(error([&](auto& zip) { zip.set(zip.end() + 16, kHuge, 4); }),
                 "from byte 4294967280, but the file has "));
  CHECK(contains(error([&](auto& zip) { zip.set(zip.end() + 12, 0, 4); }),
                 ": there is no record data.pkl"));
  const auto end64_error = [&](std::size_t field) {
    return error([&](auto& zip) {
      zip.set(zip.end() + 12, 0xffffffff, 4).set(zip.end64() + field, kTerabyte, 8);
    });
  };
  CHECK(contains(end64_error(40), "wanted 1099511627776 bytes from byte "));
  CHECK(contains(end64_error(48), "from byte 1099511627776, but the file has "));
  CHECK(contains(end64_error(56 + 8), "wanted 56 bytes from byte 1099511627776, but the file"));
}

namespace {

/// The file of a saved model, to be loaded into another model with its bytes changed.
class Damaged {
 public:
  explicit Damaged(std::int64_t width) : saved_(make(width)), loaded_(make(width)) {
    rt::save_state_dict(*saved_, path_);
    bytes = contents(path_);
    forget();
  }

  /// Whether the bytes load. If not, that is a c10::Error that names the file, and the model is as
  /// it was; any other exception, or a crash, fails the test.
  bool loads(std::string_view damaged) {
    put(path_, damaged);
    const auto error = load_error(*loaded_, path_);
    if (error.empty()) {
      return true;
    }
    bool same = true;
    for (const auto& parameter : loaded_->parameters()) {
      same = same && parameter.count_nonzero().item<std::int64_t>() == 0;
    }
    if (!same || error.rfind("load_state_dict: " + path_.string(), 0) != 0) {
      FAIL("the model changed, or the message is " << error);
    }
    return false;
  }
  /// Sets the model back after a successful load.
  void forget() {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : loaded_->parameters()) {
      parameter.zero_();
    }
  }

  std::string bytes;

 private:
  static torch::nn::Sequential make(std::int64_t width) {
    return torch::nn::Sequential(torch::nn::Linear(width, 3), torch::nn::BatchNorm1d(3));
  }
  TemporaryFolder folder_;
  fs::path path_ = folder_.path / "damaged.pt";
  torch::nn::Sequential saved_;
  torch::nn::Sequential loaded_;
};

}  // namespace

TEST_CASE("a state_dict cut short anywhere is an error", "[models]") {
  Damaged small(2);
  CHECK(small.loads(small.bytes));
  small.forget();
  for (std::size_t size = 0; size < small.bytes.size(); ++size) {
    INFO(size);
    if (small.loads(std::string_view(small.bytes).substr(0, size))) {
      FAIL("loaded");
    }
  }
  Damaged large(50'000);
  for (std::size_t size = 0; size < large.bytes.size(); size += 4096) {
    INFO(size);
    if (large.loads(std::string_view(large.bytes).substr(0, size))) {
      FAIL("loaded");
    }
  }
}

TEST_CASE("a state_dict with wrong bytes is an error, or other values, and no crash", "[models]") {
  std::mt19937 random(7);
  Damaged small(2);
  int errors = 0;
  for (std::size_t at = 0; at < small.bytes.size(); ++at) {
    for (int i = 0; i < 3; ++i) {
      auto damaged = small.bytes;
      damaged[at] = static_cast<char>(damaged[at] + static_cast<char>(1 + random() % 255));
      INFO("byte " << at << " is " << static_cast<int>(damaged[at]));
      if (small.loads(damaged)) {
        small.forget();
      } else {
        ++errors;
      }
    }
  }
  CHECK(errors > 1000);
  Damaged large(50'000);
  for (std::size_t at = 0; at < large.bytes.size(); at += 4096) {
    auto damaged = large.bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    INFO(at);
    if (large.loads(damaged)) {
      large.forget();
    }
  }
}

}  // namespace state_dict_test
