// Must fail: streams do not wait for events, so the talker reads rows before they are written. What
// it read is wrong, and the thread sanitizer sees the race. CTest expects the failure.
#include <chrono>
#include <thread>

#include "device_models.h"

using namespace omni;
using namespace omni::test;

namespace {

// Passes take long, so that the talker's step comes first unless it waits.
int misread_rows(bool ignore_waits) {
  constexpr int kTokens = 12, kCodes = 15;
  DeviceModels models({{kTokens, kCodes}}, [](At at, int, int) {
    if (at == At::thinker) std::this_thread::sleep_for(std::chrono::milliseconds(3));
  });
  FAKE(fakeCudaIgnoreWaits)(ignore_waits);
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(models.params(0));
  read_all(*session);
  EXPECT(session->join(Clock::time_point::max()));
  int misread = 0;
  for (int t = 0; t < kTokens - 1; ++t) misread += models.inputs(0)[t] != text_row(0, t);
  return misread;
}

}  // namespace

int main() {
  if (misread_rows(false) > 0) {
    std::fprintf(stderr, "rows were misread although streams waited\n");
    return 0;  // which CTest takes for the failure that it is
  }
  const int misread = misread_rows(true);
  std::fprintf(stderr, "%d rows were misread\n", misread);
  return misread > 0 ? 1 : 0;
}
