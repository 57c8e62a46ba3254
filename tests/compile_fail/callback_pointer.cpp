// expect: a callback of Trainer::fit must be a class: pass the callback itself, no pointer

#include <regtorch/training/callback.hpp>

struct Callback {
  void on_epoch_end(regtorch::TrainingState&) {}
};

int main() { regtorch::check_callback<Callback*>(); }
