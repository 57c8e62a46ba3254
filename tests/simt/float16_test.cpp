// The emulated 16-bit types against the library's own, which were written apart.

#include <bit>
#include <cstdint>
#include <type_traits>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <regtorch/kernels/bfloat16.hpp>
#include <regtorch/kernels/float16.hpp>

#include "catch.hpp"

namespace {

namespace kernels = regtorch::kernels;

static_assert(std::is_trivially_default_constructible_v<__half> && sizeof(__half) == 2);
static_assert(std::is_trivially_copyable_v<__nv_bfloat16> && sizeof(__nv_bfloat162) == 4);

bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (a != a && b != b);
}

bool same_half(unsigned short a, std::uint16_t b) {
  return a == b || ((a & 0x7FFFu) > 0x7C00u && (b & 0x7FFFu) > 0x7C00u);
}

bool same_bfloat16(unsigned short a, std::uint16_t b) {
  return a == b || ((a & 0x7FFFu) > 0x7F80u && (b & 0x7FFFu) > 0x7F80u);
}

TEST_CASE("every 16-bit pattern becomes the float that it stands for", "[simt]") {
  int wrong = 0;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const auto pattern = static_cast<std::uint16_t>(bits);
    const __half half = __ushort_as_half(pattern);
    const __nv_bfloat16 bfloat16 = __ushort_as_bfloat16(pattern);
    if (!same(__half2float(half), kernels::from_float16(pattern))) ++wrong;
    if (!same(__bfloat162float(bfloat16), kernels::from_bfloat16(pattern))) ++wrong;
    if (!same_half(__half_as_ushort(__float2half_rn(half)), pattern)) ++wrong;
    if (!same_bfloat16(__bfloat16_as_ushort(__float2bfloat16_rn(bfloat16)), pattern)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("floats are rounded as the library rounds them", "[simt]") {
  int wrong = 0;
  // Every sign, exponent and upper mantissa, with lower bits at and beside the halves between.
  for (std::uint64_t upper = 0; upper < 1u << 20; ++upper) {
    for (const std::uint32_t lower : {0x000u, 0x001u, 0x7FFu, 0x800u, 0x801u, 0xFFFu}) {
      const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(upper << 12) | lower);
      if (!same_half(__half_as_ushort(__float2half_rn(x)), kernels::to_float16(x))) ++wrong;
      if (!same_bfloat16(__bfloat16_as_ushort(__float2bfloat16_rn(x)), kernels::to_bfloat16(x))) {
        ++wrong;
      }
    }
  }
  CHECK(wrong == 0);
}

}  // namespace
