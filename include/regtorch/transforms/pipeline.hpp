#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <tuple>
#include <utility>

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>

#include "regtorch/core/check.hpp"
#include "regtorch/core/key.hpp"
#include "regtorch/core/parallel_for.hpp"
#include "regtorch/kernels/device_kernels.hpp"
#include "regtorch/kernels/image_pipeline.hpp"
#include "regtorch/kernels/image_records.hpp"
#include "regtorch/kernels/mixed_images.hpp"
#include "regtorch/transforms/mixing.hpp"
#include "regtorch/transforms/pipeline_on_device.hpp"

namespace regtorch::transforms {

/// What a pipeline makes of the transformed images.
struct ImageFormat {
  c10::ScalarType dtype = c10::kFloat;                              ///< kFloat or kBFloat16
  c10::MemoryFormat memory_format = c10::MemoryFormat::Contiguous;  ///< or ChannelsLast
  /// How each is mixed with the one before it in the batch, given their size; empty: not at all.
  std::function<kernels::Mixture(kernels::ImageSize)> mixture = {};
};

/// A sequence of transforms, composed at compile time and carried out in one pass over the pixels:
/// uint8 [N,3,H,W] in, float [N,3,H',W'] out.
///
///     Pipeline augment{RandomCrop(32, 4), RandomHorizontalFlip(), Normalize(mean, std)};
///     torch::Tensor x = augment(images, /*seed=*/7);
///
/// Bytes become floats in [0, 1] (byte * (1 / 255), which is byte / 255 to within one unit in the
/// last place), then each transform acts on the result of the one
/// before it, in the order given. Any class with the members that
/// regtorch/kernels/image_transform.hpp names takes part.
///
/// What happens to sample i depends on (key, index of i) alone: not on the batch, its size, the
/// number of threads, the instruction set or the device; values differ between devices by the
/// rounding of fused multiply-adds, and noise in the last place. Images on CUDA stay there with the
/// component regtorch::cuda if runs_on says so, and nothing waits; otherwise images on another
/// device than the CPU are brought to the CPU, and the result back, which waits for that device.
template <class... Transforms>
class Pipeline {
  static_assert((kernels::ImageTransform<Transforms> && ...),
                "each transform must have the members that "
                "regtorch/kernels/image_transform.hpp asks of a geometric or a pixel transform");

  static_assert((!(kernels::GeometricTransform<Transforms> &&
                   kernels::PixelTransform<Transforms>)&&...),
                "a transform is either geometric or has a member pixel or block, not both");

 public:
  /// @param transforms  in the order in which they act
  explicit Pipeline(Transforms... transforms) : transforms_(std::move(transforms)...) {}

  /// Whether images on this device are transformed there: on CUDA, if the component regtorch::cuda
  /// is linked and it knows what each transform does (kernels::DeviceTransform; ColorJitter is
  /// none).
  static bool runs_on(c10::Device device) {
    return kernels::kDevicePipeline<Transforms...> && device.is_cuda() &&
           kernels::device_kernels().transform_images != nullptr;
  }

  /// Transforms a batch whose samples are number 0, 1, 2, ...
  ///
  /// @param images  uint8 [N,3,H,W], any strides
  /// @param seed    default: drawn from LibTorch's default CPU generator
  /// @return float32 [N,3,H',W'], contiguous
  /// @throws c10::ValueError if the images are of another type or shape, or do not suit a transform
  at::Tensor operator()(const at::Tensor& images,
                        std::optional<std::uint64_t> seed = std::nullopt) const {
    check_images("Pipeline", images);
    return (*this)(images, Key{seed_or_draw(seed)}, at::arange(images.size(0), at::kLong));
  }

  /// Transforms a batch under a key.
  ///
  /// @param images   uint8 [N,3,H,W], any strides
  /// @param key      seed and pass
  /// @param indices  int64 [N]: each sample's number in its dataset; on the CPU, or their device is
  ///                 waited for
  /// @param format   of the result; default float32, contiguous, not mixed
  /// @throws c10::ValueError as above, or if the indices, the format or its mixture do not fit
  at::Tensor operator()(const at::Tensor& images, Key key, const at::Tensor& indices,
                        ImageFormat format = {}) const {
    check_images("Pipeline", images);
    check_indices("Pipeline", indices);
    TORCH_CHECK_VALUE(indices.size(0) == images.size(0), "Pipeline: wanted an index for each of ",
                      images.size(0), " images, got ", indices.size(0));
    TORCH_CHECK_VALUE(format.dtype == c10::kFloat || format.dtype == c10::kBFloat16,
                      "Pipeline: wanted a result of type Float or BFloat16, got ", format.dtype);
    TORCH_CHECK_VALUE(format.memory_format == c10::MemoryFormat::Contiguous ||
                          format.memory_format == c10::MemoryFormat::ChannelsLast,
                      "Pipeline: wanted a Contiguous or ChannelsLast result, got ",
                      format.memory_format);
    constexpr std::int64_t kLongestSide = 1 << 15;
    TORCH_CHECK_VALUE(images.size(2) < kLongestSide && images.size(3) < kLongestSide,
                      "Pipeline: wanted images with sides below ", kLongestSide, ", got ",
                      describe(images));

    const at::Tensor ids = indices.cpu().contiguous();
    const kernels::ImageSize in{static_cast<int>(images.size(2)), static_cast<int>(images.size(3))};
    const kernels::ImageSize out = kernels::output_size(transforms_, in);
    const kernels::RandomStream stream = key.stream(Purpose::kPipeline);
    std::optional<kernels::Mixture> mixture;
    if (format.mixture) {
      mixture = format.mixture(out);
      detail::check_mixture("Pipeline", *mixture, out);
    }

    if constexpr (kernels::kDevicePipeline<Transforms...>) {
      if (runs_on(images.device())) {
        const kernels::ImageRecords<Transforms...> records(transforms_, in);
        if (records.possible()) {
          const at::Tensor made = detail::transformed_on_device(records, images, ids, stream,
                                                                format.dtype, format.memory_format);
          return mixture.has_value() ? mix_images(made, *mixture) : made;
        }
      }
    }

    const at::Tensor source = images.cpu().contiguous();
    at::Tensor result = at::empty({source.size(0), 3, out.height, out.width}, format.dtype,
                                  std::nullopt, std::nullopt, std::nullopt, format.memory_format);

    const kernels::ImageSource from{source.const_data_ptr<std::uint8_t>(),
                                    ids.const_data_ptr<std::int64_t>(), in};
    const kernels::ImageSink to{
        result.data_ptr(),
        format.dtype == c10::kFloat ? kernels::PixelType::kFloat32 : kernels::PixelType::kBFloat16,
        format.memory_format == c10::MemoryFormat::ChannelsLast};
    const kernels::Isa isa = kernels::active_isa();
    constexpr std::int64_t kImagesInBlock = 16;  // about 20 us of work: worth a thread's wake-up
    if (mixture.has_value()) {
      parallel_for(source.size(0), kImagesInBlock, [&](std::int64_t begin, std::int64_t end) {
        kernels::transform_and_mix(transforms_, from, source.size(0), to, *mixture, begin, end,
                                   stream, isa);
      });
    } else {
      parallel_for(source.size(0), kImagesInBlock, [&](std::int64_t begin, std::int64_t end) {
        kernels::transform_images(transforms_, from, to, begin, end, stream, isa);
      });
    }
    return images.is_cpu() ? result : result.to(images.device());
  }

 private:
  std::tuple<Transforms...> transforms_;
};

}  // namespace regtorch::transforms
