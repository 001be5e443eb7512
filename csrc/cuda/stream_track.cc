#include "cuda/stream_track.h"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace omni::cuda {

StreamTrack::StreamTrack(const Device& device, const Stream& stream,
                         const std::vector<Bucket>& buckets, const StateRows& states, int ahead,
                         const StreamTrack* upstream)
    : device_(device),
      stream_(stream),
      states_(states),
      upstream_(upstream),
      seating_(buckets.back().rows),
      given_(ahead * buckets.back().rows),
      taken_(ahead * buckets.back().rows),
      done_(ahead) {
  for (const Bucket& bucket : buckets) graphs_.push_back({bucket.rows, {*bucket.plan, stream}});
}

// The stream may still read and write the pinned memory.
StreamTrack::~StreamTrack() {
  try {
    stream_.synchronize();
  } catch (const Error&) {
    // Then nothing runs any more.
  }
}

uint64_t StreamTrack::start(std::span<const Seat> seats, Team&) {
  if (broken_) std::rethrow_exception(broken_);
  try {
    launch(seats, (started_ + 1) % done_.size());
  } catch (const Error&) {
    broken_ = std::current_exception();
    throw;
  }
  UnderWay under_way;
  for (const Seat& seat : seats) {
    under_way.states.push_back(seat.state);
    under_way.rows.push_back(seating_.row_of(seat.state->slot));
  }
  steps_.push_back(std::move(under_way));
  return ++started_;
}

void StreamTrack::launch(std::span<const Seat> seats, size_t place) {
  device_.use();
  const StepGraph& step = graph_for(seats.size());
  wait_upstream(seats);
  sit_down(seats, step.rows, &given_[place * width()]);
  step.graph.launch(stream_);
  driver().cuMemcpyDtoHAsync(&taken_[place * width()], row(0), step.rows * sizeof(StepState),
                             stream_.get());
  done_[place].record(stream_);
}

void StreamTrack::finish() {
  device_.use();
  const UnderWay step = std::move(steps_.front());
  const size_t place = (started_ - steps_.size() + 1) % done_.size();
  steps_.pop_front();
  done_[place].wait();
  const StepState* taken = &taken_[place * width()];
  for (size_t i = 0; i < step.states.size(); ++i) step.states[i]->token = taken[step.rows[i]].token;
}

// A stream runs in order: the latest step covers the others.
void StreamTrack::wait_upstream(std::span<const Seat> seats) const {
  uint64_t last = 0;
  for (const Seat& seat : seats) last = std::max(last, seat.after);
  if (upstream_ != nullptr && last > 0) upstream_->order_after(last, stream_);
}

// An event that serves a later step by now stands for this one too.
void StreamTrack::order_after(uint64_t step, const Stream& stream) const {
  stream.wait(done_[step % done_.size()]);
}

void StreamTrack::sit_down(std::span<const Seat> seats, int bucket, StepState* staged) {
  std::vector<int> slots;
  for (const Seat& seat : seats) slots.push_back(seat.state->slot);
  const Moves moves = seating_.seat(slots, bucket);
  const auto copy = [this](Address to, Address from) {
    driver().cuMemcpyDtoDAsync(to, from, sizeof(StepState), stream_.get());
  };
  for (const Move& move : moves.out) copy(slot(move.slot), row(move.row));
  for (const Move& move : moves.in) copy(row(move.row), slot(move.slot));
  for (const int empty : moves.empty) copy(row(empty), states_.blank);
  for (const Seat& seat : seats) refresh(seat, staged++);
}

void StreamTrack::refresh(const Seat& seat, StepState* staged) const {
  if (seat.change == Change::none) return;
  *staged = *seat.state;
  const size_t first = seat.change == Change::all ? 0 : offsetof(StepState, text_rows);
  const size_t bytes = seat.change == Change::all ? sizeof *staged : sizeof staged->text_rows;
  driver().cuMemcpyHtoDAsync(row(seating_.row_of(seat.state->slot)) + first,
                             reinterpret_cast<const std::byte*>(staged) + first, bytes,
                             stream_.get());
}

const StreamTrack::StepGraph& StreamTrack::graph_for(size_t sessions) const {
  const auto fits = [=](const StepGraph& step) {
    return static_cast<size_t>(step.rows) >= sessions;
  };
  return *std::find_if(graphs_.begin(), graphs_.end(), fits);
}

}  // namespace omni::cuda
