// Shape checks written as the shapes themselves: check("x", x, "... D", {DType::f32}).
#pragma once

#include <initializer_list>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/tensor.h"

namespace omni {

// Checks the arguments of one call of an op. A letter stands for a size and means the same wherever
// it occurs; a number means itself; a leading "..." stands for any axes, by their product.
// Throws std::invalid_argument with the op, the argument, its value and what was expected.
class Check {
 public:
  explicit Check(const char* op) : op_(op) {}

  void operator()(const char* argument, const Tensor& tensor, std::string_view spec,
                  std::initializer_list<DType> dtypes) {
    check_dtype(argument, tensor, dtypes);
    std::vector<std::string_view> names = split(spec);
    bool open = !names.empty() && names[0] == "...";
    int named = static_cast<int>(names.size()) - open;
    if (tensor.ndim < named || (!open && tensor.ndim != named)) fail(argument, tensor, spec);
    int leading = tensor.ndim - named;
    int64_t product = 1;
    for (int i = 0; i < leading; ++i) product *= tensor.shape[i];
    bool ok = !open || bind("...", product);
    for (int i = 0; i < named; ++i) ok &= bind(names[open + i], tensor.shape[leading + i]);
    if (!ok) fail(argument, tensor, spec);
  }

  // Says what size a letter stands for, where no argument's shape has it as it is.
  void let(std::string_view letter, int64_t size) {
    if (!bind(letter, size))
      require(false, std::string(letter) + " is " + std::to_string((*this)[letter]) +
                         ", expected " + std::to_string(size));
  }

  // The size that a letter was found to have.
  int64_t operator[](std::string_view letter) const {
    for (const auto& [known, size] : sizes_)
      if (known == letter) return size;
    throw std::logic_error("no size named " + std::string(letter));
  }

  void require(bool ok, const std::string& message) const {
    if (!ok) throw std::invalid_argument(std::string(op_) + ": " + message);
  }

 private:
  static std::vector<std::string_view> split(std::string_view spec) {
    std::vector<std::string_view> names;
    while (!spec.empty()) {
      size_t end = spec.find(' ');
      names.push_back(spec.substr(0, end));
      spec.remove_prefix(end == spec.npos ? spec.size() : end + 1);
    }
    return names;
  }

  bool bind(std::string_view letter, int64_t size) {
    if (letter[0] >= '0' && letter[0] <= '9') return std::stoll(std::string(letter)) == size;
    for (const auto& [known, bound] : sizes_)
      if (known == letter) return bound == size;
    sizes_.emplace_back(letter, size);
    return true;
  }

  void check_dtype(const char* argument, const Tensor& tensor,
                   std::initializer_list<DType> dtypes) const {
    std::string wanted;
    for (DType dtype : dtypes) {
      if (tensor.dtype == dtype) return;
      wanted += (wanted.empty() ? "" : " or ") + std::string(name(dtype));
    }
    require(false, std::string(argument) + " is " + name(tensor.dtype) + ", expected " + wanted);
  }

  [[noreturn]] void fail(const char* argument, const Tensor& tensor, std::string_view spec) const {
    std::ostringstream text;
    text << op_ << ": " << argument << " has shape [";
    for (int i = 0; i < tensor.ndim; ++i) text << (i ? ", " : "") << tensor.shape[i];
    text << "], expected [" << spec << "] where";
    for (const auto& [letter, size] : sizes_) text << " " << letter << "=" << size;
    throw std::invalid_argument(text.str());
  }

  const char* op_;
  std::vector<std::pair<std::string_view, int64_t>> sizes_;
};

}  // namespace omni
