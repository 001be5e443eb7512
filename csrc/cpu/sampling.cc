#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/philox.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kBlock = 16384;
constexpr float kNever = -__builtin_inff();

using ByteVec = uint8_t __attribute__((vector_size(kLanes)));

IntVec marked(const uint8_t* from, Full) {
  ByteVec bytes;
  memcpy(&bytes, from, sizeof(bytes));
  return __builtin_convertvector(bytes, IntVec) != 0;
}

IntVec marked(const uint8_t* from, Part part) {
  ByteVec bytes{};
  for (int i = 0; i < part.count; ++i) bytes[i] = from[i];
  return __builtin_convertvector(bytes, IntVec) != 0;
}

// One sequence's candidates: scores by id, and the ids that are still in play.
struct Draw {
  const float* scores;  // [vocab]
  int32_t* ids;         // [vocab]
  int64_t vocab, count;
  float top;  // the largest score
};

// work = logits after the repetition penalty, suppression and temperature.
void adjust(const Sample& a, int64_t b, int64_t first, int64_t last) {
  const StepState& state = a.states[b];
  const uint8_t* seen = a.seen + state.slot * a.vocab;
  float temperature = state.temperature == 0 ? 1.f : state.temperature;
  sweep(last - first, [&](int64_t offset, auto lanes) {
    int64_t i = first + offset;
    Vec logit = load(a.logits + b * a.vocab + i, lanes);
    Vec penalised = logit > 0 ? logit / state.repetition_penalty : logit * state.repetition_penalty;
    logit = marked(seen + i, lanes) ? penalised : logit;
    logit = marked(a.suppress + i, lanes) ? splat(kNever) : logit;
    store(a.work + b * a.vocab + i, logit / temperature, lanes);
  });
}

float top_score(const float* scores, int64_t n) {
  Vec top = splat(kNever);
  sweep(n, [&](int64_t i, auto lanes) { top = max(load(scores + i, lanes, kNever), top); });
  return largest(top);
}

int64_t first_at(const float* scores, int64_t n, float value) {
  for (int64_t i = 0; i < n; ++i)
    if (scores[i] == value) return i;
  return 0;
}

// The k-th largest score, by a heap of ids with the smallest score at its root.
float kth_score(const Draw& d, int64_t k) {
  auto larger_first = [&](int32_t x, int32_t y) { return d.scores[x] > d.scores[y]; };
  for (int64_t i = 0; i < k; ++i) d.ids[i] = static_cast<int32_t>(i);
  std::make_heap(d.ids, d.ids + k, larger_first);
  for (int64_t i = k; i < d.vocab; ++i) {
    if (d.scores[i] <= d.scores[d.ids[0]]) continue;
    std::pop_heap(d.ids, d.ids + k, larger_first);
    d.ids[k - 1] = static_cast<int32_t>(i);
    std::push_heap(d.ids, d.ids + k, larger_first);
  }
  return d.scores[d.ids[0]];
}

// Keeps the ids that score at least `floor`.
void keep_from(Draw& d, float floor) {
  d.count = 0;
  for (int64_t i = 0; i < d.vocab; ++i)
    if (d.scores[i] >= floor) d.ids[d.count++] = static_cast<int32_t>(i);
}

// Sum over ids that score at least `floor` of exp(score - top).
double mass_from(const Draw& d, float floor) {
  double total = 0;
  for (int64_t start = 0; start < d.vocab; start += kBlock) {
    Vec block{};
    sweep(smaller(kBlock, d.vocab - start), [&](int64_t i, auto lanes) {
      Vec score = load(d.scores + start + i, lanes, kNever);
      block += score >= floor && score > kNever ? exp(score - d.top) : Vec{};
    });
    total += sum(block);
  }
  return total;
}

// Drops the ascending tail whose cumulative probability is at most 1 - top_p; one id always stays.
// Ids too unlikely to reach that bound even together are dropped unsorted.
void keep_nucleus(Draw& d, float floor, float top_p) {
  float bound = static_cast<float>(1 - static_cast<double>(top_p));
  double total = mass_from(d, floor);
  float sure = d.top - logf(static_cast<float>(d.vocab) / bound) - 1;
  float cut = sure > floor ? sure : floor;
  double below = total - mass_from(d, cut);
  keep_from(d, cut);
  std::sort(d.ids, d.ids + d.count, [&](int32_t x, int32_t y) {
    return d.scores[x] < d.scores[y] || (d.scores[x] == d.scores[y] && x < y);
  });
  int64_t dropped = 0;
  for (; dropped < d.count - 1; ++dropped) {
    below += expf(d.scores[d.ids[dropped]] - d.top);
    if (static_cast<float>(below / total) > bound) break;
  }
  d.ids += dropped;
  d.count -= dropped;
}

// The exponential race: the id with the largest p / e, where e = -log(u) and u is the id's own.
// When no id is left, because every score is NaN, the first one: the choice is an index elsewhere.
int32_t race(const Draw& d, const StepState& state, uint32_t stream) {
  int32_t winner = d.count > 0 ? d.ids[0] : 0;
  double best = -1;
  for (int64_t i = 0; i < d.count; ++i) {
    int32_t id = d.ids[i];
    Words words = random_words({static_cast<uint32_t>(id), state.step, stream, 0}, state.seed_low,
                               state.seed_high);
    double score = expf(d.scores[id] - d.top) / -::log(unit(words.x0));
    if (score > best || (score == best && id < winner)) {
      best = score;
      winner = id;
    }
  }
  return winner;
}

int32_t choose(const Sample& a, int64_t b) {
  const StepState& state = a.states[b];
  Draw d = {a.work + b * a.vocab, a.order + b * a.vocab, a.vocab, 0, 0};
  d.top = top_score(d.scores, d.vocab);
  if (state.temperature == 0) return static_cast<int32_t>(first_at(d.scores, d.vocab, d.top));
  bool limited = state.top_k > 0 && state.top_k < d.vocab;
  float floor = limited ? kth_score(d, state.top_k) : kNever;
  if (state.top_p < 1)
    keep_nucleus(d, floor, state.top_p);
  else
    keep_from(d, floor);
  return race(d, state, a.stream);
}

}  // namespace

void sample(const Sample& a, Team& team) {
  int64_t blocks = ceil_div(a.vocab, kBlock);
  team.run(static_cast<int>(a.batch * blocks), [&](int chunk) {
    int64_t first = chunk % blocks * kBlock;
    adjust(a, chunk / blocks, first, smaller(a.vocab, first + kBlock));
  });
  team.run(static_cast<int>(a.batch), [&](int b) {
    StepState& state = a.states[b];
    state.token = choose(a, b);
    a.seen[state.slot * a.vocab + state.token] = 1;
    state.position = state.next_position++;
    ++state.kv_len;
    ++state.row;
    ++state.step;
  });
}

}  // namespace omni::OMNI_ISA
