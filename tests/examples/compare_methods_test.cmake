# compare_methods keeps its finished runs, makes the missing ones alone, and mixes none of others:
#
#   cmake -D program=compare_methods -D out=FOLDER -P compare_methods_test.cmake

# Runs the program; sets `output`, `status`, the number of runs made, and the table without its
# seconds.
function(compare epochs)
  execute_process(COMMAND ${program} --data synthetic --train-size 64 --validation-size 64
                          --epochs ${epochs} --seeds 2 --out ${out}
                  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
  string(REGEX MATCHALL "seed [0-9]+: train" made "${output}")
  list(LENGTH made made)
  set(table "")
  if(EXISTS ${out}/methods.md)
    file(READ ${out}/methods.md table)
    string(REGEX REPLACE "[^|\n]*\\|\n" "\n" table "${table}")
  endif()
  foreach(name output status made table)
    set(${name} "${${name}}" PARENT_SCOPE)
  endforeach()
endfunction()

function(want what)
  if(NOT (${ARGN}))
    message("${output}")
    message(FATAL_ERROR "wanted ${what}; exit code ${status}, ${made} runs made")
  endif()
endfunction()

file(REMOVE_RECURSE ${out})
compare(1)
# Baseline, augmentation, batch norm, all together and four methods with both seeds, and these four
# with their other strength.
want("20 runs and a report" status EQUAL 0 AND made EQUAL 20 AND EXISTS ${out}/report.html)
set(first "${table}")

compare(1)
want("no run made again, and the same table" status EQUAL 0 AND made EQUAL 0 AND
     table STREQUAL first)

file(REMOVE "${out}/runs/baseline seed 1.pt")
compare(1)
want("the missing run made, and the same table" status EQUAL 0 AND made EQUAL 1 AND
     table STREQUAL first)

compare(2)
want("an error, not a mixture of settings" status EQUAL 1 AND made EQUAL 0 AND
     output MATCHES "holds runs of other settings")

file(REMOVE ${out}/settings.json)
compare(1)
want("an error, not runs of unknown settings" status EQUAL 1 AND made EQUAL 0 AND
     output MATCHES "holds runs of unknown settings")
file(REMOVE_RECURSE ${out})
