// expect: a callback of Trainer::fit must have one of the hooks on_fit_begin, on_epoch_begin,

#include <regtorch/training/callback.hpp>

struct Misspelled {
  void on_epoch_ended(regtorch::TrainingState&) {}
};

int main() { regtorch::check_callback<Misspelled>(); }
