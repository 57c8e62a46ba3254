#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "regtorch/kernels/device_images.hpp"
#include "regtorch/kernels/image_stages.hpp"
#include "regtorch/kernels/image_transform.hpp"
#include "regtorch/kernels/pixel_operation.hpp"

namespace regtorch::kernels {

/// Whether a pipeline of these transforms can be carried out by a device's kernel.
template <class... Transforms>
inline constexpr bool kDevicePipeline = (DeviceTransform<Transforms> && ...);

/// What the transforms decide for the images of a batch, made on the CPU, as plain data for
/// DeviceImages: the same decisions as those of kernels::transform_images, bit for bit.
template <class... Transforms>
class ImageRecords {
  using Stages = detail::ImageStages<Transforms...>;

 public:
  ImageRecords(const std::tuple<Transforms...>& transforms, ImageSize in)
      : transforms_(transforms), in_(in), out_(Stages(transforms, in).out_size()) {}

  /// Whether the sides of all images on the way are below 2^15; with larger ones no records can be
  /// made.
  bool possible() const {
    const Stages stages(transforms_, in_);
    bool all = true;
    for_each<kCount + 1>([&]<std::size_t K>() {
      const ImageSize size = stages.template size<K>();
      all = all && std::max(size.height, size.width) < (1 << 15);
    });
    return all;
  }

  /// The bytes of the records of `count` images; they begin at a multiple of 8.
  std::size_t bytes(std::int64_t count) const {
    return static_cast<std::size_t>(count) *
           (kOperations * sizeof(PixelOperation) + kTables * line_count() * sizeof(std::int16_t));
  }

  /// A batch with these records, once they are made, of which a device has a copy at `copy`;
  /// source, result and the result's format are left to be filled in.
  DeviceImages images(const void* records, const void* copy, std::int64_t count) const {
    const auto* here = static_cast<const PixelOperation*>(records);
    DeviceImages images;
    images.count = count;
    images.in = in_;
    images.out = out_;
    images.operations = static_cast<const PixelOperation*>(copy);
    images.operation_count = static_cast<std::int32_t>(kOperations);
    images.has_noise =
        std::any_of(here, here + static_cast<std::size_t>(count) * kOperations,
                    [](const PixelOperation& o) { return o.kind == PixelOperation::Kind::kNoise; });
    images.lines = reinterpret_cast<const std::int16_t*>(
        images.operations + static_cast<std::size_t>(count) * kOperations);
    images.table_count = static_cast<std::int32_t>(kTables);
    images.source_table = table<0>();
    return images;
  }

  /// Writes those of images [begin, end) of `count`; image n's randomness is that of index ids[n].
  ///
  /// Throws std::out_of_range if a transform points outside its image.
  void make(void* records, std::int64_t count, const std::int64_t* ids, std::int64_t begin,
            std::int64_t end, RandomStream stream) const {
    Stages stages(transforms_, in_);
    auto* operation = static_cast<PixelOperation*>(records);
    auto* line =
        reinterpret_cast<std::int16_t*>(operation + static_cast<std::size_t>(count) * kOperations);
    operation += static_cast<std::size_t>(begin) * kOperations;
    line += static_cast<std::size_t>(begin) * kTables * line_count();
    for (std::int64_t n = begin; n < end; ++n) {
      stages.draw(stream, static_cast<std::uint64_t>(ids[n]));
      stages.template aim<kCount>();
      for_each<kCount>([&]<std::size_t K>() {
        if constexpr (PixelTransform<Transform<K>>) {
          *operation = std::get<K>(transforms_).device_operation(stages.template drawn<K>());
          (operation++)->table = table<K>();
        } else if constexpr (Stages::template zeroes_after<K>()) {
          *operation = PixelOperation::zero_outside();
          (operation++)->table = table<Stages::template first_of_run<K>()>();
        }
      });
      for_each<kCount>([&]<std::size_t K>() {
        if constexpr (kHasTable[K]) {
          line = copied(stages.template rows<K>(), out_.height, line);
          line = copied(stages.template columns<K>(), out_.width, line);
        }
      });
    }
  }

 private:
  static constexpr std::size_t kCount = sizeof...(Transforms);
  template <std::size_t K>
  using Transform = typename Stages::template Transform<K>;

  template <std::size_t Count, class Body>
  static constexpr void for_each(const Body& body) {
    [&]<std::size_t... K>(std::index_sequence<K...>) {
      (body.template operator()<K>(), ...);
    }(std::make_index_sequence<Count>{});
  }

  static constexpr std::size_t kOperations = [] {
    std::size_t operations = 0;
    for_each<kCount>([&]<std::size_t K>() {
      operations += PixelTransform<Transform<K>> || Stages::template zeroes_after<K>();
    });
    return operations;
  }();
  /// For each stage whether its rows and columns are wanted: those of the source, and those of a
  /// stage where an operation asks for its place.
  static constexpr auto kHasTable = [] {
    std::array<bool, kCount + 1> has{};
    has[Stages::template slot<0>()] = true;
    for_each<kCount>([&]<std::size_t K>() {
      if constexpr (PixelTransform<Transform<K>> && !PlainPixelTransform<Transform<K>>) {
        has[Stages::template slot<K>()] = true;
      } else if constexpr (Stages::template zeroes_after<K>()) {
        has[Stages::template slot<Stages::template first_of_run<K>()>()] = true;
      }
    });
    has[kCount] = false;  // the output's own
    return has;
  }();
  static constexpr std::size_t kTables =
      static_cast<std::size_t>(std::count(kHasTable.begin(), kHasTable.end(), true));

  /// The number of the table of stage K, or -1.
  template <std::size_t K>
  static constexpr std::int32_t table() {
    constexpr auto place = kHasTable.begin() + Stages::template slot<K>();
    return *place ? static_cast<std::int32_t>(std::count(kHasTable.begin(), place, true)) : -1;
  }

  std::size_t line_count() const { return static_cast<std::size_t>(out_.height + out_.width); }
  static std::int16_t* copied(const int* lines, int count, std::int16_t* to) {
    return std::transform(lines, lines + count, to,
                          [](int line) { return static_cast<std::int16_t>(line); });
  }

  const std::tuple<Transforms...>& transforms_;
  ImageSize in_;
  ImageSize out_;
};

}  // namespace regtorch::kernels
