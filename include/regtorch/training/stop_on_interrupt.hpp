#pragma once

#include <atomic>
#include <csignal>
#include <cstddef>

#include <c10/util/Exception.h>
#include <unistd.h>

#include "regtorch/training/training_state.hpp"

namespace regtorch {

/// Lets Ctrl-C (SIGINT) end a fit after the batch it is at, so that the program can save and report
/// what there is; a second Ctrl-C ends the program at once.
///
///     rt::StopOnInterrupt interrupt;
///     trainer.fit(batches, validation, stopper, interrupt);
///     save_and_report();
///     return interrupt.interrupted() ? rt::StopOnInterrupt::kExitCode : 0;
///
/// From its construction to its end it holds the process's SIGINT handler; the one there was comes
/// back afterwards. Where SIGINT is ignored, as in a program that nohup or a shell put into the
/// background, it stays ignored. One object at a time.
class StopOnInterrupt {
 public:
  /// What a shell calls the status of a program that Ctrl-C ended: 128 + SIGINT.
  static constexpr int kExitCode = 130;

  /// @throws c10::Error if another StopOnInterrupt is alive
  StopOnInterrupt() {
    TORCH_CHECK(!alive().exchange(true), "StopOnInterrupt: wanted one at a time, got a second");
    flag() = false;
    struct sigaction action = {};
    ::sigaction(SIGINT, nullptr, &before_);
    if (before_.sa_handler != SIG_IGN) {
      action.sa_handler = &StopOnInterrupt::handle;
      // The default action, which ends the program, is back before the handler runs. System calls
      // that were under way, such as the writing of a file, go on.
      action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
      ::sigaction(SIGINT, &action, nullptr);
    }
  }
  ~StopOnInterrupt() {
    ::sigaction(SIGINT, &before_, nullptr);
    alive() = false;
  }
  StopOnInterrupt(const StopOnInterrupt&) = delete;
  StopOnInterrupt& operator=(const StopOnInterrupt&) = delete;

  /// Whether Ctrl-C was pressed since the construction.
  bool interrupted() const { return flag(); }

  /// @{
  /// As a callback: what Trainer::fit calls. It interrupts: resumed, the training goes on.
  static constexpr bool interrupts = true;
  bool on_batch_end(TrainingState& /*state*/) { return interrupted(); }
  bool on_epoch_end(TrainingState& /*state*/) { return interrupted(); }
  /// @}

 private:
  static void handle(int /*signal*/) {
    flag() = true;
    static constexpr char kText[] =
        "\ninterrupted: ending after this batch; press Ctrl-C again to end at once\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kText, sizeof(kText) - 1);
  }

  // Functions, and initialised at compile time, so that the handler may use them.
  static std::atomic<bool>& flag() {
    static constinit std::atomic<bool> value = false;
    return value;
  }
  static std::atomic<bool>& alive() {
    static constinit std::atomic<bool> value = false;
    return value;
  }

  struct sigaction before_ = {};
};

}  // namespace regtorch
