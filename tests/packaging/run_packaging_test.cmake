# Makes the packages of a release and uses them:
#
#   cmake -D NAME=VALUE ... -P run_packaging_test.cmake
#
#   kind       make: puts the packages into work, for the others; or the package to install and use:
#              source, tar_gz, deb, vcpkg, conan; lintian: looks at the .deb
#   work       scratch folder
#   source, binary   regtorch's source and build trees
#   torch_dir, generator, compiler, launcher   the build's own
#   cpack, dpkg_deb, apt_get, lintian, conan   programs

cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/../cmake/run.cmake)
include(${source}/cmake/version.cmake)

# Sets `result` to the files under a folder.
function(list_files folder result)
  file(GLOB_RECURSE files RELATIVE ${folder} ${folder}/*)
  list(SORT files)
  set(${result} "${files}" PARENT_SCOPE)
endfunction()

function(expect_same_files what wanted got)
  if(NOT wanted STREQUAL got)
    set(missing ${wanted})
    list(REMOVE_ITEM missing ${got})
    set(surplus ${got})
    list(REMOVE_ITEM surplus ${wanted})
    message(FATAL_ERROR "${what}: missing: ${missing}; not wanted: ${surplus}")
  endif()
endfunction()

# A folder whose name is a trap for patterns: parts of it are what a source package leaves out.
set(unpacked "${work}/build/data/c++ (1)/regtorch-${version}")
set(packages "${unpacked}/build/package")

if(kind STREQUAL "make")
  file(REMOVE_RECURSE ${work})
  run(${cpack} --config ${binary}/CPackSourceConfig.cmake -B ${work}/first)
  cmake_path(GET unpacked PARENT_PATH folder)
  file(ARCHIVE_EXTRACT INPUT ${work}/first/regtorch-${version}.tar.gz DESTINATION ${folder})
  list_files("${unpacked}" packed)
  if(EXISTS ${source}/.git)  # not in a source package
    execute_process(COMMAND git ls-files --cached --others --exclude-standard
                    WORKING_DIRECTORY ${source} OUTPUT_VARIABLE tracked COMMAND_ERROR_IS_FATAL ANY)
    string(STRIP "${tracked}" tracked)
    string(REPLACE "\n" ";" tracked "${tracked}")
    list(SORT tracked)
    expect_same_files("source package" "${tracked}" "${packed}")
  endif()

  # From there, as a packager would; and none of what lies about there by then is packed again.
  foreach(litter .git/config .venv/bin/python .venv-cuda/bin/python build/test/a.o build-2/a.o
                 data/cifar-10-batches-bin/data_batch_1.bin out/history.csv tests/__pycache__/a.pyc
                 cmake/packaging/conan/test_package/build/a.o)
    file(WRITE "${unpacked}/${litter}" "")
  endforeach()
  unset(ENV{Torch_DIR})
  unset(ENV{CMAKE_PREFIX_PATH})
  execute_process(COMMAND ${CMAKE_COMMAND} --workflow --preset package
                  WORKING_DIRECTORY ${unpacked} OUTPUT_VARIABLE output ERROR_VARIABLE output
                  RESULT_VARIABLE failed)
  if(failed)
    fail("the workflow package failed" "${output}")
  endif()
  file(ARCHIVE_EXTRACT INPUT "${packages}/regtorch-${version}.tar.gz" DESTINATION ${work}/second)
  list_files(${work}/second/regtorch-${version} packed_again)
  expect_same_files("source package made from a source package" "${packed}" "${packed_again}")
  return()
endif()

set(deb "${packages}/libregtorch-dev_${version}_all.deb")
if(kind STREQUAL "lintian")
  # But for what Debian asks of its own packages: a changelog in its format, a maintainer's address.
  run(${lintian} --allow-root --fail-on error,warning
      --suppress-tags no-changelog,malformed-contact ${deb})
  message("${output}")
  return()
endif()

# --- installing it into a prefix ----------------------------------------------------------------

set(place ${work}/${kind})
file(REMOVE_RECURSE ${place})
set(config_folder share/cmake/regtorch)
set(docs share/doc/regtorch/LICENSE)

if(kind STREQUAL "source")
  set(prefix ${place}/prefix)
  run(${CMAKE_COMMAND} --install ${packages} --prefix ${prefix})

elseif(kind STREQUAL "tar_gz")
  set(prefix ${place}/regtorch-${version}-headers)
  file(ARCHIVE_EXTRACT INPUT "${packages}/regtorch-${version}-headers.tar.gz" DESTINATION ${place})

elseif(kind STREQUAL "deb")
  set(prefix ${place}/usr)
  set(docs share/doc/libregtorch-dev/NEWS.gz share/doc/libregtorch-dev/copyright)
  run(${dpkg_deb} --extract ${deb} ${place})
  foreach(field "Package: libregtorch-dev" "Version: ${version}" "Architecture: all"
                "Depends: g++ (>= 4:12)")
    string(REGEX REPLACE ":.*" "" name "${field}")
    run(${dpkg_deb} --field ${deb} ${name})
    string(STRIP "${output}" output)
    if(NOT field STREQUAL "${name}: ${output}")
      message(FATAL_ERROR "wanted ${field}, got ${output}")
    endif()
  endforeach()
  run(${dpkg_deb} --contents ${deb})
  string(REGEX MATCHALL "[^\n]+" lines "${output}")
  foreach(line IN LISTS lines)
    if(NOT line MATCHES "^(drwxr-xr-x|-rw-r--r--) root/root ")
      fail("wanted a file or folder of root that all can read" "${line}")
    endif()
  endforeach()
  if(apt_get)  # can what it depends on be had?
    run(${apt_get} install --simulate --no-install-recommends ${deb})
  endif()

elseif(kind STREQUAL "vcpkg")
  set(prefix ${place}/packages/regtorch_x64-linux)
  set(config_folder share/regtorch)
  set(docs share/regtorch/copyright share/regtorch/usage)
  set(archive ${work}/first/regtorch-${version}.tar.gz)
  set(port ${place}/ports/regtorch)
  run(${CMAKE_COMMAND} -DARCHIVE=${archive} -DURL=file://${archive} -DPORT=${port}
      -P ${source}/cmake/packaging/vcpkg/make_port.cmake)
  run(${CMAKE_COMMAND} -Dport=${port} -Dprefix=${prefix} -Dplace=${place} -Dgenerator=${generator}
      -Dcompiler=${compiler} -P ${CMAKE_CURRENT_LIST_DIR}/vcpkg_stub.cmake)
  file(READ ${port}/vcpkg.json manifest)
  string(JSON stated GET "${manifest}" version)
  if(NOT stated STREQUAL version)
    message(FATAL_ERROR "vcpkg.json: wanted version ${version}, got ${stated}")
  endif()
  # What it tells a user to write is what the program below does.
  file(STRINGS ${port}/usage told REGEX "^    ")
  file(READ ${source}/cmake/packaging/conan/test_package/CMakeLists.txt written)
  foreach(line IN LISTS told)
    string(STRIP "${line}" line)
    string(FIND "${written}" "\n${line}\n" found)
    if(found EQUAL -1)
      message(FATAL_ERROR "usage: no such line in the program's CMakeLists.txt: ${line}")
    endif()
  endforeach()

elseif(kind STREQUAL "conan")
  set(docs licenses/LICENSE ${docs})
  set(ENV{CONAN_HOME} ${place}/home)
  set(ENV{Torch_DIR} ${torch_dir})
  set(ENV{CXX} ${compiler})
  set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${launcher}")
  run(${conan} profile detect)
  run(${conan} create "${unpacked}/cmake/packaging/conan" --no-remote -s compiler.cppstd=20
      -c tools.cmake.cmaketoolchain:generator=${generator}
      -c tools.cmake.cmake_layout:test_folder=${place}/test --format=json
      --out-file=${place}/made.json)
  file(READ ${place}/made.json made)
  string(JSON prefix GET "${made}" graph nodes 1 package_folder)
  string(JSON reference GET "${made}" graph nodes 1 ref)
  if(NOT reference MATCHES "^regtorch/${version}#")
    message(FATAL_ERROR "wanted the package regtorch/${version}, got ${reference}")
  endif()
endif()

# --- what is in it ------------------------------------------------------------------------------

list_files(${source}/include headers)
list(TRANSFORM headers PREPEND include/)
set(config_files regtorchConfig.cmake regtorchConfigVersion.cmake regtorchTargets.cmake
                 regtorchCudaTargets.cmake cuda_standard.cmake)
list(TRANSFORM config_files PREPEND ${config_folder}/)
set(wanted ${headers} ${config_files} ${docs})
list(SORT wanted)
list_files(${prefix} installed)
list(FILTER installed EXCLUDE REGEX "^conan(info\\.txt|manifest\\.txt)$")
expect_same_files("the installed package" "${wanted}" "${installed}")
foreach(header IN LISTS headers)
  file(SHA256 ${source}/${header} wanted)
  file(SHA256 ${prefix}/${header} got)
  if(NOT wanted STREQUAL got)
    message(FATAL_ERROR "${prefix}/${header} is not the one in ${source}")
  endif()
endforeach()
foreach(file IN LISTS config_files)
  file(READ ${prefix}/${file} text)
  foreach(folder ${source} ${work})
    string(FIND "${text}" ${folder} found)
    if(NOT found EQUAL -1)
      message(FATAL_ERROR "${prefix}/${file} cannot be moved: it names ${folder}")
    endif()
  endforeach()
endforeach()

# --- a program that uses it, with -O2 and nothing else ------------------------------------------

if(kind STREQUAL "conan")
  return()  # which has built and run it
endif()
set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${launcher}")
run(${CMAKE_COMMAND} -S ${source}/cmake/packaging/conan/test_package -B ${place}/build
    -G ${generator} -DCMAKE_CXX_COMPILER=${compiler} -DCMAKE_CXX_FLAGS=-O2 -DCMAKE_BUILD_TYPE=
    -DCMAKE_PREFIX_PATH=${prefix} -DTorch_DIR=${torch_dir})
run(${CMAKE_COMMAND} --build ${place}/build)
run(${place}/build/main)
message("${output}")
if(NOT output MATCHES "^regtorch ${version}:")
  message(FATAL_ERROR "wanted a program with regtorch ${version}")
endif()
