# The version is stated in version.hpp alone, and the changelog's newest section is of that version:
#
#   cmake -D source=FOLDER -P version_test.cmake

cmake_minimum_required(VERSION 3.25)
include(${source}/cmake/version.cmake)

file(STRINGS ${source}/CHANGELOG.md sections REGEX "^## ")
list(GET sections 0 newest)
if(NOT newest MATCHES "^## ([0-9.]+) - (unreleased|20[0-9][0-9]-[0-9][0-9]-[0-9][0-9])$"
   OR NOT CMAKE_MATCH_1 STREQUAL version)
  message(SEND_ERROR "CHANGELOG.md: wanted \"## ${version} - unreleased\" or a date, got \"${newest}\"")
endif()

# Measured results say which version they are of.
set(results CHANGELOG.md docs/benchmarks.md docs/experiments.md)
file(GLOB_RECURSE files RELATIVE ${source} ${source}/cmake/* ${source}/include/* ${source}/tests/*
     ${source}/examples/* ${source}/bench/* ${source}/docs/*)
file(GLOB top RELATIVE ${source} LIST_DIRECTORIES FALSE ${source}/* ${source}/.ci/*)
list(APPEND files ${top})
list(REMOVE_ITEM files ${results})
string(REPLACE "." "\\." pattern ${version})
foreach(file IN LISTS files)
  file(READ ${source}/${file} text)
  if("\n${text}\n" MATCHES "[^0-9.]${pattern}[^0-9]"
     OR text MATCHES "find_package\\(regtorch [0-9]")
    message(SEND_ERROR "${file} repeats the version, which include/regtorch/version.hpp states")
  endif()
endforeach()
