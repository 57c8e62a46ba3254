#include "regtorch/training/callback.hpp"

#include "catch.hpp"
#include "regtorch/stopping/early_stopping.hpp"

namespace callback_test {

// What must not compile is in tests/compile_fail.

namespace {

struct OneHook {
  void on_epoch_begin(rt::TrainingState&) {}
};
struct ConstHook {
  void on_fit_end(const rt::TrainingState&) const {}
};
struct Overloaded {
  void on_batch_end(int) {}
  bool on_batch_end(rt::TrainingState&) { return true; }
};
struct Restoring : OneHook {
  static constexpr bool restores_weights = true;
};

}  // namespace

TEST_CASE("hooks are found in classes, overloads, templates and bases", "[training]") {
  using namespace regtorch::detail;
  rt::check_callback<OneHook>();
  rt::check_callback<ConstHook>();
  rt::check_callback<Overloaded>();
  rt::check_callback<Restoring>();
  rt::check_callback<rt::EarlyStopping>();
  CHECK(on_epoch_begin_hook::callable<Restoring>);
  CHECK_FALSE(on_epoch_end_hook::has_name<OneHook>);
  CHECK(on_epoch_end_hook::has_name<rt::EarlyStopping>);
  CHECK(on_batch_end_hook::callable<Overloaded>);
  CHECK(restores_weights<rt::EarlyStopping>());
  CHECK(restores_weights<Restoring>());
  CHECK_FALSE(restores_weights<OneHook>());
}

}  // namespace callback_test
