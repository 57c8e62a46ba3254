// expect: Batches wants a Pipeline or a callable (const torch::Tensor& images, rt::Key, const

#include <regtorch/data/batches.hpp>

// Without key and indices, images would be changed alike in every pass.
at::Tensor invert(const at::Tensor& images) { return images; }

void make(const regtorch::data::Subset& data) {
  const regtorch::data::Batches batches(data, invert, regtorch::data::BatchesOptions(32));
}
