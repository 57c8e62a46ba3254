// Kills a training with SIGKILL, 50 times at a random moment, and resumes it: the resumed run must
// end with the files of a run that nobody killed, byte for byte.
//
//     kill_and_resume
//
// Half of the kills come from outside, after a random time; half from inside, in the midst of a
// system call by which a file is being written: the functions that make these calls are replaced
// below. Runs are forked from a process that has LibTorch loaded but never used, so that none waits
// for it to load.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <thread>

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <torch/torch.h>
#include <unistd.h>

#include "regtorch/regtorch.hpp"
#include "temporary_folder.hpp"

namespace fs = std::filesystem;
namespace rt = regtorch;

namespace {

// In a child: the system calls for files that are left before it kills itself; 0: it never does.
std::atomic<std::int64_t> calls_left = 0;
std::atomic<std::int64_t> calls_made = 0;

/// Whether the call that is about to be made is the last one.
bool dies_in_this_call() {
  ++calls_made;
  return calls_left > 0 && --calls_left == 0;
}
void die() { ::kill(::getpid(), SIGKILL); }

}  // namespace

// The program's own functions come before the C library's, for LibTorch too.
extern "C" ssize_t write(int file, const void* data, std::size_t size) {
  const bool dies = dies_in_this_call();
  const ssize_t written = ::syscall(SYS_write, file, data, dies ? size / 2 : size);
  if (dies) {
    die();
  }
  return written;
}
extern "C" int fsync(int file) {
  if (dies_in_this_call()) {
    die();
  }
  return static_cast<int>(::syscall(SYS_fsync, file));
}
extern "C" int rename(const char* from, const char* to) noexcept {
  if (dies_in_this_call()) {
    die();
  }
  return static_cast<int>(::syscall(SYS_rename, from, to));
}

namespace {

/// The program that is killed. It resumes if there is something to resume, and at its end writes
/// what it came to.
void train(const fs::path& folder) {
  torch::manual_seed(1);
  const rt::data::SyntheticImages images(
      rt::data::SyntheticImagesOptions(192).num_classes(10).seed(3));
  const auto parts = rt::data::random_split(images, {128, 64}, 0);
  const rt::transforms::Normalize normalize({0.5, 0.5, 0.5}, {0.5, 0.5, 0.5});
  rt::data::Batches batches(
      parts[0],
      rt::transforms::Pipeline{rt::transforms::RandomCrop(32, 4),
                               rt::transforms::RandomHorizontalFlip(), normalize},
      rt::data::BatchesOptions(16).shuffle(true));
  rt::data::Batches validation(parts[1], rt::transforms::Pipeline{normalize},
                               rt::data::BatchesOptions(32));
  torch::nn::Sequential model(torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 8, 3).stride(2)),
                              torch::nn::BatchNorm2d(8), torch::nn::ReLU(), torch::nn::Flatten(),
                              torch::nn::Dropout(0.3), torch::nn::Linear(8 * 15 * 15, 10));
  rt::FusedAdam optimizer(model->parameters(), torch::optim::AdamOptions(1e-3));
  const std::int64_t epochs = 5;
  rt::OneCycleLR schedule(optimizer, rt::OneCycleLROptions(1e-2, epochs * batches.size()));
  const auto checkpoint = folder / "training.pt";
  rt::Trainer trainer(model, optimizer,
                      rt::LabelSmoothingLoss(rt::LabelSmoothingLossOptions(10).smoothing(0.2)),
                      rt::TrainerOptions().epochs(epochs).checkpoint(
                          rt::TrainingCheckpointOptions(checkpoint).every_n_batches(2)));
  trainer.disturb_labels(rt::DisturbLabel(30, 10));
  rt::EarlyStopping stopper(
      rt::EarlyStoppingOptions().patience(std::nullopt).restore_best_weights(true));
  if (fs::exists(checkpoint)) {
    trainer.resume(checkpoint);
  }
  trainer.fit(batches, validation, stopper, rt::ModelCheckpoint(folder / "best.pt"),
              rt::ScheduleByStep(schedule));
  rt::TensorDict outcome = model->named_parameters();
  outcome.update(model->named_buffers());
  for (const char* metric : {"train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr"}) {
    outcome.insert(metric, torch::tensor(trainer.history().metric(metric), torch::kDouble));
  }
  outcome.insert("next_random", torch::rand({1}));
  rt::save_state_dict(outcome, folder / "outcome.pt");
}

/// Forks a run.
/// @param calls  it kills itself in this system call for a file, counted from 1; 0: in none
pid_t start(const fs::path& folder, std::int64_t calls = 0) {
  const pid_t child = ::fork();
  if (child != 0) {
    return child;
  }
  calls_made = 0;
  calls_left = calls;
  try {
    train(folder);
    std::ofstream(folder / "calls") << calls_made;
    std::_Exit(0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::_Exit(1);
  }
}

/// Waits for a run's end; true if it was killed.
bool was_killed(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
    return true;
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::fprintf(stderr, "a run failed (status %d)\n", status);
    std::exit(1);
  }
  return false;
}

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main() {
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::duration<double, std::milli>;
  constexpr int kKills = 50;

  const regtorch::testing::TemporaryFolder whole;
  const auto begin = Clock::now();
  if (was_killed(start(whole.path))) {
    return 1;
  }
  const double time = Milliseconds(Clock::now() - begin).count();
  const std::int64_t calls = std::stoll(contents(whole.path / "calls"));
  std::printf("a whole run takes %.0f ms and %lld system calls for files\n", time,
              static_cast<long long>(calls));

  std::mt19937_64 random(20261126);
  int kills = 0;
  int with_checkpoint = 0;
  for (int attempt = 0; kills < kKills; ++attempt) {
    if (attempt == 4 * kKills) {
      std::printf("only %d of %d runs could be killed\n", kills, attempt);
      return 1;
    }
    const regtorch::testing::TemporaryFolder folder;
    bool killed = false;
    std::string moment;
    if (kills % 2 == 0) {
      const double after = std::uniform_real_distribution<>(0, time)(random);
      const pid_t child = start(folder.path);
      std::this_thread::sleep_for(Milliseconds(after));
      ::kill(child, SIGKILL);
      killed = was_killed(child);
      moment = "after " + std::to_string(after) + " ms";
    } else {
      const auto call = std::uniform_int_distribution<std::int64_t>(1, calls)(random);
      killed = was_killed(start(folder.path, call));
      moment = "in system call " + std::to_string(call);
    }
    if (!killed) {
      continue;  // it was at its end already
    }
    ++kills;
    with_checkpoint += fs::exists(folder.path / "training.pt") ? 1 : 0;
    if (was_killed(start(folder.path))) {
      return 1;
    }
    for (const char* name : {"outcome.pt", "best.pt"}) {
      if (contents(folder.path / name) != contents(whole.path / name)) {
        std::printf("killed %s, resumed: %s differs\n", moment.c_str(), name);
        return 1;
      }
    }
  }
  std::printf("%d runs killed, %d of them with a checkpoint to resume, all ended alike\n", kills,
              with_checkpoint);
  return with_checkpoint >= kKills / 2 ? 0 : 1;
}
