#define CATCH_CONFIG_MAIN
#if __has_include(<catch2/catch_all.hpp>)
#error "Catch2 3 has a main of its own"
#endif
#include <catch2/catch.hpp>
