// expect: a callback of Trainer::fit must have one of the hooks on_fit_begin, on_epoch_begin,
//
// The other files call check_callback, which parses quickly; this one shows that fit calls it.

#include <vector>

#include <torch/nn/module.h>

#include <regtorch/data/batches.hpp>
#include <regtorch/training/trainer.hpp>

struct Model : torch::nn::Module {
  at::Tensor forward(const at::Tensor& images) { return images; }
};
struct Criterion {
  at::Tensor operator()(const at::Tensor& logits, const at::Tensor&) const { return logits; }
};
struct Misspelled {
  void on_epoch_ended(regtorch::TrainingState&) {}
};

void train(torch::optim::Optimizer& optimizer, std::vector<regtorch::data::Batch>& batches) {
  regtorch::Trainer trainer(std::make_shared<Model>(), optimizer, Criterion());
  trainer.fit(batches, Misspelled());
}
