#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "runtime/plan.h"

using omni::Plan;
using omni::Team;

namespace {

struct Push {
  std::vector<int>* out;
  int value;
};

struct Fill {
  int* out;  // [count]
  int count;
  char odd[13];  // blocks of any size keep their alignment
};

struct Nothing {};

void push(const Push& args, Team&) { args.out->push_back(args.value); }

void fill(const Fill& args, Team& team) {
  team.run(args.count, [&](int chunk) { args.out[chunk] += chunk + args.odd[12]; });
}

void fail(const Nothing&, Team&) { throw std::domain_error("kernel"); }

void runs_calls_in_order_again_and_again() {
  Plan plan("test");
  std::vector<int> out;
  std::vector<int> cells(40);
  for (int i = 0; i < 50; ++i) {
    plan.append("push", push, Push{&out, i});
    if (i % 3 == 0) plan.append("fill", fill, Fill{cells.data(), 40, {}});
  }
  Team team;
  plan.run(team);
  plan.run(team);
  EXPECT(plan.size() == 67 && out.size() == 100);
  for (int i = 0; i < 100; ++i) EXPECT(out[i] == i % 50);
  for (int i = 0; i < 40; ++i) EXPECT(cells[i] == 2 * 17 * i);
  EXPECT(plan.name() == "test");
  EXPECT(plan.calls()[0] == "push" && plan.calls()[1] == "fill" && plan.calls()[2] == "push");
}

void records_on_one_thread_only() {
  Plan plan("outer"), other("inner");
  EXPECT(Plan::recording() == nullptr);
  {
    const Plan::Recording recording(plan);
    EXPECT(Plan::recording() == &plan);
    EXPECT_THROWS(std::logic_error, Plan::Recording second(other));
    EXPECT(Plan::recording() == &plan);
    std::thread([&] {
      EXPECT(Plan::recording() == nullptr);
      const Plan::Recording here(other);
      EXPECT(Plan::recording() == &other);
    }).join();
    EXPECT(Plan::recording() == &plan);
  }
  EXPECT(Plan::recording() == nullptr);
}

void passes_exceptions_on() {
  Plan plan("failing");
  std::vector<int> out;
  plan.append("push", push, Push{&out, 1});
  plan.append("fail", fail, Nothing{});
  plan.append("push", push, Push{&out, 2});
  Team team;
  EXPECT_THROWS(std::domain_error, plan.run(team));
  EXPECT_THROWS(std::domain_error, plan.run(team));
  EXPECT(out == std::vector<int>({1, 1}));
}

}  // namespace

int main() {
  runs_calls_in_order_again_and_again();
  records_on_one_thread_only();
  passes_exceptions_on();
}
