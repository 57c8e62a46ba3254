#pragma once

#include <type_traits>

namespace regtorch {

/// A range of batches, each with `images` and `labels`: data::Batches, a std::vector of
/// data::Batch, or anyone's own. Begun anew for each pass.
template <class T>
concept BatchRange = requires(std::remove_reference_t<T>& range) {
  range.begin();
  range.end();
  (*range.begin()).images;
  (*range.begin()).labels;
};

}  // namespace regtorch
