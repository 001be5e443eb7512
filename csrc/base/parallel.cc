#include "base/parallel.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace omni {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRegions = 64;
constexpr auto kSpin = std::chrono::microseconds(40);  // about the cost of one wake-up
constexpr unsigned kPollsPerClock = 64;
constexpr int kPausesBeforeYield = 20000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

constexpr uint64_t pack(int chunks) { return static_cast<uint64_t>(chunks) << 32; }
constexpr int next_chunk(uint64_t work) { return static_cast<int>(work & 0xffffffffu); }
constexpr bool claimable(uint64_t work) { return (work & 0xffffffffu) < (work >> 32); }

}  // namespace

// `work` holds the number of chunks (high half) and the next free one (low half) in one word: a
// claim and the proof that it belongs to the region that is open now are one atomic addition.
// `call` and `context` are read after a valid claim only, and replaced when none is pending only.
struct alignas(64) Region {
  std::atomic<bool> taken{false};
  std::atomic<uint64_t> work{0};
  std::atomic<int> pending{0};
  std::atomic<int> helpers{0};  // workers that claim its chunks
  void (*call)(void*, int) = nullptr;
  void* context = nullptr;

  bool is_open() const { return claimable(work.load()); }

  void open(int chunks, void (*function)(void*, int), void* argument) {
    call = function;
    context = argument;
    pending.store(chunks, std::memory_order_relaxed);
    work.store(pack(chunks));
  }

  template <class Stay>
  void help(Stay stay) {
    int done = 0;
    while (claimable(work.load(std::memory_order_relaxed)) && stay()) {
      const uint64_t claim = work.fetch_add(1);
      if (!claimable(claim)) break;
      call(context, next_chunk(claim));
      ++done;
    }
    if (done > 0) pending.fetch_sub(done, std::memory_order_release);
  }

  void wait() const {
    for (int pauses = 0; pending.load(std::memory_order_acquire) > 0; ++pauses) {
      pauses < kPausesBeforeYield ? pause() : std::this_thread::yield();
    }
  }
};

namespace {

// `busy` counts the active callers and the workers that are awake, spinning or helping. Callers
// always enter; workers enter only below `cores` and leave, between two chunks, when above it.
//
// Callers have equal shares of the workers. A worker goes where a share is not used up; where all
// are, it waits for as long as it would spin, since the next region of a caller with short ones is
// about to open, and only then lends itself to any, until a share is free.
class Pool {
 public:
  // Never destroyed: a thread may still hold a Team when the process exits.
  static Pool& instance() {
    static Pool& pool = *new Pool;
    return pool;
  }

  int cores() const { return cores_.load(std::memory_order_relaxed); }
  void set_cores(int cores);
  Region* take_region();
  void enter();
  void leave();
  void wake_workers(int chunks);

 private:
  void start();
  void stop();
  void work(int index);
  bool sleep(int index);
  void stay_awake(int index);
  void assist(int index, Region& region);
  int share() const;
  template <class Wanted>
  Region* find(int index, Wanted wanted);
  Region* find_open(int index);
  Region* find_short(int index);
  bool join_in();
  bool crowded_out();

