// Record once, replay anywhere, on a GPU: a list of launches, and the graph made of it.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "cuda/kernel.h"

namespace omni::cuda {

// As Plan, for kernels of the device. Whoever records keeps kernels and buffers alive and in place.
class LaunchPlan {
 public:
  explicit LaunchPlan(std::string name) : name_(std::move(name)) {}

  void append(const Kernel& kernel, Grid grid, const std::vector<std::byte>& arguments);

  // Starts every launch in order.
  void run(const Stream& stream) const;

  const std::string& name() const { return name_; }
  size_t size() const { return launches_.size(); }
  std::vector<std::string> calls() const;  // the kernels' names, in order

 private:
  struct Launch {
    const Kernel* kernel;
    Grid grid;
    std::vector<std::byte> arguments;
  };

  std::string name_;
  std::vector<Launch> launches_;
};

// A plan that the driver knows as a whole: one call starts all of it.
class Graph {
 public:
  // Captures the plan on this stream. Nothing runs.
  Graph(const LaunchPlan& plan, const Stream& stream);
  void launch(const Stream& stream) const;

 private:
  Handle<GraphExec, &Driver::cuGraphExecDestroy> exec_;
};

}  // namespace omni::cuda
