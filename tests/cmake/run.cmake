# For tests that are CMake scripts.

# Prints `text` as it is, which an error's text is not, and fails.
function(fail reason text)
  message("${text}")
  message(FATAL_ERROR "${reason}")
endfunction()

# Runs a command; sets `output` to what it printed, or fails with it.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE failed OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(failed)
    list(JOIN ARGV " " command)
    fail("failed (${failed}): ${command}" "${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()
