#pragma once

#include "regtorch/kernels/image_transform.hpp"

namespace regtorch::transforms::detail {

/// Mirrors an image, left to right, if its draw says so. What draws is a class derived from it.
class HorizontalFlip {
 public:
  /// What is drawn for an image.
  struct Draw {
    bool flip;        ///< whether it is mirrored
    int last_column;  ///< the image's
  };

  /// @{
  /// What a Pipeline calls: see kernels/image_transform.hpp.
  kernels::ImageSize output_size(kernels::ImageSize in) const { return in; }
  int source_row(const Draw&, int y) const { return y; }
  int source_column(const Draw& draw, int x) const { return draw.flip ? draw.last_column - x : x; }
  /// @}
};

}  // namespace regtorch::transforms::detail
