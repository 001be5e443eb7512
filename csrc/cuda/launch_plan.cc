#include "cuda/launch_plan.h"

namespace omni::cuda {

void LaunchPlan::append(const Kernel& kernel, Grid grid, const std::vector<std::byte>& arguments) {
  launches_.push_back({&kernel, grid, arguments});
}

void LaunchPlan::run(const Stream& stream) const {
  for (const Launch& one : launches_)
    launch(*one.kernel, one.grid, one.arguments.data(), one.arguments.size(), stream);
}

std::vector<std::string> LaunchPlan::calls() const {
  std::vector<std::string> names;
  for (const Launch& one : launches_) names.push_back(one.kernel->info().name);
  return names;
}

Graph::Graph(const LaunchPlan& plan, const Stream& stream) {
  GraphHandle captured = nullptr;
  driver().cuStreamBeginCapture(stream.get(), kCaptureThreadLocal);
  try {
    plan.run(stream);
  } catch (...) {
    driver().cuStreamEndCapture.quietly(stream.get(), &captured);
    const Handle<GraphHandle, &Driver::cuGraphDestroy> dropped(captured);
    throw;
  }
  driver().cuStreamEndCapture(stream.get(), &captured);
  const Handle<GraphHandle, &Driver::cuGraphDestroy> graph(captured);
  GraphExec exec = nullptr;
  driver().cuGraphInstantiate(&exec, graph.get(), 0);
  exec_ = Handle<GraphExec, &Driver::cuGraphExecDestroy>(exec);
}

void Graph::launch(const Stream& stream) const {
  driver().cuGraphLaunch(exec_.get(), stream.get());
}

}  // namespace omni::cuda
