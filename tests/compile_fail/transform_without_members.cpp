// expect: each transform must have the members that regtorch/kernels/image_transform.hpp asks of

#include <utility>

#include <regtorch/transforms/pipeline.hpp>

// Two channels, where three are wanted.
struct Swap {
  void pixel(float& red, float& green) const { std::swap(red, green); }
};

int main() { const regtorch::transforms::Pipeline pipeline{Swap()}; }
