// Any bytes as the pickle of a state_dict, which is read with no zip archive around it: what comes
// out lies within its storage.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <c10/core/ScalarType.h>

#include "fuzz.hpp"
#include "regtorch/models/state_dict_objects.hpp"
#include "regtorch/models/state_dict_unpickler.hpp"

using regtorch::detail::PickledObjects;
using regtorch::detail::Unpickler;
using regtorch::testing::require;
using regtorch::testing::succeeds;

namespace {

/// In 128 bits, where nothing overflows: 64 products of 63 bits each are below 2^127 only two at a
/// time, so the sum stops as soon as it is beyond the storage.
void check(const PickledObjects& objects, const PickledObjects::TensorInfo& tensor) {
  const auto sizes = objects.numbers(tensor.sizes);
  const auto strides = objects.numbers(tensor.strides);
  require(sizes.size() == strides.size() && sizes.size() <= 64, "a stride for each size");
  require(tensor.storage.bytes >= 0 && tensor.offset >= 0, "no number is below 0");
  const __int128 elements =
      tensor.storage.bytes / static_cast<std::int64_t>(c10::elementSize(tensor.dtype));
  __int128 last = tensor.offset;
  bool empty = false;
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    require(sizes[d] >= 0 && strides[d] >= 0, "no number is below 0");
    empty = empty || sizes[d] == 0;
    last = std::min(last + static_cast<__int128>(std::max<std::int64_t>(sizes[d] - 1, 0)) *
                               static_cast<__int128>(strides[d]),
                    static_cast<__int128>(1) << 100);
  }
  require(empty || last < elements, "every element lies within the storage");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view pickle(reinterpret_cast<const char*>(data), size);
  PickledObjects objects("fuzz");
  succeeds([&] {
    const auto root = Unpickler(pickle, objects, "fuzz").run();
    for (const auto& entry : objects.entries(objects.as<PickledObjects::Dict>(root))) {
      const bool inside = entry.name.empty() ||
                          (entry.name.data() >= pickle.data() &&
                           entry.name.data() + entry.name.size() <= pickle.data() + pickle.size());
      require(inside, "a name is a part of the pickle");
      if (entry.tensor != nullptr) {
        check(objects, *entry.tensor);
      }
    }
  });
  return 0;
}
