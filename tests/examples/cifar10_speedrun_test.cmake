# cifar10_speedrun learns real CIFAR-10 in one epoch, in less than 3 GiB; and the same seed is the
# same accuracy, to the last digit, by both recipes:
#
#   cmake -D program=cifar10_speedrun -D out=FOLDER -P cifar10_speedrun_test.cmake
#
# The real images are in $REGTORCH_CIFAR10_ROOT; without it the test says SKIPPED after the rest.

cmake_minimum_required(VERSION 3.25)

# Runs the program; sets `output` and `history`, the table without its seconds.
function(train)
  execute_process(COMMAND ${program} --out ${out} ${ARGN}
                  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${output}\nwanted exit code 0, got ${status}")
  endif()
  file(READ ${out}/history.csv history)
  string(REGEX REPLACE ",[^,\n]*\n" "\n" history "${history}")
  foreach(name output history)
    set(${name} "${${name}}" PARENT_SCOPE)
  endforeach()
endfunction()

# Sets `number` to what stands behind `text` in the output.
function(number_after text)
  if(NOT output MATCHES "${text}([0-9.]+)")
    message(FATAL_ERROR "wanted a number after '${text}'")
  endif()
  set(number ${CMAKE_MATCH_1} PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${out})
foreach(recipe airbench94 muon)
  set(flags --data synthetic --recipe ${recipe} --epochs 1 --seed 5)
  train(${flags})
  set(first "${history}")
  if(NOT first MATCHES "\n1,1," OR NOT EXISTS ${out}/accuracy.svg)
    message(FATAL_ERROR "${output}\nwanted an epoch in history.csv and accuracy.svg, got\n${first}")
  endif()
  train(${flags})
  if(NOT history STREQUAL first)
    message(FATAL_ERROR "wanted the same numbers from the same seed, got\n${first}and\n${history}")
  endif()
endforeach()

if(NOT EXISTS "$ENV{REGTORCH_CIFAR10_ROOT}/test_batch.bin")
  message("SKIPPED: no CIFAR-10 in REGTORCH_CIFAR10_ROOT")
  return()
endif()
train(--data $ENV{REGTORCH_CIFAR10_ROOT} --epochs 1)
message("${output}")
number_after("validation accuracy: *mean ")
if(number LESS 45)
  message(FATAL_ERROR "wanted 45 % accuracy after an epoch, got ${number}")
endif()
number_after("peak memory: ")
if(number GREATER_EQUAL 3)
  message(FATAL_ERROR "wanted less than 3 GiB, got ${number}")
endif()
file(REMOVE_RECURSE ${out})
