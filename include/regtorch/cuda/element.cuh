#pragma once

#include <bit>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

/// What kernels read and write that compute in float32: float, __half and __nv_bfloat16.
namespace regtorch::cuda {

__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(__half value) { return __half2float(value); }
__device__ __forceinline__ float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }

/// Rounded to nearest, ties to even.
template <class Element>
__device__ __forceinline__ Element from_float(float value);
template <>
__device__ __forceinline__ float from_float<float>(float value) {
  return value;
}
template <>
__device__ __forceinline__ __half from_float<__half>(float value) {
  return __float2half_rn(value);
}
template <>
__device__ __forceinline__ __nv_bfloat16 from_float<__nv_bfloat16>(float value) {
  return __float2bfloat16_rn(value);
}

/// As many elements as one load or store of 128 bits moves.
template <class Element>
inline constexpr int kPackSize = 16 / static_cast<int>(sizeof(Element));

/// Elements that one instruction moves, at an address that is a multiple of their size; n is a
/// power of two.
template <class Element, int n = kPackSize<Element>>
struct alignas(n * sizeof(Element)) Pack {
  Element at[n];
};

template <class Element>
__device__ __forceinline__ Pack<Element> load_pack(const Element* from) {
  return *reinterpret_cast<const Pack<Element>*>(from);
}
template <int n, class Element>
__device__ __forceinline__ Pack<Element, n> load_pack(const Element* from) {
  return *reinterpret_cast<const Pack<Element, n>*>(from);
}
template <class Element, int n>
__device__ __forceinline__ void store_pack(Element* to, const Pack<Element, n>& pack) {
  // A store of a class may become one of each of its members, that of a vector does not.
  if constexpr (sizeof(pack) == sizeof(uint4)) {
    __stwb(reinterpret_cast<uint4*>(to), std::bit_cast<uint4>(pack));
  } else if constexpr (sizeof(pack) == sizeof(uint2)) {
    __stwb(reinterpret_cast<uint2*>(to), std::bit_cast<uint2>(pack));
  } else {
    *reinterpret_cast<Pack<Element, n>*>(to) = pack;
  }
}

}  // namespace regtorch::cuda
