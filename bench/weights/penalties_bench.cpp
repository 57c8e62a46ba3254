// l2_penalty: forward and backward, and clip_grad_norm: a norm above the limit, on ResNet-18's
// parameters (11.2 million, 62 tensors).
//
// Limit: the penalty reads 4 bytes a weight forward, and reads and writes 4 backward; clipping
// reads 4, and reads and writes 4. copy moves those 12.
//
// The penalty's gradients are made anew for each pass, as after zero_grad(): with glibc's malloc
// that costs page faults on their 45 MB, which regtorch_cached does without.

#include "regtorch/weights/penalties.hpp"

#include <vector>

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "../core/scoped_memory_cache.hpp"
#include "regtorch/weights/clip_grad.hpp"
#include "weights.hpp"

namespace {

namespace rt = regtorch;

template <class Penalty>
void penalty(benchmark::State& state, const Penalty& of) {
  const auto all = rt::bench::parameters();
  for (auto _ : state) {
    for (const auto& parameter : all) {
      parameter.mutable_grad().reset();
    }
    of(all).backward();
  }
}

void penalty_regtorch(benchmark::State& state) {
  penalty(state, [](const auto& all) { return rt::l2_penalty(all, 1e-4); });
}

void penalty_cached(benchmark::State& state) {
  const rt::bench::ScopedMemoryCache cache;
  penalty_regtorch(state);
}

/// As dot products: no square is stored.
void penalty_aten(benchmark::State& state) {
  penalty(state, [](const auto& all) {
    std::vector<torch::Tensor> squares;
    for (const auto& w : all) {
      squares.push_back(torch::dot(w.view(-1), w.view(-1)));
    }
    return 1e-4 * torch::stack(squares).sum();
  });
}

void penalty_squares(benchmark::State& state) {
  penalty(state, [](const auto& all) {
    torch::Tensor sum = torch::zeros({});
    for (const auto& w : all) {
      sum = sum + w.square().sum();
    }
    return 1e-4 * sum;
  });
}

/// Calls clip(parameters) on gradients of a norm above the limit, made so again for each call by a
/// limit that falls.
template <class Clip>
void clip(benchmark::State& state, const Clip& one) {
  const auto all = rt::bench::parameters();
  double limit = 10;
  for (auto _ : state) {
    limit *= 0.999;
    one(all, limit);
  }
}

void clip_regtorch(benchmark::State& state) {
  clip(state, [](const auto& all, double limit) { rt::clip_grad_norm_(all, limit); });
}

/// As Python's clip_grad_norm_ with foreach.
void clip_aten(benchmark::State& state) {
  clip(state, [](const auto& all, double limit) {
    std::vector<torch::Tensor> gradients;
    for (const auto& parameter : all) {
      gradients.push_back(parameter.grad());
    }
    const auto total = torch::linalg_vector_norm(torch::stack(at::_foreach_norm(gradients, 2)));
    at::_foreach_mul_(gradients, (limit / (total + 1e-6)).clamp_max(1.0));
  });
}

void clip_utils(benchmark::State& state) {
  clip(state, [](const auto& all, double limit) { torch::nn::utils::clip_grad_norm_(all, limit); });
}

void copy(benchmark::State& state) { rt::bench::copy(state, 12); }

#define REGTORCH_WEIGHTS_BENCHMARK(function, name) \
  BENCHMARK(function)->Name(name "/resnet18/float32")->UseRealTime()->Unit(benchmark::kMillisecond)
REGTORCH_WEIGHTS_BENCHMARK(penalty_regtorch, "l2_penalty/regtorch");
REGTORCH_WEIGHTS_BENCHMARK(penalty_cached, "l2_penalty/regtorch_cached");
REGTORCH_WEIGHTS_BENCHMARK(penalty_aten, "l2_penalty/aten");
REGTORCH_WEIGHTS_BENCHMARK(penalty_squares, "l2_penalty/aten_squares");
REGTORCH_WEIGHTS_BENCHMARK(copy, "l2_penalty/copy");
REGTORCH_WEIGHTS_BENCHMARK(clip_regtorch, "clip_grad_norm/regtorch");
REGTORCH_WEIGHTS_BENCHMARK(clip_aten, "clip_grad_norm/aten");
REGTORCH_WEIGHTS_BENCHMARK(clip_utils, "clip_grad_norm/aten_utils");
REGTORCH_WEIGHTS_BENCHMARK(copy, "clip_grad_norm/copy");

}  // namespace
