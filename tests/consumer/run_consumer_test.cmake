# Builds and runs a foreign project that uses regtorch, and looks at what it was given:
#
#   cmake -D NAME=VALUE ... -P run_consumer_test.cmake
#
#   kind       install: puts regtorch into work/prefix, for the others; or the folder beside this
#              file that holds the project
#   work       scratch folder
#   source, binary   regtorch's source and build trees
#   version    what find_package is asked for
#   torch_dir, cli11_dir, generator, compiler, launcher, objdump, processor,
#   cuda_compiler, cuda_toolkit   the build's own
#
# The project is compiled with -O2 and nothing else: that must be enough.

cmake_minimum_required(VERSION 3.25)

include(${CMAKE_CURRENT_LIST_DIR}/../cmake/run.cmake)

set(prefix ${work}/prefix)
if(kind STREQUAL install)
  file(REMOVE_RECURSE ${work})
  run(${CMAKE_COMMAND} --install ${binary} --prefix ${prefix})
  return()
endif()

# --- a project in a folder of its own -----------------------------------------------------------

set(project ${work}/${kind})
file(REMOVE_RECURSE ${project})
file(COPY ${CMAKE_CURRENT_LIST_DIR}/consumer.cpp ${CMAKE_CURRENT_LIST_DIR}/${kind}
     DESTINATION ${work})
set(arguments "")
if(kind STREQUAL copied_example)
  file(COPY ${source}/examples/early_stopping.cpp ${source}/examples/common.hpp
       DESTINATION ${project})
  set(out ${project}/out)
  set(arguments --data synthetic --epochs 1 --train-size 64 --validation-size 64 --out ${out})
endif()

# What the caller's environment says must not decide; a launcher may be a list, so it goes this way.
unset(ENV{REGTORCH_ISA})
set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${launcher}")
set(of_cuda "")
if(cuda_compiler)
  set(of_cuda -DCMAKE_CUDA_COMPILER=${cuda_compiler} -DCUDA_TOOLKIT_ROOT_DIR=${cuda_toolkit})
  set(ENV{TORCH_CUDA_ARCH_LIST} 7.5)  # one of them, for its time
endif()
run(${CMAKE_COMMAND} -S ${project} -B ${project}/build -G ${generator}
    -DCMAKE_CXX_COMPILER=${compiler} -DCMAKE_CXX_FLAGS=-O2 -DCMAKE_BUILD_TYPE=
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DCMAKE_PREFIX_PATH=${prefix} -DTorch_DIR=${torch_dir}
    -DCLI11_DIR=${cli11_dir} -DREGTORCH_SOURCE=${source} -DREGTORCH_WANTED=${version} ${of_cuda})
run(${CMAKE_COMMAND} --build ${project}/build --parallel 1)
run(${project}/build/consumer ${arguments})
message("${output}")

if(kind STREQUAL cuda)
  return()  # whose flags are LibTorch's and nvcc's too
endif()

# --- nothing of ours in the stranger's build ----------------------------------------------------

file(READ ${project}/build/compile_commands.json commands)
string(JSON files LENGTH "${commands}")
if(NOT files EQUAL 1)
  fail("wanted one file compiled, the project's own, got ${files}" "${commands}")
endif()
# Warnings, machine flags, a precompiled header, another optimisation level. LibTorch's definitions
# are let through.
string(REGEX MATCHALL " -(W|m|f|O|include)[^ \"]*" flags "${commands}")
list(REMOVE_DUPLICATES flags)
list(SORT flags)
if(NOT flags STREQUAL " -O2; -fopenmp")
  fail("wanted -O2 and -fopenmp alone, got${flags}" "${commands}")
endif()

# --- what the program made or is made of --------------------------------------------------------

if(kind STREQUAL copied_example)
  file(STRINGS ${out}/history.csv history)
  list(LENGTH history lines)
  if(NOT lines EQUAL 2 OR NOT history MATCHES "val_loss")
    fail("wanted a header and one epoch in history.csv" "${history}")
  endif()
  file(READ ${out}/summary.json summary)
  string(JSON epochs ERROR_VARIABLE error GET "${summary}" epochs)
  if(error OR NOT epochs EQUAL 1)
    fail("wanted JSON with one epoch in summary.json (${error})" "${summary}")
  endif()
endif()

if(kind STREQUAL find_package)
  if(NOT processor MATCHES "^(x86_64|AMD64)$")
    message("skipped: which vector instructions the kernels use is only known for x86-64")
    return()
  endif()
  run(${objdump} -d --no-show-raw-insn ${project}/build/consumer)
  # g++ takes half of AVX-512's registers for a loop of 32 bytes that become floats: the whole ones
  # would be for 64.
  foreach(level v3:ymm v4:[yz]mm)
    string(REPLACE ":" ";" level ${level})
    list(POP_FRONT level function register)
    string(REGEX MATCH "<[^>]*run_on_${function}[^>]*transform_images[^>]*>:" label "${output}")
    if(NOT label)
      message(FATAL_ERROR "found no run_on_${function} of transform_images in the program")
    endif()
    # An empty line ends a function.
    string(FIND "${output}" "${label}" begin)
    string(SUBSTRING "${output}" ${begin} -1 code)
    string(FIND "${code}" "\n\n" end)
    string(SUBSTRING "${code}" 0 ${end} code)
    set(multiply "v(mul|fn?m(add|sub)[0-9]*)")
    string(REGEX MATCHALL "${multiply}ps [^\n]*%${register}" vectors "${code}")
    string(REGEX MATCHALL "${multiply}ss " scalars "${code}")
    list(LENGTH vectors vectors)
    list(LENGTH scalars scalars)
    message("run_on_${function}: ${vectors} multiplications on ${register}, ${scalars} scalar ones")
    if(vectors EQUAL 0 OR scalars GREATER 0)
      fail("wanted arithmetic on ${register} registers alone in run_on_${function}" "${code}")
    endif()
  endforeach()
endif()
