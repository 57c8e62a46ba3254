#pragma once

#include <concepts>
#include <type_traits>

#include "regtorch/training/training_state.hpp"

/// Callbacks of Trainer::fit: any class that defines one or more of
///
///     void on_fit_begin(rt::TrainingState&);
///     void on_epoch_begin(rt::TrainingState&);
///     void on_batch_end(rt::TrainingState&);   // or bool: true stops the fit
///     void on_epoch_end(rt::TrainingState&);   // or bool: true stops the fit
///     void on_fit_end(rt::TrainingState&);
///
/// No base class, no virtual calls. Callbacks are called in the order in which they are given;
/// those that declare `static constexpr bool restores_weights = true` get on_fit_end after all
/// others, so that every other callback sees the last weights. A stop by one that declares
/// `static constexpr bool interrupts = true` is no end of the training: resumed, it goes on.
///
/// A callback with members `TensorDict state_dict() const` and
/// `void load_state_dict(const TensorDict&)` has its state in the Trainer's checkpoints. When a fit
/// is resumed, hooks for what has begun, on_fit_begin and in the midst of an epoch on_epoch_begin,
/// are called first, and the state is loaded over what they did.
namespace regtorch {

namespace detail {

// For each hook: is there a member of that name (`has_name`), can it be called (`callable`), and
// the call. A name is found by making it ambiguous, which also works for templates and overloads.
#define REGTORCH_DETAIL_HOOK(hook)                                             \
  struct hook##_hook {                                                         \
    struct Name {                                                              \
      void hook();                                                             \
    };                                                                         \
    template <class C>                                                         \
    struct Ambiguous : C, Name {};                                             \
    template <class C>                                                         \
    static constexpr bool has_name = !requires { &Ambiguous<C>::hook; };       \
    template <class C>                                                         \
    static constexpr bool callable =                                           \
        requires(C& callback, TrainingState& state) { callback.hook(state); }; \
    template <class C>                                                         \
    static auto call(C& callback, TrainingState& state) {                      \
      return callback.hook(state);                                             \
    }                                                                          \
  }
REGTORCH_DETAIL_HOOK(on_fit_begin);
REGTORCH_DETAIL_HOOK(on_epoch_begin);
REGTORCH_DETAIL_HOOK(on_batch_end);
REGTORCH_DETAIL_HOOK(on_epoch_end);
REGTORCH_DETAIL_HOOK(on_fit_end);
#undef REGTORCH_DETAIL_HOOK

/// Calls one hook of one callback, if it has it; true if the callback wants to stop.
template <class Hook, class Callback>
bool call_hook(Callback& callback, TrainingState& state) {
  if constexpr (Hook::template callable<Callback>) {
    if constexpr (std::same_as<decltype(Hook::call(callback, state)), bool>) {
      return Hook::call(callback, state);
    } else {
      Hook::call(callback, state);
    }
  }
  return false;
}

template <class Callback>
constexpr bool restores_weights() {
  if constexpr (requires { Callback::restores_weights; }) {
    return Callback::restores_weights;
  } else {
    return false;
  }
}

template <class Callback>
constexpr bool interrupts() {
  if constexpr (requires { Callback::interrupts; }) {
    return Callback::interrupts;
  } else {
    return false;
  }
}

}  // namespace detail

/// Fails to compile, saying why, if `Callback` has none of the hooks or one that cannot be called
/// with a TrainingState&.
template <class Callback>
constexpr void check_callback() {
  constexpr bool kInspectable = std::is_class_v<Callback> && !std::is_final_v<Callback>;
  static_assert(std::is_class_v<Callback>,
                "a callback of Trainer::fit must be a class: pass the callback itself, no pointer");
  static_assert(!std::is_final_v<Callback>, "a callback of Trainer::fit must not be a final class");
  if constexpr (kInspectable) {
    using namespace detail;
    static_assert(on_fit_begin_hook::has_name<Callback> ||
                      on_epoch_begin_hook::has_name<Callback> ||
                      on_batch_end_hook::has_name<Callback> ||
                      on_epoch_end_hook::has_name<Callback> || on_fit_end_hook::has_name<Callback>,
                  "a callback of Trainer::fit must have one of the hooks on_fit_begin, "
                  "on_epoch_begin, on_batch_end, on_epoch_end, on_fit_end (and batches must have "
                  "images and labels)");
#define REGTORCH_DETAIL_CHECK_HOOK(hook)                                             \
  static_assert(!hook##_hook::has_name<Callback> || hook##_hook::callable<Callback>, \
                "the hook " #hook " of a callback must be callable with regtorch::TrainingState&")
    REGTORCH_DETAIL_CHECK_HOOK(on_fit_begin);
    REGTORCH_DETAIL_CHECK_HOOK(on_epoch_begin);
    REGTORCH_DETAIL_CHECK_HOOK(on_batch_end);
    REGTORCH_DETAIL_CHECK_HOOK(on_epoch_end);
    REGTORCH_DETAIL_CHECK_HOOK(on_fit_end);
#undef REGTORCH_DETAIL_CHECK_HOOK
  }
}

}  // namespace regtorch
