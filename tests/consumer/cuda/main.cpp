// Ends with 0 if the table of device kernels is one, and full, when main() begins; and if the
// pieces work on this machine, which may have no GPU.

#include <cstring>
#include <iostream>

#include <torch/torch.h>

#include "regtorch/labels/disturb_label.hpp"
#include "regtorch/losses/label_smoothing_loss.hpp"

const void* table_of_part();

int main() {
  const auto& table = regtorch::kernels::device_kernels();
  const void* slots[sizeof(table) / sizeof(void*)];
  std::memcpy(slots, &table, sizeof(table));
  int empty = 0;
  for (const void* slot : slots) {
    empty += slot == nullptr ? 1 : 0;
  }
  const auto device = torch::cuda::is_available() ? torch::kCUDA : torch::kCPU;
  regtorch::DisturbLabel disturb(30, 10);
  regtorch::LabelSmoothingLoss criterion(regtorch::LabelSmoothingLossOptions(10).smoothing(0.2));
  const auto labels = torch::arange(10).to(device);
  const auto logits = torch::zeros({10, 10}).to(device).requires_grad_();
  const auto loss = criterion(logits, disturb(labels));
  loss.backward();
  std::cout << "empty slots: " << empty << ", on " << device << ": " << loss.item<double>() << '\n';
  return empty == 0 && table_of_part() == &table && logits.grad().isfinite().all().item<bool>() ? 0
                                                                                                : 1;
}
