# What a build of regtorch itself wants and a project that merely uses it must not get.

# An optimised build unless another is asked for.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# The LibTorch that bootstrap.sh put into .venv, else the active Python's; one that the user names by
# Torch_DIR or CMAKE_PREFIX_PATH comes before both. (Left alone, CMake would look at those of the
# environment last.) With REGTORCH_CUDA it is the one in .venv-cuda, and nothing else will do.
list(PREPEND CMAKE_PREFIX_PATH $ENV{Torch_DIR})
if(DEFINED ENV{CMAKE_PREFIX_PATH})
  cmake_path(CONVERT "$ENV{CMAKE_PREFIX_PATH}" TO_CMAKE_PATH_LIST named_prefixes)
  list(PREPEND CMAKE_PREFIX_PATH ${named_prefixes})
endif()
if(REGTORCH_CUDA)
  set(pythons ${CMAKE_CURRENT_SOURCE_DIR}/.venv-cuda/bin/python)
  # LibTorch's CMake files look for the toolkit, CMake itself for the compiler.
  find_program(NVCC nvcc HINTS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin REQUIRED)
  cmake_path(GET NVCC PARENT_PATH nvcc_folder)
  cmake_path(GET nvcc_folder PARENT_PATH toolkit)
  set(CMAKE_CUDA_COMPILER ${NVCC} CACHE FILEPATH "nvcc")
  set(CUDA_TOOLKIT_ROOT_DIR ${toolkit} CACHE PATH "The CUDA toolkit")
else()
  set(pythons ${CMAKE_CURRENT_SOURCE_DIR}/.venv/bin/python python3)
endif()
foreach(python ${pythons})
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
  # What ccache must overlook to cache files that use a precompiled header; and clones in other folders
  # share what it has.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_CURRENT_SOURCE_DIR} CCACHE_NOHASHDIR=true ${CCACHE})
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()
