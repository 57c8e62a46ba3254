# Compiles `source` and compares the outcome with its `// expect:` line; see CMakeLists.txt.
#
#   cmake -D source=FILE -D compiler=FILE -D flags=LIST -P run_compile_fail_test.cmake

cmake_minimum_required(VERSION 3.25)

file(STRINGS ${source} expected REGEX "^// expect: ")
string(REGEX REPLACE "^// expect: " "" expected "${expected}")

set(ENV{LC_ALL} C)  # the compiler's messages in English
execute_process(COMMAND ${compiler} ${flags} -fsyntax-only ${source}
                RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)

# Printed apart from the verdict, whose lines CMake would wrap.
message("${output}")

if(expected STREQUAL "")
  if(failed)
    message(FATAL_ERROR "wanted it to compile")
  endif()
  return()
endif()
if(NOT failed)
  message(FATAL_ERROR "wanted an error, but it compiles")
endif()
# The first error, since that is the one people read.
string(REGEX MATCH "error: [^\n]*" first_error "${output}")
string(FIND "${first_error}" "${expected}" place)
if(place EQUAL -1)
  message(FATAL_ERROR "wanted as the first error '${expected}', got '${first_error}'")
endif()
