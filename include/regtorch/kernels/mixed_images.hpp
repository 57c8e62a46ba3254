#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <tuple>

#include "regtorch/kernels/image_pipeline.hpp"
#include "regtorch/kernels/mixing.hpp"

namespace regtorch::kernels {

/// transform_images, with each image mixed with the one before it in the batch, the first with the
/// last.
///
/// In one pass over memory for small images: as many as the cache holds, at least one, are made
/// into a scratch and mixed from there to their place. Image begin - 1 is made for this range as
/// well as for its own.
///
/// @param batch  how many images there are in all
template <class... Transforms>
void transform_and_mix(const std::tuple<Transforms...>& transforms, const ImageSource& source,
                       std::int64_t batch, const ImageSink& sink, const Mixture& mixture,
                       std::int64_t begin, std::int64_t end, RandomStream stream, Isa isa) {
  constexpr std::int64_t kScratch = 96 << 10;  // bytes, without the image before
  const ImageSize size = output_size(transforms, source.size);
  const bool floats = sink.type == PixelType::kFloat32;
  const std::int64_t value = floats ? sizeof(float) : sizeof(std::uint16_t);
  const std::int64_t image = 3 * value * size.height * size.width;
  const std::int64_t source_image = std::int64_t{3} * source.size.height * source.size.width;
  if (image == 0) {
    return;
  }
  const std::int64_t most = std::clamp<std::int64_t>(kScratch / image, 1, end - begin);

  const auto scratch =
      std::make_unique_for_overwrite<std::uint8_t[]>(static_cast<std::size_t>((most + 1) * image));
  std::uint8_t* const before = scratch.get();
  std::uint8_t* const own = before + image;
  const auto make = [&](std::int64_t first, std::int64_t count, std::uint8_t* to) {
    transform_images(transforms,
                     {source.pixels + first * source_image, source.ids + first, source.size},
                     {to, sink.type, sink.channels_last}, 0, count, stream, isa);
  };
  const auto mix = [&](std::int64_t bytes, std::uint8_t* to) {
    if (mixture.box.has_value()) {
      const auto box = PlaneBox::make(*mixture.box, size.height, size.width,
                                      sink.channels_last ? 3 * value : value);
      for (std::int64_t at = 0; at < bytes; at += static_cast<std::int64_t>(box.plane)) {
        paste_box(own + at, before + at, to + at, box);
      }
      return;
    }
    const auto blend = [&]<class Value>(Value* out) {
      blend_arrays(reinterpret_cast<const Value*>(own), reinterpret_cast<const Value*>(before), out,
                   bytes / value, Blend(mixture.own), isa);
    };
    if (floats) {
      blend(reinterpret_cast<float*>(to));
    } else {
      blend(reinterpret_cast<std::uint16_t*>(to));
    }
  };

  make(begin == 0 ? batch - 1 : begin - 1, 1, before);
  for (std::int64_t first = begin; first < end; first += most) {
    const std::int64_t count = std::min(most, end - first);
    make(first, count, own);
    mix(count * image, static_cast<std::uint8_t*>(sink.pixels) + first * image);
    std::memcpy(before, before + count * image, static_cast<std::size_t>(image));
  }
}

}  // namespace regtorch::kernels
