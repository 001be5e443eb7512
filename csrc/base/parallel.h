// The one thread pool of the process, shared by every lane.
#pragma once

#include <memory>
#include <type_traits>

namespace omni {

struct Region;

// How many cores the callers of Team::run and their helpers use together. The default is every core
// of the machine. May be called at any time; regions that run meanwhile are finished by their
// caller.
void set_cores(int cores);
int cores();

// One caller's handle to the pool. Not thread-safe: one region at a time. A lane that runs alone is
// helped by all cores; lanes that run together have equal parts of them, and what one of them does
// not use is lent. A process may hold many teams, but only the first 64 are helped.
class Team {
 public:
  // Counts the caller as busy for a whole series of regions, so that helpers are not moved to
  // another lane in the gaps between them.
  class Active {
   public:
    explicit Active(Team& team);
    ~Active();
    Active(const Active&) = delete;
    Active& operator=(const Active&) = delete;

   private:
    Team& team_;
  };

  Team();
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int cores() const { return omni::cores(); }

  // Calls f(chunk) once for every chunk in [0, chunks), on the caller and on free workers, and
  // returns when all are done. Chunks are claimed one by one, so they may differ in cost.
  // An f that throws ends the process. chunks < 2^31.
  template <class F>
  void run(int chunks, F&& f) {
    using Function = std::remove_reference_t<F>;
    fork_join(
        chunks,
        [](void* context, int chunk) noexcept { (*static_cast<Function*>(context))(chunk); },
        const_cast<void*>(static_cast<const void*>(std::addressof(f))));
  }

 private:
  void fork_join(int chunks, void (*call)(void*, int), void* context);

  Region* region_;
  int active_ = 0;  // nesting depth of Active
};

}  // namespace omni
