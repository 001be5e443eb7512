// Record once, replay anywhere: a list of kernel calls.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/parallel.h"

namespace omni {

// A step that runs again and again, on whatever device.
class Replay {
 public:
  virtual ~Replay() = default;
  virtual void run(Team& team) const = 0;
};

// Each call is a kernel and a copy of its argument block. The blocks hold addresses, so whoever
// records keeps the buffers alive and in place for as long as the plan may run.
class Plan : public Replay {
 public:
  // Makes `plan` the one that this thread records into, until destroyed. Recordings do not nest.
  class Recording {
   public:
    explicit Recording(Plan& plan);
    ~Recording();
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
  };

  explicit Plan(std::string name) : name_(std::move(name)) {}

  // The plan that this thread records into, or nullptr.
  static Plan* recording();

  template <class Args>
  void append(const char* name, void (*kernel)(const Args&, Team&), const Args& args) {
    static_assert(std::is_trivially_copyable_v<Args>);
    using Block = Bound<Args>;
    static_assert(alignof(Block) <= alignof(std::max_align_t));
    const Block block{kernel, args};
    append_block(name, &Block::call, &block, sizeof(Block));
  }

  // Runs every call in order; each kernel may use the team. No lock, no allocation.
  void run(Team& team) const override;

  const std::string& name() const { return name_; }
  size_t size() const { return calls_.size(); }
  std::vector<std::string> calls() const;  // the kernels' names, in order

 private:
  using Kernel = void (*)(const void* block, Team& team);

  template <class Args>
  struct Bound {
    void (*kernel)(const Args&, Team&);
    Args args;

    static void call(const void* block, Team& team) {
      const auto& bound = *static_cast<const Bound*>(block);
      bound.kernel(bound.args, team);
    }
  };

  struct alignas(std::max_align_t) Unit {
    std::byte bytes[alignof(std::max_align_t)];
  };

  struct Call {
    const char* name;
    Kernel kernel;
    size_t offset;  // of its block, in units
  };

  void append_block(const char* name, Kernel kernel, const void* block, size_t bytes);

  std::string name_;
  std::vector<Call> calls_;
  std::vector<Unit> blocks_;
};

}  // namespace omni
