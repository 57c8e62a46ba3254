# Sets `sources` to those of regtorch_bench, for the project's own build and for bench/foreign.
file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_bench.cpp)
list(FILTER sources EXCLUDE REGEX "/cuda/")  # a program of its own
list(APPEND sources ${CMAKE_CURRENT_LIST_DIR}/main.cpp)
