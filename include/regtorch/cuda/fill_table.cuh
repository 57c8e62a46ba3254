#pragma once

#include <cstdint>

#include "regtorch/cuda/disturb_label.cuh"
#include "regtorch/cuda/disturb_value.cuh"
#include "regtorch/cuda/element.cuh"
#include "regtorch/cuda/fill_weights.cuh"
#include "regtorch/cuda/image_pipeline.cuh"
#include "regtorch/cuda/mixing.cuh"
#include "regtorch/cuda/smoothed_cross_entropy_backward.cuh"
#include "regtorch/cuda/smoothed_cross_entropy_forward.cuh"
#include "regtorch/kernels/device_kernels.hpp"

namespace regtorch::cuda {

/// Calls visit(Element{}) for the type of that name.
template <class Visit>
void with_element(kernels::ElementType type, const Visit& visit) {
  switch (type) {
    case kernels::ElementType::kFloat32:
      return visit(float{});
    case kernels::ElementType::kFloat16:
      return visit(__half{});
    case kernels::ElementType::kBFloat16:
      return visit(__nv_bfloat16{});
    case kernels::ElementType::kFloat64:
      break;  // which the one piece that takes it asks for itself
  }
}

/// Fills the table with our kernels.
///
/// @tparam Queue  made of a device's number, for the time of a launch it makes that device the
///                current one, and is the stream to launch on
template <class Queue>
void fill_device_kernels(kernels::DeviceKernels& table) {
  table.disturb_labels = [](int device, const void* in, void* out, std::int64_t count,
                            int label_size, std::int64_t keep, kernels::DisturbRule rule,
                            kernels::RandomStream stream) {
    const Queue queue(device);
    const auto run = [&]<class Label>(Label) {
      disturb_labels(static_cast<const Label*>(in), static_cast<Label*>(out), count, keep, rule,
                     stream, queue);
    };
    label_size == 8 ? run(std::int64_t{}) : run(std::int32_t{});
  };
  table.disturb_values = [](int device, const void* in, void* out, std::int64_t count,
                            kernels::ElementType type, std::uint64_t yes, double sigma,
                            kernels::RandomStream stream) {
    const Queue queue(device);
    const auto run = [&]<class Value>(Value) {
      disturb_values(static_cast<const Value*>(in), static_cast<Value*>(out), count, yes, sigma,
                     stream, queue);
    };
    type == kernels::ElementType::kFloat64 ? run(double{}) : with_element(type, run);
  };
  table.smoothed_cross_entropy_forward = [](int device, const kernels::SmoothedRows& rows,
                                            float* losses, float* weights, float* statistics) {
    const Queue queue(device);
    with_element(rows.type, [&]<class Element>(Element) {
      smoothed_cross_entropy_forward<Element>(rows, losses, weights,
                                              reinterpret_cast<RowStatistics*>(statistics), queue);
    });
  };
  table.smoothed_cross_entropy_backward = [](int device, const kernels::SmoothedRows& rows,
                                             const float* statistics, const float* factors,
                                             bool each_row, void* gradient) {
    const Queue queue(device);
    with_element(rows.type, [&]<class Element>(Element) {
      smoothed_cross_entropy_backward(rows, reinterpret_cast<const RowStatistics*>(statistics),
                                      factors, each_row, static_cast<Element*>(gradient), queue);
    });
  };
  table.transform_images = [](int device, const kernels::DeviceImages& images) {
    const Queue queue(device);
    images.type == kernels::ElementType::kBFloat16 ? transform_images<__nv_bfloat16>(images, queue)
                                                   : transform_images<float>(images, queue);
  };
  table.blend_neighbours = [](int device, const void* in, void* out, std::int64_t count,
                              std::int64_t sample, kernels::ElementType type,
                              kernels::Blend blend) {
    const Queue queue(device);
    with_element(type, [&]<class Element>(Element) {
      blend_neighbours(static_cast<const Element*>(in), static_cast<Element*>(out), count, sample,
                       blend, queue);
    });
  };
  table.paste_neighbours = [](int device, const void* in, void* out, std::int64_t count,
                              std::int64_t sample, int element_size, const kernels::PlaneBox& box) {
    const Queue queue(device);
    const auto run = [&]<class Bits>(Bits) {
      paste_neighbours(static_cast<const Bits*>(in), static_cast<Bits*>(out), count, sample, box,
                       queue);
    };
    element_size == 2   ? run(std::uint16_t{})
    : element_size == 4 ? run(std::uint32_t{})
                        : run(std::uint64_t{});
  };
  fill_weight_kernels<Queue>(table);
}

}  // namespace regtorch::cuda
