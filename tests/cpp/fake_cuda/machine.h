// The fake driver's insides: streams, events, graphs, and what goes wrong on purpose.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "control.h"
#include "cuda/abi.h"

namespace fake {

using omni::cuda::Result;

constexpr Result kInvalidValue = 1, kOutOfMemory = 2, kNotInitialized = 3, kNoDevice = 100,
                 kInvalidImage = 200, kInvalidContext = 201, kNotFound = 500,
                 kCaptureUnsupported = 900;

class Event {
 public:
  explicit Event(int id) : id(id) {}

  unsigned next_ticket();  // of a record that a stream was asked for
  unsigned last_ticket();
  void reach(unsigned ticket);
  void wait(unsigned ticket);

  const int id;

 private:
  std::mutex mutex_;
  std::condition_variable reached_;
  unsigned asked_ = 0, done_ = 0;
};

struct Work {
  FakeWork kind;
  std::function<Result()> run;
  std::shared_ptr<Event> event = nullptr;
  unsigned ticket = 0;
  std::string kernel = {};
};

using Sequence = std::vector<Work>;

class Stream {
 public:
  explicit Stream(int id);
  ~Stream();

  void push(Sequence work);
  void synchronize();

  const int id;
  std::unique_ptr<Sequence> captured;  // while it captures; one host thread uses a stream at a time

 private:
  void serve();
  void perform(const Work& work);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  bool busy_ = false, stop_ = false;
  std::minstd_rand random_;
  unsigned seed_ = 0;
  std::thread thread_;
};

struct Kernel {
  FakeKernel function;
  void* context;
};

struct Failure {
  Result result;
  int after;
};

// The whole device. One lock for what is rare; streams and events have their own.
class Machine {
 public:
  static Machine& instance();

  void read_environment();
  // Counts a call of `where` and says how it goes.
  Result call(const std::string& where);
  void break_with(Result result) { broken.store(result); }
  void log(const Work& work, int stream);
  void reset();

  std::atomic<Result> broken{0};
  std::atomic<bool> initialized{false}, ignore_waits{false};
  std::atomic<unsigned> seed{0}, most_delay{0};
  std::atomic<int> streams{0}, events{0};

  std::mutex mutex;  // of the rest
  int devices = 1;
  size_t total = 0, used = 0;
  std::map<uint64_t, size_t> allocations;
  std::map<std::string, Kernel> kernels;
  std::map<std::string, Failure> failures;
  std::vector<FakeEntry> entries;
  std::set<std::string> names;  // that entries point to
};

}  // namespace fake
