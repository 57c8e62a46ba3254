// expect: the hook on_epoch_end of a callback must be callable with regtorch::TrainingState&

#include <regtorch/training/callback.hpp>

struct TakesTheEpoch {
  void on_fit_begin(regtorch::TrainingState&) {}
  void on_epoch_end(int) {}
};

int main() { regtorch::check_callback<TakesTheEpoch>(); }
