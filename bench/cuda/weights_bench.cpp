// adam_step, sgd_step (Nesterov momentum 0.9): one step on ResNet-18's parameters (11.2 million, 62
// tensors), gradients given. l2_penalty: value and gradient. clip_grad_norm: of gradients above the
// limit.

#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "device_timer.hpp"
#include "regtorch/models/resnet.hpp"
#include "regtorch/weights/clip_grad.hpp"
#include "regtorch/weights/fused_adam.hpp"
#include "regtorch/weights/fused_sgd.hpp"
#include "regtorch/weights/penalties.hpp"

namespace {

namespace rt = regtorch;

using Parameters = std::vector<torch::Tensor>;

Parameters parameters() {
  torch::manual_seed(0);
  auto model = rt::resnet18();
  model->to(torch::kCUDA);
  Parameters all = model->parameters();
  for (auto& parameter : all) {
    parameter.mutable_grad() = torch::randn_like(parameter.detach()) * 0.01;
  }
  return all;
}

/// @param bytes_each  that a parameter needs moved
/// @param prepare     of the parameters, gives what is timed
void add(const std::string& piece, const std::string& variant, std::int64_t bytes_each,
         auto prepare) {
  const auto body = [=](benchmark::State& state) {
    Parameters all = parameters();
    std::int64_t count = 0;
    for (const auto& parameter : all) {
      count += parameter.numel();
    }
    auto work = prepare(all);
    rt::bench::DeviceTimer().run(state, count * bytes_each, work);
  };
  benchmark::RegisterBenchmark((piece + "/" + variant + "/resnet18/float32").c_str(), body)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

/// The limit: as many bytes, half of them read and half of them written.
void add_copy(const std::string& piece, std::int64_t bytes_each) {
  add(piece, "copy", bytes_each, [=](const Parameters& all) {
    std::int64_t count = 0;
    for (const auto& parameter : all) {
      count += parameter.numel();
    }
    return [x = torch::zeros({count * bytes_each / 2},
                             torch::dtype(torch::kByte).device(torch::kCUDA))] { x.clone(); };
  });
}

template <class Optimizer, class Options>
void add_step(const std::string& piece, const std::string& variant, std::int64_t bytes_each,
              const Options& options) {
  add(piece, variant, bytes_each, [=](const Parameters& all) {
    auto optimizer = std::make_shared<Optimizer>(all, options);
    return [optimizer] { optimizer->step(); };
  });
}

void clear_gradients(Parameters& all) {
  for (auto& parameter : all) {
    parameter.mutable_grad() = torch::Tensor();
  }
}

const int registered = [] {
  constexpr std::int64_t kAdamBytes = 28;  // 4 arrays read, 3 of them written
  const torch::optim::AdamOptions adam(1e-3);
  add_step<rt::FusedAdam>("adam_step", "regtorch", kAdamBytes, adam);
  add_step<torch::optim::Adam>("adam_step", "aten", kAdamBytes, adam);
  add_copy("adam_step", kAdamBytes);

  constexpr std::int64_t kSgdBytes = 20;  // 3 arrays read, 2 of them written
  const auto sgd = torch::optim::SGDOptions(0.1).momentum(0.9).nesterov(true);
  add_step<rt::FusedSGD>("sgd_step", "regtorch", kSgdBytes, sgd);
  add_step<torch::optim::SGD>("sgd_step", "aten", kSgdBytes, sgd);
  add_copy("sgd_step", kSgdBytes);

  constexpr std::int64_t kPenaltyBytes = 12;  // the weights read twice, a gradient written
  add("l2_penalty", "regtorch", kPenaltyBytes, [](Parameters all) {
    return [all]() mutable {
      rt::l2_penalty(all, 1e-4).backward();
      clear_gradients(all);
    };
  });
  add("l2_penalty", "aten", kPenaltyBytes, [](Parameters all) {
    return [all]() mutable {
      torch::Tensor total = torch::zeros({}, torch::kCUDA);
      for (const auto& parameter : all) {
        total = total + parameter.square().sum();
      }
      (total * 1e-4).backward();
      clear_gradients(all);
    };
  });
  add_copy("l2_penalty", kPenaltyBytes);

  constexpr std::int64_t kClipBytes = 12;  // the gradients read twice, and written
  add("clip_grad_norm", "regtorch", kClipBytes,
      [](const Parameters& all) { return [all] { rt::clip_grad_norm_(all, 1e-9); }; });
  add("clip_grad_norm", "aten", kClipBytes, [](const Parameters& all) {
    return [all] {
      std::vector<torch::Tensor> gradients;
      for (const auto& parameter : all) {
        gradients.push_back(parameter.grad());
      }
      const auto norm = torch::stack(at::_foreach_norm(gradients, 2)).norm();
      at::_foreach_mul_(gradients, (1e-9 / (norm + 1e-6)).clamp_max(1));
    };
  });
  add_copy("clip_grad_norm", kClipBytes);
  return 0;
}();

}  // namespace
