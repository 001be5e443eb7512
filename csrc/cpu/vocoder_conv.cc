#include "cpu/toom_cook.h"
#include "cpu/vocoder_block.h"

namespace omni::OMNI_ISA {
namespace {

// Tiles interleave as the taps do: tile u makes the outputs first_of(u) + i * dilation, and its
// group of taps g reads what tile u + g * dilation reads with its first.
template <class Scheme>
class Convolution {
 public:
  explicit Convolution(const VocoderConv& a)
      : a_(a), first_(a.span->first), rows_(a.span->rows), spread_((a.groups - 1) * a.dilation) {
    tiles_ = ceil_div(rows_, Scheme::kOutputs * a.dilation) * a.dilation;
    size_ = block_rows(tiles_, kBlockRows / Scheme::kPoints);
    panels_ = ceil_div(a.out_channels, kPanel);
  }

  void run(Team& team) const {
    int64_t blocks = ceil_div(tiles_, size_), columns = ceil_div(panels_, kPanels);
    int64_t work =
        Scheme::kPoints * a_.groups * a_.channels * size_ * kPanel * smaller(panels_, kPanels);
    int64_t run = larger(1, kChunkWork / larger(1, work));  // blocks of one chunk
    int64_t runs = ceil_div(blocks, run);
    team.run(static_cast<int>(runs * columns), [&](int chunk) {
      [[maybe_unused]] ProductScope scope;
      int64_t begin = chunk % runs * run, end = smaller(blocks, begin + run);
      for (int64_t b = begin; b < end; ++b) block(b * size_, chunk / runs * kPanels);
    });
  }

 private:
  static constexpr int kPoints = Scheme::kPoints;

  // All of the sums of one block of tiles and panels.
  void block(int64_t tile, int64_t panel) const {
    alignas(64) float laid[laid_size(kLaidRows, kDepth)], sums[kPanels * kBlockRows * kPanel];
    int64_t tiles = smaller(size_, tiles_ - tile), panels = smaller(kPanels, panels_ - panel);
    int64_t laid_rows = ceil_div(tiles, kTileRows) * kTileRows + spread_;
    for (int64_t c = 0; c < a_.channels; c += kDepth) {
      int64_t depth = smaller(kDepth, a_.channels - c);
      Laid points[kPoints];
      for (int p = 0; p < kPoints; ++p)
        points[p] = {laid + p * laid_size(laid_rows, depth), laid_rows, depth};
      for (int64_t u = 0; u < tiles + spread_; ++u) lay(tile + u, c, points, u);
      Terms terms = {a_.groups, depth, a_.dilation, a_.channels * kPanel};
      for (int64_t p = 0; p < kPoints; ++p)
        for (int64_t i = 0; i < panels; i += kTogether) {
          int64_t after = i + kTogether, wrap = after >= panels;
          const float* next = weights((p + wrap) % kPoints, panel + (wrap ? 0 : after));
          multiply_rows(
              terms, points[p], 0, tiles,
              {weights(p, panel + i) + c * kPanel, panel_size(),
               sums + (p * kPanels + i) * size_ * kPanel, size_ * kPanel, next + c * kPanel},
              smaller(kTogether, panels - i), c == 0);
        }
    }
    for (int64_t u = 0; u < tiles; ++u) finish(tile + u, panel, panels, sums + u * kPanel);
  }

  const float* weights(int64_t point, int64_t panel) const {
    return a_.weights + (point * panels_ + panel) * panel_size();
  }

  int64_t panel_size() const { return a_.groups * a_.channels * kPanel; }

  int64_t first_of(int64_t tile) const {
    return tile / a_.dilation * Scheme::kOutputs * a_.dilation + tile % a_.dilation;
  }

  // What a tile reads at every point, from channel c on: row `to` of what is laid out.
  void lay(int64_t tile, int64_t c, const Laid (&points)[kPoints], int64_t to) const {
    const float* from[kPoints];
    int64_t row = first_of(tile) - a_.kernel / 2 * a_.dilation;
    for (int i = 0; i < kPoints; ++i, row += a_.dilation)
      from[i] = row >= 0 && row < rows_ ? a_.x + (first_ + row) * a_.channels + c : kZeros;
    int64_t depth = points[0].depth;
    for (int64_t k = 0; k < depth; k += kLine) {
      Vec x[kPoints], at[kPoints], lines[kPoints][kLine / kLanes];
      for (int part = 0; part < kLine / kLanes; ++part) {
        for (int i = 0; i < kPoints; ++i) x[i] = load_some(from[i], k + part * kLanes, depth);
        Scheme::spread(x, at);
        for (int i = 0; i < kPoints; ++i) lines[i][part] = at[i];
      }
      for (int i = 0; i < kPoints; ++i) points[i].put(to, k, lines[i]);
    }
  }

  // From a tile's sums, in every panel at every point, to its outputs.
  void finish(int64_t tile, int64_t panel, int64_t panels, const float* sums) const {
    int64_t row = first_of(tile), column = panel * kPanel;
    int64_t outputs = smaller(Scheme::kOutputs, ceil_div(rows_ - row, a_.dilation));
    float* to = a_.out + row * a_.out_channels + column;
    sweep(smaller(panels * kPanel, a_.out_channels - column), [&](int64_t k, auto lanes) {
      const float* from = sums + k / kPanel * size_ * kPanel + k % kPanel;
      Vec at[kPoints], y[Scheme::kOutputs];
      for (int i = 0; i < kPoints; ++i) at[i] = load(from + i * kPanels * size_ * kPanel);
      Scheme::gather(at, y);
      Vec bias = a_.bias == nullptr ? Vec{} : load(a_.bias + column + k, lanes);
      for (int i = 0; i < outputs; ++i) {
        float* out = to + i * a_.dilation * a_.out_channels + k;
        Vec value = y[i] + bias;
        store(out, a_.add ? load(out, lanes) + value : value, lanes);
      }
    });
  }

  const VocoderConv& a_;
  int64_t first_, rows_, spread_, tiles_, size_, panels_;
};

}  // namespace

void vocoder_conv(const VocoderConv& a, Team& team) {
  if (a.points == Direct::kPoints)
    Convolution<Direct>(a).run(team);
  else if (a.kernel == 3)
    Convolution<ToomCook<5>>(a).run(team);
  else
    Convolution<ToomCook<4>>(a).run(team);
}

}  // namespace omni::OMNI_ISA
