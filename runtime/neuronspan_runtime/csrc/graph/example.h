// Running a model on its example again and again: the same inputs and the same random numbers each time.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <mutex>
#include <vector>

namespace neuronspan {

// Every rewind makes the CPU's random numbers the same again; so does the end.
class SameRandomNumbers {
 public:
  SameRandomNumbers() : generator_(at::detail::getDefaultCPUGenerator()) {
    const std::lock_guard<std::mutex> lock(generator_.mutex());
    state_ = generator_.get_state();
  }
  SameRandomNumbers(const SameRandomNumbers&) = delete;
  SameRandomNumbers& operator=(const SameRandomNumbers&) = delete;
  ~SameRandomNumbers() { rewind(); }

  void rewind() {
    const std::lock_guard<std::mutex> lock(generator_.mutex());
    generator_.set_state(state_);
  }

 private:
  at::Generator generator_;
  at::Tensor state_;
};

// The model may change its inputs.
inline std::vector<c10::IValue> copies_of(const std::vector<at::Tensor>& tensors) {
  std::vector<c10::IValue> copies;
  for (const at::Tensor& tensor : tensors) copies.emplace_back(tensor.detach().clone());
  return copies;
}

}  // namespace neuronspan
