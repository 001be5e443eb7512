// What the tests need of a test framework.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>

#define EXPECT(condition)                                                           \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
      std::_Exit(1);                                                                \
    }                                                                               \
  } while (false)

#define EXPECT_THROWS(Error, statement)                                                       \
  do {                                                                                        \
    bool thrown = false;                                                                      \
    try {                                                                                     \
      statement;                                                                              \
    } catch (const Error&) {                                                                  \
      thrown = true;                                                                          \
    }                                                                                         \
    if (!thrown) {                                                                            \
      std::fprintf(stderr, "%s:%d: no %s from %s\n", __FILE__, __LINE__, #Error, #statement); \
      std::_Exit(1);                                                                          \
    }                                                                                         \
  } while (false)
