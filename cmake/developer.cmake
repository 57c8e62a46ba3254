# What a build of regtorch itself wants and a project that merely uses it must not get.

# An optimised build unless another is asked for.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# The LibTorch that bootstrap.sh put into .venv, after any that the user names.
file(GLOB venv_torch ${CMAKE_CURRENT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
list(APPEND CMAKE_PREFIX_PATH ${venv_torch})

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
