#pragma once

#include <cstdint>

#include "regtorch/kernels/adam_rule.hpp"
#include "regtorch/kernels/device_arrays.hpp"
#include "regtorch/kernels/device_images.hpp"
#include "regtorch/kernels/disturb_rule.hpp"
#include "regtorch/kernels/element_type.hpp"
#include "regtorch/kernels/mixture.hpp"
#include "regtorch/kernels/philox.hpp"
#include "regtorch/kernels/sgd_rule.hpp"
#include "regtorch/kernels/smoothed_rows.hpp"
#include "regtorch/kernels/sums.hpp"

/// How a piece reaches a GPU kernel without including one: a table of functions, empty until the
/// component regtorch::cuda, whose one .cu file every program that links it compiles, fills it
/// while the program is loaded. A piece with a CUDA tensor calls what the table has, and where it
/// has nothing LibTorch's own operators.
namespace regtorch::kernels {

/// Each function starts its kernel on LibTorch's current stream of device number `device`, where
/// all pointers point to unless they say otherwise, and waits for nothing. What its arguments mean
/// is said where the CPU has the same function. Throws std::runtime_error if a launch is refused.
struct DeviceKernels {
  /// disturb_labels; a label out of range ends in a device-side assertion.
  /// @param label_size  4 or 8 bytes
  void (*disturb_labels)(int device, const void* in, void* out, std::int64_t count, int label_size,
                         std::int64_t keep, DisturbRule rule, RandomStream stream) = nullptr;
  /// disturb_values.
  void (*disturb_values)(int device, const void* in, void* out, std::int64_t count,
                         ElementType type, std::uint64_t yes, double sigma,
                         RandomStream stream) = nullptr;
  /// The losses of rows, and what the mean divides by the sum of: 0 and 0 where a label is ignored,
  /// else the loss and the weight of the label. A label out of range ends in a device-side
  /// assertion.
  /// @param losses      [rows]
  /// @param weights     [rows]
  /// @param statistics  [rows, 2], for the gradient
  void (*smoothed_cross_entropy_forward)(int device, const SmoothedRows& rows, float* losses,
                                         float* weights, float* statistics) = nullptr;
  /// The gradient of the logits, like them.
  /// @param factors  of all rows' gradients, or, if `each_row`, one a row
  void (*smoothed_cross_entropy_backward)(int device, const SmoothedRows& rows,
                                          const float* statistics, const float* factors,
                                          bool each_row, void* gradient) = nullptr;
  /// transform_images, with the decisions that ImageRecords made of it.
  void (*transform_images)(int device, const DeviceImages& images) = nullptr;
  /// blend_arrays of each sample of a batch and the one before it, of the first and the last.
  /// @param count   of the elements in all
  /// @param sample  of those in a sample
  /// @param out     not `in`
  /// @param type    any but kFloat64
  void (*blend_neighbours)(int device, const void* in, void* out, std::int64_t count,
                           std::int64_t sample, ElementType type, Blend blend) = nullptr;
  /// paste_box from each sample's neighbour, as above, into all its planes.
  /// @param element_size  2, 4 or 8 bytes
  void (*paste_neighbours)(int device, const void* in, void* out, std::int64_t count,
                           std::int64_t sample, int element_size, const PlaneBox& box) = nullptr;

  // The following take lists of arrays, `count` of them, in the host's memory.

  /// One step of Adam or AdamW, the same rule for all.
  void (*adam_step)(int device, const StepArrays* arrays, std::int64_t count,
                    const AdamRule& rule) = nullptr;
  /// One step of SGD, the same rule for all; without momentum `first` is not touched.
  void (*sgd_step)(int device, const StepArrays* arrays, std::int64_t count,
                   const SgdRule& rule) = nullptr;
  /// The penalty of all `in` together.
  /// @param of_chunks  scratch, as many as all arrays have chunks
  /// @param value      one number
  void (*penalty)(int device, const WeightArrays* arrays, std::int64_t count,
                  const PenaltyRule& rule, Sums* of_chunks, float* value) = nullptr;
  /// Its gradient by `in`, times `incoming`, to `out`.
  /// @param incoming  one number
  void (*penalty_gradient)(int device, const WeightArrays* arrays, std::int64_t count,
                           const PenaltyRule& rule, const float* incoming) = nullptr;
  /// Scales all arrays, whose `out` is `in`, as clip_grad_norm_ does.
  /// @param of_chunks  scratch, as many as all arrays have chunks
  /// @param norm       one number: that before
  /// @param factor     one number: what is multiplied by, or 1 and more
  void (*clip_norm)(int device, const WeightArrays* arrays, std::int64_t count, double max_norm,
                    Sums* of_chunks, float* norm, float* factor) = nullptr;
  /// Scales each filter of all arrays, as max_norm_ does.
  void (*max_norm)(int device, const FilterArrays* arrays, std::int64_t count,
                   double max_norm) = nullptr;
};

/// The program's table.
inline DeviceKernels& device_kernels() {
  static DeviceKernels table;  // filled by initialisers, which run in any order
  return table;
}

}  // namespace regtorch::kernels
