// expect: a callback of Trainer::fit must not be a final class

#include <regtorch/training/callback.hpp>

struct Final final {
  void on_epoch_end(regtorch::TrainingState&) {}
};

int main() { regtorch::check_callback<Final>(); }
