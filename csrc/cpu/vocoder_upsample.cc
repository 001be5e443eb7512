#include "cpu/vocoder_block.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kUpsamplePanels = kPanels / 2;  // of one block

// One of the `rate` rows that are made for each row i of x: it sums the taps tap, tap + rate, ...
// over the rows i + row, i + row - 1, ...
struct Phase {
  int64_t tap, taps, row;
};

class Upsampling {
 public:
  explicit Upsampling(const VocoderUpsample& a)
      : a_(a), first_(a.span->first), rows_(a.span->rows), low_(0), high_(0) {
    size_ = block_rows(rows_, kBlockRows / a.rate / kTileStep * kTileStep);
    panels_ = ceil_div(a.out_channels, kPanel);
    for (int64_t p = 0; p < a.rate; ++p) {
      Phase phase = phase_of(p);
      low_ = smaller(low_, phase.row - phase.taps + 1);
      high_ = larger(high_, phase.row);
    }
  }

  void run(Team& team) const {
    int64_t blocks = ceil_div(rows_, size_), columns = ceil_div(panels_, kUpsamplePanels);
    team.run(static_cast<int>(blocks * columns), [&](int chunk) {
      [[maybe_unused]] ProductScope scope;
      block(chunk % blocks * size_, chunk / blocks * kUpsamplePanels);
    });
  }

 private:
  Phase phase_of(int64_t phase) const {
    int64_t tap = (phase + a_.padding) % a_.rate;
    return {tap, ceil_div(a_.kernel - tap, a_.rate), (phase + a_.padding) / a_.rate};
  }

  void block(int64_t row, int64_t panel) const {
    alignas(64) float laid[laid_size(kLaidRows, kDepth)];
    alignas(64) float sums[kUpsamplePanels * kBlockRows * kPanel];
    int64_t rows = smaller(size_, rows_ - row), panels = smaller(kUpsamplePanels, panels_ - panel);
    int64_t laid_rows = ceil_div(rows, kTileRows) * kTileRows + high_ - low_;
    for (int64_t c = 0; c < a_.channels; c += kDepth) {
      int64_t depth = smaller(kDepth, a_.channels - c);
      Laid lines = {laid, laid_rows, depth};
      for (int64_t r = low_; r < rows + high_; ++r) lay(row + r, c, lines, r - low_);
      for (int64_t p = 0; p < a_.rate; ++p) {
        Phase phase = phase_of(p);
        Terms terms = {phase.taps, depth, -1, a_.rate * a_.channels * kPanel};
        for (int64_t i = 0; i < panels; i += kTogether)
          multiply_rows(
              terms, lines, phase.row - low_, rows,
              {weights(panel + i, phase.tap) + c * kPanel, a_.kernel * a_.channels * kPanel,
               sums + (p * kUpsamplePanels + i) * size_ * kPanel, size_ * kPanel,
               weights(panel + (i + kTogether) % panels, phase.tap) + c * kPanel},
              smaller(kTogether, panels - i), c == 0);
      }
    }
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t p = 0; p < a_.rate; ++p)
        for (int64_t i = 0; i < panels; ++i)
          finish((row + r) * a_.rate + p, (panel + i) * kPanel,
                 sums + ((p * kUpsamplePanels + i) * size_ + r) * kPanel);
  }

  const float* weights(int64_t panel, int64_t tap) const {
    return a_.weights + (panel * a_.kernel + tap) * a_.channels * kPanel;
  }

  void lay(int64_t row, int64_t c, const Laid& lines, int64_t to) const {
    bool inside = row >= 0 && row < rows_;
    const float* from = inside ? a_.x + (first_ + row) * a_.channels + c : kZeros;
    for (int64_t k = 0; k < lines.depth; k += kLine) {
      Vec line[kLine / kLanes];
      for (int part = 0; part < kLine / kLanes; ++part)
        line[part] = load_some(from, k + part * kLanes, lines.depth);
      lines.put(to, k, line);
    }
  }

  void finish(int64_t row, int64_t column, const float* sums) const {
    sweep(smaller(kPanel, a_.out_channels - column), [&](int64_t k, auto lanes) {
      Vec bias = a_.bias == nullptr ? Vec{} : load(a_.bias + column + k, lanes);
      store(a_.out + row * a_.out_channels + column + k, load(sums + k) + bias, lanes);
    });
  }

  const VocoderUpsample& a_;
  int64_t first_, rows_, size_, panels_;
  int64_t low_, high_;  // the rows around i that are summed
};

}  // namespace

void vocoder_upsample(const VocoderUpsample& a, Team& team) { Upsampling(a).run(team); }

}  // namespace omni::OMNI_ISA
