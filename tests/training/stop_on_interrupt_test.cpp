#include "regtorch/training/stop_on_interrupt.hpp"

#include <csignal>
#include <cstdlib>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "catch.hpp"
#include "regtorch/training/trainer.hpp"
#include "toy.hpp"

namespace stop_on_interrupt_test {

using regtorch::testing::contains;
using regtorch::testing::error_of;
using regtorch::testing::toy_batches;
using regtorch::testing::toy_model;

namespace {

/// Presses Ctrl-C at a batch.
struct Interrupt {
  std::int64_t step;
  void on_batch_end(rt::TrainingState& state) {
    if (state.step == step) {
      std::raise(SIGINT);
    }
  }
};

/// How a child process that runs `body` ends.
template <class Body>
int status_of(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    // Not Catch2's handler, which would report a failed test; and of the child only what the kernel
    // says of its end matters.
    std::signal(SIGINT, SIG_DFL);
    ::close(STDERR_FILENO);
    body();
    std::_Exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

using Handler = void (*)(int);

Handler current_handler() {
  struct sigaction action = {};
  ::sigaction(SIGINT, nullptr, &action);
  return action.sa_handler;
}

}  // namespace

TEST_CASE("Ctrl-C ends the fit after the batch, and the weights are those of then", "[training]") {
  const auto batches = toy_batches(64, 10, 1);
  torch::nn::CrossEntropyLoss criterion;
  const auto fit = [&](auto&&... callbacks) {
    auto model = toy_model();
    torch::optim::SGD optimizer(model->parameters(), 0.1);
    torch::manual_seed(1);
    rt::Trainer trainer(model, optimizer, criterion, rt::TrainerOptions().epochs(5));
    const auto history = trainer.fit(batches, batches, callbacks...);
    return std::pair(history.epochs.size(), model->parameters()[0].clone());
  };
  struct StopAt {
    bool on_batch_end(rt::TrainingState& state) { return state.step == 9; }
  };
  const auto handler = current_handler();
  const auto [epochs, weights] = [&] {
    rt::StopOnInterrupt interrupt;
    const auto result = fit(Interrupt{9}, interrupt);
    CHECK(interrupt.interrupted());
    return result;
  }();
  CHECK(current_handler() == handler);
  CHECK(epochs == 1);
  CHECK(weights.equal(fit(StopAt()).second));

  // Without Ctrl-C it does nothing, nor does the last one's flag stay.
  CHECK(fit(rt::StopOnInterrupt()).first == 5);
}

TEST_CASE("Ctrl-C after the last batch of an epoch leaves the epoch whole", "[training]") {
  const auto batches = toy_batches(64, 10, 1);
  auto model = toy_model();
  torch::optim::SGD optimizer(model->parameters(), 0.1);
  rt::Trainer trainer(model, optimizer, torch::nn::CrossEntropyLoss(),
                      rt::TrainerOptions().epochs(5));
  CHECK(trainer.fit(batches, Interrupt{14}, rt::StopOnInterrupt()).epochs.size() == 2);
}

TEST_CASE("a second Ctrl-C ends the program at once", "[training]") {
  const int once = status_of([] {
    rt::StopOnInterrupt interrupt;
    std::raise(SIGINT);
    std::_Exit(interrupt.interrupted() ? rt::StopOnInterrupt::kExitCode : 1);
  });
  CHECK((WIFEXITED(once) && WEXITSTATUS(once) == 130));
  const int twice = status_of([] {
    rt::StopOnInterrupt interrupt;
    std::raise(SIGINT);
    std::raise(SIGINT);
  });
  CHECK((WIFSIGNALED(twice) && WTERMSIG(twice) == SIGINT));
  // As it does when no StopOnInterrupt is alive any more.
  const int after = status_of([] {
    { const rt::StopOnInterrupt interrupt; }
    std::raise(SIGINT);
  });
  CHECK((WIFSIGNALED(after) && WTERMSIG(after) == SIGINT));
}

TEST_CASE("an ignored SIGINT stays ignored", "[training]") {
  const int status = status_of([] {
    std::signal(SIGINT, SIG_IGN);
    const rt::StopOnInterrupt interrupt;
    std::raise(SIGINT);
    std::raise(SIGINT);
    std::_Exit(interrupt.interrupted() ? 1 : 7);
  });
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 7));
}

TEST_CASE("there is one StopOnInterrupt at a time", "[training]") {
  const rt::StopOnInterrupt first;
  CHECK(contains(error_of([] { rt::StopOnInterrupt second; }), "wanted one at a time"));
}

}  // namespace stop_on_interrupt_test
