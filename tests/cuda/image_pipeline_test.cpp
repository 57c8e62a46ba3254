#include "regtorch/cuda/image_pipeline.cuh"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <vector>

#include "catch.hpp"
#include "regtorch/kernels/beta.hpp"
#include "regtorch/kernels/bfloat16.hpp"
#include "regtorch/kernels/image_pipeline.hpp"
#include "regtorch/kernels/image_records.hpp"
#include "simt/schedule.hpp"

namespace {

using namespace regtorch;
using kernels::ImageSize;
using kernels::kLanes;
using kernels::PixelBlock;
using kernels::PixelOperation;
using kernels::RandomWords;

// ---- Small transforms of each kind, since those of regtorch/transforms need torch. ----

/// A window a pixel smaller than the image, or one larger, at a random place; mirrored outside.
template <bool mirrored>
struct Window {
  int grow;
  struct Draw {
    int top, left;
    ImageSize in;
  };
  Draw draw(RandomWords& random, ImageSize in) const {
    const int top = static_cast<int>(random.next() % 5) - 2;
    return {top, static_cast<int>(random.next() % 7) - 3, in};
  }
  ImageSize output_size(ImageSize in) const {
    return {std::max(in.height + grow, 1), std::max(in.width + grow, 1)};
  }
  static int place(int i, int side) {
    if (mirrored) {
      i = i < 0 ? -i : i;
      return std::clamp(i >= side ? 2 * (side - 1) - i : i, 0, side - 1);
    }
    return i < 0 || i >= side ? kernels::kOutside : i;
  }
  int source_row(const Draw& draw, int y) const { return place(draw.top + y, draw.in.height); }
  int source_column(const Draw& draw, int x) const { return place(draw.left + x, draw.in.width); }
};
using Crop = Window<false>;
using Mirror = Window<true>;

struct Flip {
  struct Draw {
    bool flip;
    int last;
  };
  Draw draw(RandomWords& random, ImageSize in) const {
    return {random.next() % 2 == 0, in.width - 1};
  }
  ImageSize output_size(ImageSize in) const { return in; }
  int source_row(const Draw&, int y) const { return y; }
  int source_column(const Draw& draw, int x) const { return draw.flip ? draw.last - x : x; }
};

struct Scale {
  std::array<float, 3> scale{4.0f, 4.5f, 3.75f};
  std::array<float, 3> shift{-1.9f, -2.0f, -1.7f};
  void pixel(float& red, float& green, float& blue) const {
    red = red * scale[0] + shift[0];
    green = green * scale[1] + shift[1];
    blue = blue * scale[2] + shift[2];
  }
  PixelOperation device_operation(const kernels::NoDraw&) const {
    return PixelOperation::scale_shift(scale, shift);
  }
};

struct Gray {
  struct Draw {
    bool gray;
  };
  Draw draw(RandomWords& random, ImageSize) const { return {random.next() % 2 == 0}; }
  void pixel(float& red, float& green, float& blue, const Draw& draw, int, int) const {
    const float gray = kernels::grayscale(red, green, blue);
    red = draw.gray ? gray : red;
    green = draw.gray ? gray : green;
    blue = draw.gray ? gray : blue;
  }
  PixelOperation device_operation(const Draw& draw) const {
    return draw.gray ? PixelOperation::grayscale() : PixelOperation::none();
  }
};

/// A box, partly outside, with a colour or with noise.
template <bool noise>
struct Box {
  struct Draw {
    kernels::PixelBox box;
    std::uint64_t seed;
  };
  Draw draw(RandomWords& random, ImageSize in) const {
    const auto drawn = [&](int below) {
      return static_cast<int>(kernels::bounded(random.next(), static_cast<std::uint32_t>(below)));
    };
    kernels::PixelBox box{drawn(in.height) - 2, drawn(in.width) - 2, drawn(in.height + 2),
                          drawn(in.width + 2)};
    return {box, random.next()};
  }
  void block(PixelBlock& block, const Draw& draw, int y, const int (&x)[kLanes]) const {
    for (int i = 0; i < kLanes; ++i) {
      const kernels::PixelBox& box = draw.box;
      if (y >= box.top && y < box.top + box.height && x[i] >= box.left &&
          x[i] < box.left + box.width) {
        RandomWords random({draw.seed, 0, 0},
                           static_cast<std::uint64_t>(y) << 32 | static_cast<std::uint64_t>(x[i]));
        float* const channels[]{block.red, block.green, block.blue};
        float color = 0.25f;
        for (float* channel : channels) {
          channel[i] = noise ? static_cast<float>(kernels::normal_number(random)) : color;
          color += 0.5f;
        }
      }
    }
  }
  PixelOperation device_operation(const Draw& draw) const {
    return noise ? PixelOperation::noise(draw.box, draw.seed)
                 : PixelOperation::fill(draw.box, {0.25f, 0.75f, 1.25f});
  }
};
using Cutout = Box<false>;
using Noise = Box<true>;

// ---- The comparison. ----

struct alignas(16) Aligned {
  std::byte bytes[16];
};

float value(float v) { return v; }
float value(std::uint16_t bits) { return kernels::from_bfloat16(bits); }

/// What both make of `count` random images, in this form, from `off` elements after a multiple of
/// 16 bytes on; only whether two numbers are the same, and whether nothing else was written.
template <class Value, class... Transforms>
void compare(const std::tuple<Transforms...>& transforms, ImageSize in, std::int64_t count,
             bool channels_last, std::size_t off) {
  static_assert(kernels::kDevicePipeline<Transforms...>);
  constexpr bool kFloats = sizeof(Value) == 4;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * 3 * in.height * in.width));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(i * 2654435761u >> 24);
  }
  std::vector<std::int64_t> ids;
  for (std::int64_t n = 0; n < count; ++n) {
    ids.push_back(1000 - n);
  }
  const kernels::RandomStream stream{7, 3, 11};
  const ImageSize out = kernels::output_size(transforms, in);
  const auto size = static_cast<std::size_t>(count * 3 * out.height * out.width);
  std::vector<Value> wanted(size);
  kernels::transform_images(
      transforms, {pixels.data(), ids.data(), in},
      {wanted.data(), kFloats ? kernels::PixelType::kFloat32 : kernels::PixelType::kBFloat16,
       channels_last},
      0, count, stream, kernels::Isa::kBaseline);

  const kernels::ImageRecords<Transforms...> records(transforms, in);
  REQUIRE(records.possible());
  std::vector<std::byte> made(records.bytes(count));
  records.make(made.data(), count, ids.data(), 0, count / 2, stream);  // as threads share them
  records.make(made.data(), count, ids.data(), count / 2, count, stream);
  kernels::DeviceImages images = records.images(made.data(), made.data(), count);
  images.source = pixels.data();
  images.channels_last = channels_last;

  simt::for_each_schedule(
      [&] {
        std::vector<Aligned> room((size + off) * sizeof(Value) / 16 + 2);
        std::memset(room.data(), 0x5A, room.size() * 16);
        Value* const got = reinterpret_cast<Value*>(room.data()) + off;
        images.result = got;
        cuda::transform_images<std::conditional_t<kFloats, float, __nv_bfloat16>>(images, nullptr);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < size; ++i) {
          wrong += value(got[i]) != value(wanted[i]);
        }
        CHECK(wrong == 0);
        const auto* bytes = reinterpret_cast<const unsigned char*>(room.data());
        const auto is_whole = [&](std::size_t begin, std::size_t end) {
          return std::all_of(bytes + begin, bytes + end, [](auto b) { return b == 0x5A; });
        };
        CHECK(is_whole(0, off * sizeof(Value)));
        CHECK(is_whole((off + size) * sizeof(Value), room.size() * 16));
      },
      2);
}

