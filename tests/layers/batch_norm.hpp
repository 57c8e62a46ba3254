#pragma once

// What the tests of batch normalization with an activation have in common.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <torch/csrc/autograd/forward_grad.h>

#include "catch.hpp"

namespace regtorch::testing {

inline constexpr auto kChannelsLast = torch::MemoryFormat::ChannelsLast;

inline torch::nn::BatchNormOptions norm_options(std::int64_t channels) {
  return torch::nn::BatchNormOptions(channels).eps(1e-3).momentum(0.3);
}

/// Weights and biases that are not 1 and 0.
template <class Norm>
void randomize_norm(Norm& norm) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  norm->weight.uniform_(-2, 2);
  norm->bias.normal_();
}

template <class Norm>
Norm random_norm(std::int64_t channels) {
  Norm norm(norm_options(channels));
  randomize_norm(norm);
  return norm;
}

/// LibTorch's with the numbers of random_norm, in float64.
inline torch::nn::BatchNorm2d reference_norm(std::int64_t channels) {
  auto norm = random_norm<torch::nn::BatchNorm2d>(channels);
  norm->to(torch::kDouble);
  return norm;
}

/// |got - wanted| <= relative |wanted| + absolute, everywhere.
inline bool near(const torch::Tensor& got, const torch::Tensor& wanted, double relative,
                 double absolute) {
  return got.detach()
      .to(torch::kDouble)
      .allclose(wanted.detach().to(torch::kDouble), relative, absolute);
}
inline bool near(const torch::Tensor& got, const torch::Tensor& wanted, double bound) {
  return near(got, wanted, bound, bound);
}

/// The error of rounding to a type once, relative to the number.
inline double rounding_of(torch::ScalarType type) {
  return type == torch::kBFloat16 ? 0x1p-8 : type == torch::kHalf ? 0x1p-11 : 0;
}

/// How many nodes of a result's graph have `part` in their names.
inline int count_nodes(const torch::Tensor& result, const std::string& part) {
  std::vector<torch::autograd::Node*> nodes;
  const auto add = [&](torch::autograd::Node* node) {
    if (node != nullptr && std::find(nodes.begin(), nodes.end(), node) == nodes.end()) {
      nodes.push_back(node);
    }
  };
  add(result.grad_fn().get());
  int count = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    count += contains(nodes[i]->name(), part) ? 1 : 0;
    for (const auto& edge : nodes[i]->next_edges()) {
      add(edge.function.get());
    }
  }
  return count;
}

/// The gradients of a result's square for the inputs, and those of these gradients' squares.
inline std::pair<std::vector<torch::Tensor>, std::vector<torch::Tensor>> two_gradients(
    const torch::Tensor& result, const std::vector<torch::Tensor>& inputs) {
  const auto first = torch::autograd::grad({result.square().sum()}, inputs, {}, true, true);
  torch::Tensor sum = torch::zeros({}, first[0].options());
  for (const auto& gradient : first) {
    sum = sum + gradient.square().sum().to(sum.scalar_type());
  }
  return {first, torch::autograd::grad({sum}, inputs)};
}

/// A level of forward differentiation, open as long as this lives.
class ForwardLevel {
 public:
  ForwardLevel() : index_(torch::autograd::ForwardADLevel::get_next_idx()) {}
  ~ForwardLevel() { torch::autograd::ForwardADLevel::release_idx(index_); }
  ForwardLevel(const ForwardLevel&) = delete;
  ForwardLevel& operator=(const ForwardLevel&) = delete;

  torch::Tensor with_tangent(const torch::Tensor& x, const torch::Tensor& tangent) const {
    return at::_make_dual(x, tangent, static_cast<std::int64_t>(index_));
  }
  torch::Tensor tangent_of(const torch::Tensor& y) const {
    return std::get<1>(at::_unpack_dual(y, static_cast<std::int64_t>(index_)));
  }

 private:
  std::uint64_t index_;
};

/// That layer(norm, x) carries the tangents of x and of the norm's weight.
template <class Norm>
void check_tangents(const auto& layer) {
  torch::manual_seed(10);
  const auto images = torch::randn({4, 3, 5, 5}).contiguous(kChannelsLast);
  const auto along_images = torch::randn_like(images);
  const auto along_weight = torch::randn({3});
  for (const bool training : {true, false}) {
    for (const bool by_weight : {true, false}) {
      INFO("training " << training << ", by the weight " << by_weight);
      auto norm = random_norm<Norm>(3);
      norm->train(training);
      const torch::NoGradGuard no_grad;
      const ForwardLevel level;
      const auto weight = norm->weight;
      torch::Tensor tangent;
      if (by_weight) {
        norm->weight = level.with_tangent(weight.detach(), along_weight);
        tangent = level.tangent_of(layer(norm, images));
        norm->weight = weight;
      } else {
        tangent = level.tangent_of(layer(norm, level.with_tangent(images, along_images)));
      }
      REQUIRE(tangent.defined());
      constexpr double kStep = 1e-4;
      norm->to(torch::kDouble);
      const auto weight64 = norm->weight;
      const auto moved = [&](double by) {
        norm->weight = by_weight ? weight64 + by * along_weight : weight64;
        const auto images64 = images.to(torch::kDouble);
        return layer(norm, by_weight ? images64 : images64 + by * along_images);
      };
      const auto wanted = (moved(kStep) - moved(-kStep)) / (2 * kStep);
      CHECK(near(tangent, wanted, 1e-3));
    }
  }
}

