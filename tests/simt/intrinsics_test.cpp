// Device functions with an answer that can be written down.

#include <cmath>
#include <limits>

#include "catch.hpp"

namespace {

TEST_CASE("integer functions of the device", "[simt]") {
  CHECK(__umulhi(0xFFFFFFFFu, 0xFFFFFFFFu) == 0xFFFFFFFEu);
  CHECK(__mulhi(-3, 1 << 30) == -1);
  CHECK(__umul64hi(~0ull, 16) == 15);
  CHECK(__popc(0xF0F0u) == 8);
  CHECK(__clz(0) == 32);
  CHECK(__clz(1) == 31);
  CHECK(__clzll(1) == 63);
  CHECK(__ffs(0) == 0);
  CHECK(__ffs(8) == 4);
  CHECK(__ffsll(1ll << 40) == 41);
  CHECK(__brev(0x00000003u) == 0xC0000000u);
  CHECK(__brevll(1) == 1ull << 63);
  CHECK(__byte_perm(0x33221100u, 0x77665544u, 0x5410u) == 0x55441100u);
  CHECK(__byte_perm(0x00008000u, 0, 0x9999u) == 0xFFFFFFFFu);
  CHECK(__funnelshift_l(0x80000000u, 1, 1) == 3);
  CHECK(__funnelshift_r(2, 1, 1) == 0x80000001u);
  CHECK(__float_as_uint(1.0f) == 0x3F800000u);
  CHECK(__int_as_float(0x40000000) == 2.0f);
}

TEST_CASE("a signed and an unsigned compare as unsigned, a number and a NaN as the number",
          "[simt]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(max(-1, 1u) == 0xFFFFFFFFu);
  CHECK(min(-1, 1) == -1);
  CHECK(min(3l, 2l) == 2);
  CHECK(max(nan, 1.0f) == 1.0f);
  CHECK(min(1.0, nan) == 1.0);
  CHECK(__saturatef(nan) == 0.0f);
  CHECK(__saturatef(3.0f) == 1.0f);
}

TEST_CASE("conversions round as they are named and stay in range", "[simt]") {
  CHECK(__float2int_rn(2.5f) == 2);
  CHECK(__float2int_rn(3.5f) == 4);
  CHECK(__float2int_rz(-2.5f) == -2);
  CHECK(__float2int_rd(-2.5f) == -3);
  CHECK(__float2int_ru(2.1f) == 3);
  CHECK(__float2int_rn(1e20f) == std::numeric_limits<int>::max());
  CHECK(__float2uint_rn(-1.0f) == 0);
  CHECK(__float2uint_rz(4294967296.0f) == 0xFFFFFFFFu);
  CHECK(__float2int_rz(std::numeric_limits<float>::quiet_NaN()) == 0);
  CHECK(__double2ull_rn(0x1p70) == ~0ull);
  CHECK(__uint2float_rn(0xFFFFFFFFu) == 4294967296.0f);
}

TEST_CASE("pi is exact where its multiples are", "[simt]") {
  CHECK(sinpif(0.5f) == 1.0f);
  CHECK(std::abs(sinpif(1e6f)) < 1e-6f);
  CHECK(cospif(1e6f) == 1.0f);
  float sine = 0.0f;
  float cosine = 0.0f;
  sincospif(1.5f, &sine, &cosine);
  CHECK(sine == -1.0f);
}

TEST_CASE("vectors are aligned as on a device", "[simt]") {
  CHECK(alignof(float2) == 8);
  CHECK(alignof(float4) == 16);
  CHECK(alignof(uchar4) == 4);
  CHECK(alignof(ushort4) == 8);
  CHECK(alignof(double2) == 16);
  CHECK(sizeof(float3) == 12);
}

}  // namespace
