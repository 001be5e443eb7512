#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kRows = 128;       // of one block
constexpr int64_t kChannels = 192;   // of one chunk
constexpr int64_t kChunk = 1 << 15;  // elements of one chunk
constexpr int64_t kReach = 3;  // pairs of doubled samples that the downsampling reads either side

// Half of the symmetric filter of 12 taps, ops/reference/vocoder.py.
constexpr float kTaps[6] = {0.00202896469f, 0.00938946567f, -0.0255434588f,
                            -0.0576573834f, 0.128572583f,   0.443209797f};
constexpr float tap(int k) { return kTaps[k < 6 ? k : 11 - k]; }

// sin(x)^2 within 3e-7, for |x| up to 1e5: x less the nearest multiple of pi, which is subtracted
// in three parts, then a least-squares polynomial in its square.
inline Vec sine_squared(Vec x) {
  Vec n = x * 0.318309886f + 12582912.f;  // 1.5 * 2^23 rounds
  n = n - 12582912.f;
  Vec r = multiply_add(n, splat(-3.140625f), x);
  r = multiply_add(n, splat(-9.67502593994140625e-4f), r);
  r = multiply_add(n, splat(-1.509957990978376432e-7f), r);
  Vec square = r * r;
  Vec p = splat(-3.54078247e-6f);
  p = multiply_add(p, square, splat(1.38716408e-4f));
  p = multiply_add(p, square, splat(-3.17076501e-3f));
  p = multiply_add(p, square, splat(4.44412939e-2f));
  p = multiply_add(p, square, splat(-0.333332151f));
  p = multiply_add(p, square, splat(0.999999821f));
  return p * square;
}

class Snake {
 public:
  explicit Snake(const VocoderSnake& a)
      : a_(a), x_(a.x + a.span->first * a.channels), rows_(a.span->rows) {}

  void run(Team& team) const {
    int64_t width = smaller(a_.channels, kChannels), columns = ceil_div(a_.channels, width);
    int64_t height = ceil_div(kChunk / width, kRows) * kRows;
    int64_t blocks = ceil_div(rows_, height);
    team.run(static_cast<int>(blocks * columns), [&](int chunk) {
      int64_t channel = chunk / blocks * width, row = chunk % blocks * height;
      int64_t count = smaller(width, a_.channels - channel), end = smaller(rows_, row + height);
      for (; row < end; row += kRows)
        sweep(count, [&](int64_t i, auto lanes) {
          block(row, smaller(end, row + kRows), channel + i, lanes);
        });
    });
  }

 private:
  // A vector of channels over a few rows, by way of their doubled samples.
  template <class Lanes>
  void block(int64_t row, int64_t end, int64_t channel, Lanes lanes) const {
    Vec x[kRows + 4 * kReach], doubled[2 * (kRows + 2 * kReach)];
    for (int64_t n = row - 2 * kReach; n < end + 2 * kReach; ++n) {
      int64_t inside = larger(0, smaller(rows_ - 1, n));
      x[n - row + 2 * kReach] = load(x_ + inside * a_.channels + channel, lanes);
    }
    Vec frequency = exp(load(a_.alpha + channel, lanes));
    Vec size = 1.f / (exp(load(a_.beta + channel, lanes)) + 1e-9f);
    for (int64_t n = 0; n < end - row + 2 * kReach; ++n) {
      double_row(x + n, doubled + 2 * n);
      for (int i = 0; i < 2; ++i) {
        Vec& v = doubled[2 * n + i];
        v = multiply_add(sine_squared(v * frequency), size, v);
      }
    }
    hold_ends(row, end, doubled);
    for (int64_t n = row; n < end; ++n) {
      const Vec* from = doubled + 2 * (n - row) + 1;
      Vec sum = from[0] * tap(0);
      for (int k = 1; k < 12; ++k) sum = multiply_add(from[k], splat(tap(k)), sum);
      store(a_.out + n * a_.channels + channel, sum, lanes);
    }
  }

  // The two upsampled samples of x[kReach].
  static void double_row(const Vec* x, Vec* pair) {
    Vec even = x[0] * (2 * tap(0)), odd = x[1] * (2 * tap(1));
    for (int i = 1; i < 6; ++i) {
      even = multiply_add(x[i], splat(2 * tap(2 * i)), even);
      odd = multiply_add(x[i + 1], splat(2 * tap(2 * i + 1)), odd);
    }
    pair[0] = even;
    pair[1] = odd;
  }

  // Beyond the signal's ends put its first and its last doubled sample.
  void hold_ends(int64_t row, int64_t end, Vec* doubled) const {
    int64_t first = 2 * (kReach - row), last = 2 * (rows_ - 1 - row + kReach) + 1;
    for (int64_t i = 0; i < first; ++i) doubled[i] = doubled[first];
    for (int64_t i = last + 1; i < 2 * (end - row + 2 * kReach); ++i) doubled[i] = doubled[last];
  }

  const VocoderSnake& a_;
  const float* x_;
  int64_t rows_;
};

}  // namespace

void vocoder_snake(const VocoderSnake& a, Team& team) { Snake(a).run(team); }

}  // namespace omni::OMNI_ISA