  std::array<Region, kRegions> regions_;
  std::atomic<int> used_{0};  // regions that were ever taken
  std::atomic<int> cores_{std::max(1, static_cast<int>(std::thread::hardware_concurrency()))};
  alignas(64) std::atomic<int> busy_{0};
  std::atomic<int> callers_{0};
  alignas(64) std::atomic<int> sleeping_{0};
  std::atomic<bool> started_{false};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  // of wake_
  std::condition_variable wake_;
  std::mutex lifecycle_;  // of workers_
  std::vector<std::thread> workers_;
};

void Pool::set_cores(int cores) {
  if (cores < 1) {
    throw std::invalid_argument("cores=" + std::to_string(cores) + ": use 1 or more");
  }
  std::lock_guard lock(lifecycle_);
  if (cores == this->cores()) return;
  stop();
  cores_ = cores;
}

Region* Pool::take_region() {
  for (int i = 0; i < kRegions; ++i) {
    if (regions_[i].taken.exchange(true)) continue;
    int used = used_.load();
    while (used <= i && !used_.compare_exchange_weak(used, i + 1)) {
    }
    return &regions_[i];
  }
  return nullptr;
}

void Pool::enter() {
  callers_.fetch_add(1);
  busy_.fetch_add(1);
}

void Pool::leave() {
  busy_.fetch_sub(1);
  callers_.fetch_sub(1);
}

void Pool::wake_workers(int chunks) {
  if (!started_.load(std::memory_order_acquire)) start();
  if (sleeping_.load() == 0) return;
  const int wanted = std::min(chunks - 1, cores() - busy_.load());
  if (wanted <= 0) return;
  {
    std::lock_guard lock(mutex_);
  }  // a worker that is about to sleep has seen the region, or waits
  for (int i = 0; i < wanted; ++i) wake_.notify_one();
}

void Pool::start() {
  std::lock_guard lock(lifecycle_);
  if (started_) return;
  try {
    for (int i = 1; i < cores(); ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error&) {
    // The limit of threads is reached. Those that started do; a region that is open cannot throw.
  }
  started_.store(true, std::memory_order_release);
}

void Pool::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  stop_ = false;
  started_ = false;
}

void Pool::work(int index) {
  while (sleep(index)) stay_awake(index);
}

bool Pool::sleep(int index) {
  std::unique_lock lock(mutex_);
  sleeping_.fetch_add(1);
  wake_.wait(lock, [&] { return stop_ || (find_open(index) != nullptr && join_in()); });
  sleeping_.fetch_sub(1);
  return !stop_;
}

void Pool::stay_awake(int index) {
  auto last_work = Clock::now();
  for (unsigned poll = 1; !stop_.load(std::memory_order_relaxed); ++poll) {
    if (crowded_out()) return;
    Region* region = find_short(index);
    const bool patient = poll % kPollsPerClock != 0 || Clock::now() - last_work <= kSpin;
    if (region == nullptr && !patient) {
      region = find_open(index);
      if (region == nullptr) break;
    }
    if (region == nullptr) {
      pause();
      continue;
    }
    assist(index, *region);
    last_work = Clock::now();
  }
  busy_.fetch_sub(1);
}

void Pool::assist(int index, Region& region) {
  region.helpers.fetch_add(1);
  region.help([&] {
    return busy_.load(std::memory_order_relaxed) <= cores() &&
           (region.helpers.load(std::memory_order_relaxed) <= share() ||
            find_short(index) == nullptr);
  });
  region.helpers.fetch_sub(1);
}

// The workers that one caller may have while another has fewer.
int Pool::share() const {
  const int callers = std::max(1, callers_.load(std::memory_order_relaxed));
  return std::max(1, (cores() - 1) / callers);
}

template <class Wanted>
Region* Pool::find(int index, Wanted wanted) {
  const int used = used_.load();
  for (int i = 0; i < used; ++i) {
    Region& region = regions_[(index + i) % used];
    if (region.is_open() && wanted(region)) return &region;
  }
  return nullptr;
}

Region* Pool::find_open(int index) {
  return find(index, [](const Region&) { return true; });
}

// A region that has not got its share.
Region* Pool::find_short(int index) {
  return find(index, [this](const Region& region) {
    return region.helpers.load(std::memory_order_relaxed) < share();
  });
}

bool Pool::join_in() {
  int busy = busy_.load();
  while (busy < cores()) {
    if (busy_.compare_exchange_weak(busy, busy + 1)) return true;
  }
  return false;
}

bool Pool::crowded_out() {
  int busy = busy_.load(std::memory_order_relaxed);
  while (busy > cores()) {
    if (busy_.compare_exchange_weak(busy, busy - 1)) return true;
  }
  return false;
}

}  // namespace

void set_cores(int cores) { Pool::instance().set_cores(cores); }
int cores() { return Pool::instance().cores(); }

Team::Active::Active(Team& team) : team_(team) {
  if (team_.active_++ == 0) Pool::instance().enter();
}

Team::Active::~Active() {
  if (--team_.active_ == 0) Pool::instance().leave();
}

Team::Team() : region_(Pool::instance().take_region()) {}

Team::~Team() {
  if (region_ != nullptr) region_->taken = false;
}

void Team::fork_join(int chunks, void (*call)(void*, int), void* context) {
  Active active(*this);
  if (chunks <= 1 || region_ == nullptr || cores() == 1) {
    for (int chunk = 0; chunk < chunks; ++chunk) call(context, chunk);
    return;
  }
  region_->open(chunks, call, context);
  Pool::instance().wake_workers(chunks);
  region_->help([] { return true; });
  region_->wait();
}

}  // namespace omni
