// The control: what is right must compile.

#include <regtorch/training/callback.hpp>

using regtorch::TrainingState;

struct Plain {
  void on_fit_begin(TrainingState&) {}
  void on_epoch_begin(const TrainingState&) {}
  bool on_batch_end(TrainingState&) { return false; }
  bool on_epoch_end(TrainingState& state) { return state.epoch > 3; }
  void on_fit_end(TrainingState&) {}
};

// As EarlyStopping has them.
struct Templates {
  static constexpr bool restores_weights = true;
  template <class State>
  bool on_epoch_end(State&) {
    return true;
  }
  template <class State>
  void on_fit_end(State&) {}
};

struct Overloads {
  void on_epoch_end(int) {}
  void on_epoch_end(TrainingState&) const {}
};

struct Inherits : Plain {};

int main() {
  regtorch::check_callback<Plain>();
  regtorch::check_callback<Templates>();
  regtorch::check_callback<Overloads>();
  regtorch::check_callback<const Overloads>();
  regtorch::check_callback<Inherits>();
}
