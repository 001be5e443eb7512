#include "cpu/vocoder_block.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kUpsamplePanels = 3;  // of one block

// One of the `rate` rows that are made for each row i of x: it sums the taps tap, tap + rate, ...
// over the rows i + row, i + row - 1, ...
struct Phase {
  int64_t tap, taps, row;
};

class Upsampling {
 public:
  explicit Upsampling(const VocoderUpsample& a)
      : a_(a), first_(a.span->first), rows_(a.span->rows), low_(0), high_(0) {
    size_ = block_rows(rows_, kBlockRows / a.rate / 12 * 12);
    panels_ = ceil_div(a.out_channels, kPanel);
    for (int64_t p = 0; p < a.rate; ++p) {
      Phase phase = phase_of(p);
      low_ = smaller(low_, phase.row - phase.taps + 1);
      high_ = larger(high_, phase.row);
    }
  }

  void run(Team& team) const {
    int64_t blocks = ceil_div(rows_, size_), columns = ceil_div(panels_, kUpsamplePanels);
    team.run(static_cast<int>(blocks * columns),
             [&](int chunk) { block(chunk % blocks * size_, chunk / blocks * kUpsamplePanels); });
  }

 private:
  Phase phase_of(int64_t phase) const {
    int64_t tap = (phase + a_.padding) % a_.rate;
    return {tap, ceil_div(a_.kernel - tap, a_.rate), (phase + a_.padding) / a_.rate};
  }

  void block(int64_t row, int64_t panel) const {
    alignas(64) float laid[kDepth * kLaidRows], sums[kUpsamplePanels * kBlockRows * kPanel];
    int64_t rows = smaller(size_, rows_ - row), panels = smaller(kUpsamplePanels, panels_ - panel);
    for (int64_t c = 0; c < a_.channels; c += kDepth) {
      int64_t depth = smaller(kDepth, a_.channels - c);
      for (int64_t r = low_; r < rows + high_; ++r)
        lay(row + r, c, depth, laid + (r - low_) * depth);
      for (int64_t p = 0; p < a_.rate; ++p) {
        Phase phase = phase_of(p);
        Terms terms = {phase.taps, depth, -depth, a_.rate * a_.channels * kPanel};
        for (int64_t i = 0; i < panels; ++i)
          multiply_rows(terms, laid + (phase.row - low_) * depth,
                        weights(panel + i, phase.tap) + c * kPanel,
                        weights(panel + (i + 1) % panels, phase.tap) + c * kPanel, c == 0, rows,
                        sums + (p * kUpsamplePanels + i) * size_ * kPanel);
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

  void lay(int64_t row, int64_t c, int64_t depth, float* laid) const {
    bool inside = row >= 0 && row < rows_;
    memcpy(laid, inside ? a_.x + (first_ + row) * a_.channels + c : kZeros, depth * sizeof(float));
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