template <class... Transforms>
void compare_all(const Transforms&... transforms) {
  const std::tuple all(transforms...);
  for (const ImageSize in :
       {ImageSize{1, 1}, ImageSize{5, 7}, ImageSize{32, 32}, ImageSize{33, 31}}) {
    for (const std::int64_t count : {0, 1, 3, 33}) {
      for (const bool channels_last : {false, true}) {
        INFO(in.height << "x" << in.width << ", " << count << (channels_last ? ", last" : ""));
        compare<float>(all, in, count, channels_last, 0);
        compare<std::uint16_t>(all, in, count, channels_last, 0);
      }
    }
    compare<float>(all, in, 3, false, 1);
    compare<std::uint16_t>(all, in, 3, true, 4);
    compare<std::uint16_t>(all, in, 3, false, 1);
  }
}

}  // namespace

TEST_CASE("cuda::transform_images makes what the CPU makes: nothing", "[cuda]") { compare_all(); }
TEST_CASE("cuda::transform_images makes what the CPU makes: geometry", "[cuda]") {
  compare_all(Crop{-1});
  compare_all(Crop{3});
  compare_all(Mirror{0});
  compare_all(Flip{});
  compare_all(Crop{0}, Flip{}, Mirror{2}, Crop{-1});
}
TEST_CASE("cuda::transform_images makes what the CPU makes: pixels", "[cuda]") {
  compare_all(Scale{});
  compare_all(Gray{});
  compare_all(Cutout{});
  compare_all(Noise{});
}
TEST_CASE("cuda::transform_images makes what the CPU makes: all together", "[cuda]") {
  compare_all(Crop{0}, Flip{}, Scale{}, Gray{}, Cutout{}, Noise{});
  compare_all(Noise{}, Mirror{1}, Cutout{}, Crop{1}, Flip{}, Scale{}, Gray{}, Crop{-1});
  compare_all(Gray{}, Crop{1}, Cutout{}, Flip{}, Noise{}, Mirror{0}, Scale{});
}
TEST_CASE("cuda::transform_images goes round its loops in large images", "[cuda]") {
  const std::tuple transforms(Crop{0}, Scale{}, Flip{});
  compare<float>(transforms, {90, 200}, 2, false, 0);  // several blocks of an image
  compare<std::uint16_t>(transforms, {91, 201}, 2, true, 0);
}
