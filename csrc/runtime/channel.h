// The bounded queue from the lanes of a session to its reader.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace omni {

using Clock = std::chrono::steady_clock;

// Writers look for room() before they make a value and never block; the reader waits. The end comes
// in order: values that were pushed are read before the reader sees that the channel is closed, or
// gets the writer's exception. After the first end, pushes and other ends are ignored.
template <class T>
class Channel {
 public:
  explicit Channel(size_t capacity) : capacity_(capacity) {}

  size_t room() const {
    std::lock_guard lock(mutex_);
    return capacity_ - queue_.size();
  }

  // Does not wake the reader, which costs microseconds: call wake() once no lock is held.
  void push(T value) {
    std::lock_guard lock(mutex_);
    if (ended_) return;
    if (queue_.size() == capacity_) {
      throw std::logic_error("channel of " + std::to_string(capacity_) + " places is full");
    }
    queue_.push_back(std::move(value));
  }

  void wake() { changed_.notify_one(); }

  void close() { end(nullptr, false); }
  void fail(std::exception_ptr error) { end(std::move(error), false); }
  // Closes and drops what was not read. Writers poll cancelled().
  void cancel() { end(nullptr, true); }

  bool cancelled() const {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }

  // Waits for a value or the end, until `deadline`. Rethrows the writer's exception; empty if the
  // channel is closed or the time is over: closed() tells.
  std::optional<T> pop(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [this] { return ended_ || !queue_.empty(); });
    if (!queue_.empty()) {
      std::optional<T> value(std::move(queue_.front()));
      queue_.pop_front();
      return value;
    }
    if (error_) std::rethrow_exception(error_);
    return std::nullopt;
  }

  // Whether the reader has everything.
  bool closed() const {
    std::lock_guard lock(mutex_);
    return ended_ && queue_.empty();
  }

 private:
  void end(std::exception_ptr error, bool cancelled) {
    {
      std::lock_guard lock(mutex_);
      if (cancelled) {
        cancelled_ |= !ended_ || !queue_.empty();  // after the end too, if it drops something
        queue_.clear();
      }
      if (ended_) return;
      ended_ = true;
      error_ = std::move(error);
    }
    changed_.notify_all();
  }

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> queue_;
  bool ended_ = false;
  bool cancelled_ = false;
  std::exception_ptr error_;
};

}  // namespace omni
