#pragma once

namespace regtorch::kernels {

/// Numbers that go through a kernel side by side. 32, since g++ -O3 unrolls loops of up to 16
/// rounds whole and then fails to vectorise them.
inline constexpr int kLanes = 32;

}  // namespace regtorch::kernels
