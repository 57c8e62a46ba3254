#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>

#include "regtorch/core/parallel_for.hpp"

namespace regtorch::detail {

/// Whether a kernel can run through the memory of `x`, wherever that is: without gaps.
inline bool has_no_gaps(const at::Tensor& x) {
  return x.layout() == at::kStrided && !x.is_neg() && x.is_non_overlapping_and_dense();
}

/// Whether a CPU kernel can: it is float32 or float64 too.
inline bool is_dense(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble) &&
         has_no_gaps(x);
}

/// Whether the elements of `x` lie in memory in the order of those of `like`, of the same shape.
/// Strides of dimensions of size 1 mean nothing, and differ between a contiguous and a
/// channels_last filter of 1x1.
inline bool same_layout(const at::Tensor& x, const at::Tensor& like) {
  for (std::int64_t d = 0; d < x.dim(); ++d) {
    if (x.size(d) != 1 && x.stride(d) != like.stride(d)) {
      return false;
    }
  }
  return true;
}

/// `x`, or a copy of it, with its elements in memory in the order of those of `like`, which is
/// dense and of the same shape.
inline at::Tensor laid_out_like(const at::Tensor& x, const at::Tensor& like) {
  return same_layout(x, like) ? x : at::empty_like(like).copy_(x);
}

/// Whether kernels can run through the memory of all of these at once: each as `fits` wants it, all
/// of one type and on one device, and none sharing elements with another.
template <class Fits>
bool all_fit_and_apart(const std::vector<at::Tensor>& tensors, const Fits& fits) {
  std::vector<std::pair<const char*, const char*>> places;
  for (const auto& tensor : tensors) {
    if (!fits(tensor) || tensor.scalar_type() != tensors.front().scalar_type() ||
        tensor.device() != tensors.front().device()) {
      return false;
    }
    const auto* begin = static_cast<const char*>(tensor.const_data_ptr());
    places.emplace_back(begin, begin + tensor.nbytes());
  }
  std::sort(places.begin(), places.end());
  return std::adjacent_find(places.begin(), places.end(), [](const auto& a, const auto& b) {
           return std::less<>{}(b.first, a.second);
         }) == places.end();
}

/// The same on the CPU.
inline bool are_dense_and_apart(const std::vector<at::Tensor>& tensors) {
  return all_fit_and_apart(tensors, is_dense);
}

/// Many arrays in one parallel pass: end to end in blocks of a fixed size, so that small ones share
/// a block and large ones are shared by threads.
class ArrayBlocks {
 public:
  /// 64 KiB of float32: 5 us of memory's time, about what it takes to wake a thread.
  static constexpr std::int64_t kBlock = 16384;

  void add(std::int64_t size) { ends_.push_back(total() + size); }

  /// Of blocks; the same for any number of threads.
  std::int64_t count() const { return (total() + kBlock - 1) / kBlock; }

  /// Calls body(block, array, begin, end) for each piece of an array that lies in a block: a
  /// block's pieces in order and by one thread.
  template <class Body>
  void for_each(const Body& body) const {
    parallel_for(total(), kBlock, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t block = begin / kBlock;
      auto array = std::upper_bound(ends_.begin(), ends_.end(), begin);
      while (begin < end) {
        const std::int64_t start = array == ends_.begin() ? 0 : *(array - 1);
        const std::int64_t last = std::min(end, *array);
        if (begin < last) {  // there are empty arrays
          body(block, static_cast<std::size_t>(array - ends_.begin()), begin - start, last - start);
        }
        begin = last;
        ++array;
      }
    });
  }

 private:
  std::int64_t total() const { return ends_.empty() ? 0 : ends_.back(); }

  std::vector<std::int64_t> ends_;
};

}  // namespace regtorch::detail
