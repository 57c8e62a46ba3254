#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <c10/util/Exception.h>

namespace regtorch {

/// Named numbers, in the order in which they were first set: what an epoch measured.
class Metrics {
 public:
  /// Sets the metric `name`, adding it if it is new.
  void set(const std::string& name, double value) {
    if (const auto* entry = find(name)) {
      entries_[static_cast<std::size_t>(entry - entries_.data())].second = value;
    } else {
      entries_.emplace_back(name, value);
    }
  }
  /// Whether there is a value by this name.
  bool contains(const std::string& name) const { return find(name) != nullptr; }
  /// The metric's value.
  /// @throws c10::ValueError if there is none of that name; the message lists those there are
  double at(const std::string& name) const {
    const auto* entry = find(name);
    if (entry == nullptr) {
      std::string known;
      for (const auto& [other, value] : entries_) {
        known += (known.empty() ? "" : ", ") + other;
      }
      TORCH_CHECK_VALUE(false, "Metrics: wanted one of [", known, "], got '", name, "'");
    }
    return entry->second;
  }

  /// @{
  /// The pairs of name and value, in the order in which they were set first.
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  /// @}

 private:
  using Entry = std::pair<std::string, double>;

  const Entry* find(const std::string& name) const {
    const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& e) { return e.first == name; });
    return entry == entries_.end() ? nullptr : &*entry;
  }

  std::vector<Entry> entries_;
};

}  // namespace regtorch
