# Fails if a header under `include` defines or undefines a macro that is not named REGTORCH_...:
# macros know no namespace, so any other could be the user's.
#
#   cmake -D include=FOLDER -P check_macros.cmake
#
# It reads the headers instead of preprocessing them, so that code for other compilers and headers
# that need CUDA count too.

cmake_minimum_required(VERSION 3.25)

file(GLOB_RECURSE headers ${include}/*.hpp ${include}/*.h ${include}/*.cuh ${include}/*.cu)
set(count 0)
set(foreign "")
foreach(header IN LISTS headers)
  file(READ ${header} text)
  # The names alone, one after the other: lines of code hold characters that break CMake's lists.
  string(REGEX MATCHALL "\n[ \t]*#[ \t]*(define|undef)[ \t]+[A-Za-z_0-9]+" lines "\n${text}")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE ".*[ \t]" "" name "${line}")
    math(EXPR count "${count} + 1")
    if(NOT name MATCHES "^REGTORCH_")
      string(APPEND foreign "\n  ${name} in ${header}")
    endif()
  endforeach()
endforeach()
if(foreign)
  message(FATAL_ERROR "wanted only macros named REGTORCH_..., got:${foreign}")
endif()
if(count EQUAL 0)
  message(FATAL_ERROR "found no macros at all under ${include}: wanted at least the version")
endif()
message("${count} definitions of macros, all named REGTORCH_...")