/// That layer(norm, x) is the same for any number of threads, with its gradients.
template <class Norm>
void check_threads(const auto& layer) {
  torch::manual_seed(7);
  const auto images = torch::randn({40, 40, 9, 9}).contiguous(kChannelsLast);
  const auto made_by = [&](int threads) {
    const Threads these(threads);
    Norm norm(norm_options(40));
    const auto x = images.clone().requires_grad_();
    const auto y = layer(norm, x);
    y.square().sum().backward();
    return std::vector<torch::Tensor>{y.detach(), x.grad(), norm->weight.grad(), norm->running_var};
  };
  const auto one = made_by(1);
  const auto three = made_by(3);
  for (std::size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i].equal(three[i]));
  }
}

/// That with norms that the kernels do not take layer(norm, x) is LibTorch's, bit for bit.
template <class Norm>
void check_fallback(const auto& layer, const auto& of_libtorch) {
  torch::manual_seed(8);
  const auto x = torch::randn({4, 3, 5, 5}).contiguous(kChannelsLast);
  for (const auto& options : {torch::nn::BatchNormOptions(3).affine(false),
                              torch::nn::BatchNormOptions(3).track_running_stats(false),
                              torch::nn::BatchNormOptions(3).momentum(std::nullopt)}) {
    Norm norm(options);
    torch::nn::BatchNorm2d reference(options);
    for (int step = 0; step < 2; ++step) {
      CHECK(layer(norm, x).equal(of_libtorch(reference, x)));
    }
    if (options.track_running_stats()) {
      CHECK(norm->running_mean.equal(reference->running_mean));
    }
    norm->eval();
    reference->eval();
    CHECK(layer(norm, x).equal(of_libtorch(reference, x)));
  }
  Norm norm(3);
  CHECK(layer(norm, x.slice(0, 0, 0)).sizes() == c10::IntArrayRef({0, 3, 5, 5}));
  // LibTorch asks the options at each call.
  torch::nn::BatchNorm2d reference(3);
  norm->options.track_running_stats(false);
  reference->options.track_running_stats(false);
  CHECK(layer(norm, x).equal(of_libtorch(reference, x)));
  CHECK(norm->running_mean.equal(reference->running_mean));
}

/// That gradients made to be differentiated again are those made otherwise, where the layer's input
/// depends on its own weight and bias.
template <class Norm>
void check_layer_used_twice(const auto& layer) {
  torch::manual_seed(9);
  auto norm = random_norm<Norm>(3);
  const auto x = torch::randn({4, 3, 5, 5}).contiguous(kChannelsLast).requires_grad_();
  const auto gradients = [&](bool create_graph) {
    return torch::autograd::grad({layer(norm, layer(norm, x)).square().sum()},
                                 {x, norm->weight, norm->bias}, {}, true, create_graph);
  };
  const std::vector<torch::Tensor> plain = gradients(false);
  const std::vector<torch::Tensor> to_differentiate = gradients(true);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    CHECK(to_differentiate[i].requires_grad());
    CHECK(near(to_differentiate[i], plain[i], 1e-3));
    CHECK(plain[i].abs().max().item<double>() > 0.1);
  }
}

/// That layer(norm, x) takes a gradient however it lies in memory.
template <class Norm>
void check_incoming_gradients(const auto& layer) {
  torch::manual_seed(6);
  Norm norm(norm_options(6));
  const auto images = torch::randn({3, 6, 4, 5}).contiguous(kChannelsLast);
  const auto dy = torch::randn({3, 6, 4, 5});
  const auto gradient = [&](const torch::Tensor& incoming) {
    const auto x = images.clone().requires_grad_();
    layer(norm, x).backward(incoming);
    return x.grad();
  };
  CHECK(gradient(dy).equal(gradient(dy.contiguous(kChannelsLast))));
  CHECK(gradient(torch::ones({1}).expand({3, 6, 4, 5})).equal(gradient(torch::ones_like(dy))));
}

}  // namespace regtorch::testing
