#include "runtime/plan.h"

#include <cstring>
#include <stdexcept>

namespace omni {
namespace {

thread_local Plan* current = nullptr;

}  // namespace

Plan::Recording::Recording(Plan& plan) {
  if (current != nullptr) {
    throw std::logic_error("cannot record plan '" + plan.name() + "': this thread records '" +
                           current->name() + "' already");
  }
  current = &plan;
}

Plan::Recording::~Recording() { current = nullptr; }

Plan* Plan::recording() { return current; }

void Plan::append_block(const char* name, Kernel kernel, const void* block, size_t bytes) {
  const size_t offset = blocks_.size();
  blocks_.resize(offset + (bytes + sizeof(Unit) - 1) / sizeof(Unit));
  std::memcpy(&blocks_[offset], block, bytes);
  calls_.push_back({name, kernel, offset});
}

void Plan::run(Team& team) const {
  const Team::Active active(team);
  for (const Call& call : calls_) call.kernel(&blocks_[call.offset], team);
}

std::vector<std::string> Plan::calls() const {
  std::vector<std::string> names;
  for (const Call& call : calls_) names.emplace_back(call.name);
  return names;
}

}  // namespace omni
