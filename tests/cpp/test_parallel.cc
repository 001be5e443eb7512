#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/parallel.h"
#include "check.h"

using omni::set_cores;
using omni::Team;

namespace {

void sleep_us(int us) { std::this_thread::sleep_for(std::chrono::microseconds(us)); }

void runs_every_chunk_once(int cores) {
  set_cores(cores);
  Team team;
  EXPECT(team.cores() == cores);
  for (int chunks : {0, 1, 2, 3, 7, 64, 1000}) {
    std::vector<int> hits(chunks);
    for (int i = 0; i < 200; ++i) team.run(chunks, [&](int chunk) { ++hits[chunk]; });
    for (int count : hits) EXPECT(count == 200);
  }
}

// Each region reads what the one before it wrote in other chunks.
void orders_regions() {
  set_cores(3);
  Team team;
  std::vector<int> a(64, 0), b(64, 0);
  for (int i = 0; i < 2000; ++i) {
    team.run(64, [&](int chunk) { b[chunk] = a[63 - chunk] + 1; });
    a.swap(b);
  }
  for (int value : a) EXPECT(value == 2000);
}

void serves_many_callers() {
  set_cores(2);
  std::vector<std::thread> callers;
  for (int k = 0; k < 4; ++k) {
    callers.emplace_back([k] {
      Team team;
      std::vector<long> sums(5 + k);
      for (int i = 0; i < 2000; ++i) team.run(5 + k, [&](int chunk) { sums[chunk] += i; });
      for (long sum : sums) EXPECT(sum == 2000L * 1999 / 2);
    });
  }
  for (int cores : {1, 4, 2}) {
    sleep_us(2000);
    set_cores(cores);
  }
  for (std::thread& caller : callers) caller.join();
}

std::set<std::thread::id> threads_of(Team& team) {
  constexpr int kChunks = 16;
  std::vector<std::thread::id> ids(kChunks);
  team.run(kChunks, [&](int chunk) {
    ids[chunk] = std::this_thread::get_id();
    sleep_us(300);
  });
  return {ids.begin(), ids.end()};
}

void helps_a_lone_caller() {
  set_cores(2);
  Team team;
  size_t most = 0;
  for (int i = 0; i < 100 && most < 2; ++i) most = std::max(most, threads_of(team).size());
  EXPECT(most == 2);
}

// Handles are given back: no number of them, one after the other, uses up the places.
void helps_after_many_callers() {
  set_cores(2);
  for (int i = 0; i < 100; ++i) {
    std::thread([] {
      Team team;
      team.run(2, [](int) {});
    }).join();
  }
  helps_a_lone_caller();
}

void keeps_to_the_budget_with_two_callers() {
  set_cores(2);
  Team mine, other;
  const Team::Active both(other);
  const Team::Active active(mine);
  for (int i = 0; i < 10; ++i) EXPECT(threads_of(mine).size() == 1);
}

void works_alone_without_a_region() {
  set_cores(2);
  std::vector<std::unique_ptr<Team>> teams;
  for (int i = 0; i < 70; ++i) teams.push_back(std::make_unique<Team>());
  for (auto& team : teams) {
    std::vector<int> hits(9);
    team->run(9, [&](int chunk) { ++hits[chunk]; });
    EXPECT(hits == std::vector<int>(9, 1));
  }
}

}  // namespace

int main() {
  for (int cores : {1, 2, 4}) runs_every_chunk_once(cores);
  orders_regions();
  serves_many_callers();
  helps_a_lone_caller();
  helps_after_many_callers();
  keeps_to_the_budget_with_two_callers();
  works_alone_without_a_region();
  EXPECT_THROWS(std::invalid_argument, set_cores(0));
  EXPECT(omni::cores() == 2);
}
