#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "regtorch/kernels/device_arrays.hpp"

namespace regtorch::detail {

/// Parameters on devices that are to be stepped: those of one device and one rule by one call.
template <class Rule>
class DeviceSteps {
 public:
  void add(int device, const Rule& rule, const kernels::StepArrays& arrays) {
    // The last one first: parameters of one group have one rule, unless some began later.
    auto group = std::find_if(groups_.rbegin(), groups_.rend(), [&](const Group& other) {
      return other.device == device && other.rule == rule;
    });
    if (group == groups_.rend()) {
      groups_.push_back({device, rule, {}});
      group = groups_.rbegin();
    }
    group->arrays.push_back(arrays);
  }

  /// @param step  of kernels::DeviceKernels
  template <class Step>
  void run(const Step& step) const {
    for (const Group& group : groups_) {
      step(group.device, group.arrays.data(), static_cast<std::int64_t>(group.arrays.size()),
           group.rule);
    }
  }

 private:
  struct Group {
    int device;
    Rule rule;
    std::vector<kernels::StepArrays> arrays;
  };

  std::vector<Group> groups_;
};

}  // namespace regtorch::detail
