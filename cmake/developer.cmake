# What a build of regtorch itself wants and a project that merely uses it must not get.

# An optimised build unless another is asked for.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# The LibTorch that bootstrap.sh put into .venv, else the active Python's; one that the user names by
# Torch_DIR or CMAKE_PREFIX_PATH comes before both. (Left alone, CMake would look at those of the
# environment last.)
list(PREPEND CMAKE_PREFIX_PATH $ENV{Torch_DIR})
if(DEFINED ENV{CMAKE_PREFIX_PATH})
  cmake_path(CONVERT "$ENV{CMAKE_PREFIX_PATH}" TO_CMAKE_PATH_LIST named_prefixes)
  list(PREPEND CMAKE_PREFIX_PATH ${named_prefixes})
endif()
foreach(python ${CMAKE_CURRENT_SOURCE_DIR}/.venv/bin/python python3)
  execute_process(COMMAND ${python} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/find_torch.py
                  OUTPUT_VARIABLE python_torch OUTPUT_STRIP_TRAILING_WHITESPACE
                  RESULT_VARIABLE ignored ERROR_QUIET)
  list(APPEND CMAKE_PREFIX_PATH ${python_torch})
endforeach()

set(REGTORCH_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
option(REGTORCH_WERROR "Treat the compiler's warnings as errors" OFF)
if(REGTORCH_WERROR)
  list(APPEND REGTORCH_WARNINGS -Werror)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # What ccache must overlook to cache files that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE})
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()
