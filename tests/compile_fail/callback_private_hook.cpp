// expect: the hook on_batch_end of a callback must be callable with regtorch::TrainingState&

#include <regtorch/training/callback.hpp>

class ForgotPublic {
  bool on_batch_end(regtorch::TrainingState&) { return false; }
};

int main() { regtorch::check_callback<ForgotPublic>(); }
