#include "runtime/vocoder_stream.h"

#include <algorithm>
#include <stdexcept>

namespace omni {

VocoderStream::VocoderStream(const VocoderTrack& track) : track_(track) {
  if (track.levels.size() < 2 || left() + right() >= track.capacity)
    throw std::invalid_argument("WaveStream: the vocoder's buffers do not hold its context");
}

void VocoderStream::push(std::span<const float> mel) {
  mel_.insert(mel_.end(), mel.begin(), mel.end());
  frames_ += static_cast<int>(mel.size()) / track_.channels;
  limit_ = std::max(limit_, frames_ - (emitted_ == 0 ? track_.held_first : right()));
}

std::vector<float> VocoderStream::next(Team& team) {
  const int e0 = emitted_, e1 = std::min(limit_, e0 + track_.capacity - left() - right());
  const int m0 = std::max(0, e0 - left()), m1 = std::min(frames_, e1 + right());
  const auto row = [this](int frame) { return mel_.begin() + (frame - first_) * track_.channels; };
  std::copy(row(m0), row(m1), track_.mel);
  write_spans(m0, m1, e0, e1);
  track_.plan->run(team);
  emitted_ = e1;
  const int keep = std::max(0, e1 - left());
  mel_.erase(mel_.begin(), row(keep));
  first_ = keep;
  return {track_.samples, track_.samples + (e1 - e0) * track_.levels.back().scale};
}

// A level keeps max(scale m0, scale e0 - left) .. min(scale m1, scale e1 + right) of the rows that
// the level before wrote: what the padding at a cut spoils goes, the true ends of the speech stay.
void VocoderStream::write_spans(int m0, int m1, int e0, int e1) {
  int32_t* span = track_.spans;
  int origin = m0;  // the row of this level that the level before wrote first
  for (size_t i = 0; i < track_.levels.size(); ++i, span += 4) {
    const auto [scale, left, right] = track_.levels[i];
    const int first = std::max(scale * m0, scale * e0 - left);
    const int rows = std::min(scale * m1, scale * e1 + right) - first;
    const int rate = i + 1 < track_.levels.size() ? track_.levels[i + 1].scale / scale : 1;
    span[0] = first - origin;
    span[1] = rows;
    span[2] = 0;
    span[3] = rows * rate;
    origin = first * rate;
  }
}

}  // namespace omni
