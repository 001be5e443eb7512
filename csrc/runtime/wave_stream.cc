#include "runtime/wave_stream.h"

#include <utility>

namespace omni {
namespace {

// Adds the time until it is destroyed.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - begin_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& seconds_;
  const Clock::time_point begin_ = Clock::now();
};

}  // namespace

WaveStream::WaveStream(const FlowTrack& flow, const FlowSizes& sizes, const VocoderTrack& vocoder,
                       const WaveSchedule& schedule, FlowRequest request)
    : sizes_(sizes),
      windows_(schedule, sizes),
      solver_(flow, sizes, std::move(request)),
      vocoder_(vocoder) {}

bool WaveStream::wants(size_t known, bool complete) const {
  if (vocoder_.finished()) return false;
  return complete || solver_.solving() || vocoder_.ready() || windows_.next(known, complete);
}

// What is due does not depend on how many codes came meanwhile: a window that was begun is vocoded
// before the next one begins.
WavePiece WaveStream::step(std::span<const int> codes, bool complete, Team& team) {
  if (vocoder_.ready()) return vocode(team);
  if (!solver_.solving()) {
    const auto window = windows_.next(codes.size(), complete);
    if (!window) {  // the codes ended where a window did
      vocoder_.end();
      return vocoder_.ready() ? vocode(team) : WavePiece{{}, {}, true};
    }
    begin(*window, codes.size(), team);
  }
  evaluate(codes, team);
  return {};
}

void WaveStream::begin(const FlowWindow& window, size_t codes, Team& team) {
  const Stopwatch stopwatch(work_.solve);
  work_.codes = static_cast<int>(codes);
  work_.lookahead = (window.frames - window.keep) / sizes_.block;
  solver_.begin(window, team);
}

void WaveStream::evaluate(std::span<const int> codes, Team& team) {
  const Stopwatch stopwatch(work_.solve);
  solver_.evaluate(codes, team);
  if (solver_.solving()) return;
  const FlowWindow& window = solver_.window();
  windows_.advance(window);
  vocoder_.push(solver_.mel());
  if (window.last) vocoder_.end();
}

WavePiece WaveStream::vocode(Team& team) {
  WavePiece piece;
  {
    const Stopwatch stopwatch(work_.vocode);
    piece.samples = vocoder_.next(team);
  }
  piece.work = work_;
  work_.solve = work_.vocode = 0;
  piece.finished = vocoder_.finished();
  return piece;
}

}  // namespace omni
