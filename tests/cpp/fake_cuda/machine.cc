#include "machine.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace fake {
namespace {

constexpr size_t kMemory = size_t{1} << 33;

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value ? value : otherwise;
}

}  // namespace

unsigned Event::next_ticket() {
  std::lock_guard lock(mutex_);
  return ++asked_;
}

unsigned Event::last_ticket() {
  std::lock_guard lock(mutex_);
  return asked_;
}

void Event::reach(unsigned ticket) {
  std::lock_guard lock(mutex_);
  done_ = std::max(done_, ticket);
  reached_.notify_all();
}

void Event::wait(unsigned ticket) {
  std::unique_lock lock(mutex_);
  reached_.wait(lock, [&] { return done_ >= ticket; });
}

Stream::Stream(int id) : id(id), thread_([this] { serve(); }) {}

Stream::~Stream() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void Stream::push(Sequence work) {
  if (captured) {
    for (Work& one : work) captured->push_back(std::move(one));
    return;
  }
  std::lock_guard lock(mutex_);
  for (Work& one : work) queue_.push_back(std::move(one));
  changed_.notify_all();
}

void Stream::synchronize() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && !busy_; });
}

void Stream::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const Work work = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    perform(work);
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

// A broken device does nothing any more, but nobody waits for it in vain.
void Stream::perform(const Work& work) {
  Machine& machine = Machine::instance();
  if (const unsigned most = machine.most_delay; most > 0) {
    if (seed_ != machine.seed) random_.seed((seed_ = machine.seed) * 31 + id);
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % (most + 1)));
  }
  if (machine.broken == 0 || work.kind == FakeWork::record) {
    if (const Result result = work.run(); result != 0) machine.break_with(result);
  }
  machine.log(work, id);
  if (work.kind == FakeWork::record) work.event->reach(work.ticket);
}

// Never destroyed: streams may outlive the statics of the process.
Machine& Machine::instance() {
  static Machine& machine = *new Machine;
  return machine;
}

void Machine::read_environment() {
  std::lock_guard lock(mutex);
  devices = std::stoi(variable("FAKE_CUDA_DEVICES", "1"));
  total = std::stoull(variable("FAKE_CUDA_MEMORY", std::to_string(kMemory).c_str()));
  const std::string failure = variable("FAKE_CUDA_FAIL", "");
  if (const size_t at = failure.find('='); at != failure.npos)
    failures[failure.substr(0, at)] = {std::stoi(failure.substr(at + 1)), 0};
}

Result Machine::call(const std::string& where) {
  std::lock_guard lock(mutex);
  const auto failure = failures.find(where);
  if (failure == failures.end()) return 0;
  return failure->second.after-- > 0 ? 0 : failure->second.result;
}

void Machine::log(const Work& work, int stream) {
  std::lock_guard lock(mutex);
  const char* name = names.insert(work.kernel).first->c_str();
  entries.push_back({work.kind, stream, work.event ? work.event->id : -1, work.ticket, name});
}

void Machine::reset() {
  std::lock_guard lock(mutex);
  broken = 0;
  ignore_waits = false;
  most_delay = 0;
  streams = events = 0;
  failures.clear();
  entries.clear();
}

}  // namespace fake

using fake::Machine;

extern "C" {

void fakeCudaKernel(const char* name, FakeKernel function, void* context) {
  Machine& machine = Machine::instance();
  std::lock_guard lock(machine.mutex);
  machine.kernels[name] = {function, context};
}

void fakeCudaDelays(unsigned seed, unsigned most) {
  Machine::instance().seed = seed;
  Machine::instance().most_delay = most;
}

void fakeCudaFail(const char* where, int result, int after) {
  Machine& machine = Machine::instance();
  std::lock_guard lock(machine.mutex);
  machine.failures[where] = {result, after};
}

void fakeCudaIgnoreWaits(bool ignore) { Machine::instance().ignore_waits = ignore; }

void fakeCudaReset() { Machine::instance().reset(); }

size_t fakeCudaLog(FakeEntry* entries, size_t most) {
  Machine& machine = Machine::instance();
  std::lock_guard lock(machine.mutex);
  std::copy_n(machine.entries.begin(), std::min(most, machine.entries.size()), entries);
  return machine.entries.size();
}

}  // extern "C"
