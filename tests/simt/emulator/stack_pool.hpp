#pragma once

#include <cstddef>

namespace regtorch::simt {

/// Bytes of a fiber's stack. Address space: only what is touched takes memory.
inline constexpr std::size_t kStackSize = std::size_t{256} * 1024;

/// A stack with a page below it that can't be touched. They are kept for the next launch, as asking
/// the system for a thousand takes longer than most launches.
std::byte* take_stack();
void give_stack_back(std::byte* stack);

}  // namespace regtorch::simt
