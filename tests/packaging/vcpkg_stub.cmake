# Runs a port as vcpkg would, whose functions are imitated as its documentation describes them, as far
# as this port uses them:
#
#   cmake -D port=FOLDER -D prefix=FOLDER -D place=SCRATCH -D generator=... -D compiler=... -P vcpkg_stub.cmake

cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/../cmake/run.cmake)

# --- the manifest -------------------------------------------------------------------------------

file(READ ${port}/vcpkg.json manifest)
set(fields builtin-baseline default-features dependencies description documentation features homepage
           license maintainers name overrides port-version summary supports version version-date
           version-semver version-string)
string(JSON count LENGTH "${manifest}")
math(EXPR last "${count} - 1")
set(versions "")
foreach(i RANGE ${last})
  string(JSON field MEMBER "${manifest}" ${i})
  if(NOT field IN_LIST fields AND NOT field MATCHES "^\\$")
    message(FATAL_ERROR "vcpkg.json: unknown field ${field}")
  endif()
  if(field MATCHES "^version")
    list(APPEND versions ${field})
  endif()
endforeach()
if(NOT versions STREQUAL "version")
  message(FATAL_ERROR "vcpkg.json: wanted one version, got ${versions}")
endif()
string(JSON PORT GET "${manifest}" name)
if(NOT PORT MATCHES "^[a-z0-9]+(-[a-z0-9]+)*$")
  message(FATAL_ERROR "vcpkg.json: not a port's name: ${PORT}")
endif()
# The ports that bring functions, which must be there on the machine that builds.
string(JSON count LENGTH "${manifest}" dependencies)
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  string(JSON dependency GET "${manifest}" dependencies ${i} name)
  string(JSON host GET "${manifest}" dependencies ${i} host)
  if(host)
    list(APPEND host_dependencies ${dependency})
  endif()
endforeach()

function(expect_dependency name)
  if(NOT name IN_LIST host_dependencies)
    message(FATAL_ERROR "vcpkg.json: wanted a host dependency on ${name}, got ${host_dependencies}")
  endif()
endfunction()

# --- the functions ------------------------------------------------------------------------------

set(CURRENT_PACKAGES_DIR ${prefix})

# Fails where the caller's arguments were not all understood.
macro(parse_arguments start options one many)
  cmake_parse_arguments(PARSE_ARGV ${start} arg "${options}" "${one}" "${many}")
  if(DEFINED arg_UNPARSED_ARGUMENTS OR DEFINED arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "${CMAKE_CURRENT_FUNCTION}: ${arg_UNPARSED_ARGUMENTS} "
                        "${arg_KEYWORDS_MISSING_VALUES}")
  endif()
endmacro()

function(vcpkg_download_distfile result)
  parse_arguments(1 "" "FILENAME;SHA512" "URLS")
  set(file ${place}/downloads/${arg_FILENAME})
  file(DOWNLOAD ${arg_URLS} ${file} EXPECTED_HASH SHA512=${arg_SHA512})
  set(${result} ${file} PARENT_SCOPE)
endfunction()

function(vcpkg_extract_source_archive result)
  parse_arguments(1 "" "ARCHIVE" "")
  file(ARCHIVE_EXTRACT INPUT ${arg_ARCHIVE} DESTINATION ${place}/src)
  file(GLOB top ${place}/src/*)  # whose one folder is taken off
  set(${result} ${top} PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
  parse_arguments(0 "" "SOURCE_PATH" "OPTIONS")
  expect_dependency(vcpkg-cmake)
  if(NOT VCPKG_BUILD_TYPE STREQUAL "release")
    message(FATAL_ERROR "only release builds are imitated")
  endif()
  # No LibTorch is at hand.
  run(${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${place}/buildtree -G ${generator}
      -DCMAKE_CXX_COMPILER=${compiler} -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=${prefix}
      -DCMAKE_DISABLE_FIND_PACKAGE_Torch=ON ${arg_OPTIONS})
  if(output MATCHES "not used by the project:[^-]*\n *(REGTORCH[A-Z_]*)")
    message(FATAL_ERROR "the port sets ${CMAKE_MATCH_1}, which the project does not use")
  endif()
endfunction()

function(vcpkg_cmake_install)
  run(${CMAKE_COMMAND} --build ${place}/buildtree --target install)
endfunction()

function(vcpkg_cmake_config_fixup)
  parse_arguments(0 "" "CONFIG_PATH" "")
  expect_dependency(vcpkg-cmake-config)
  file(RENAME ${prefix}/${arg_CONFIG_PATH} ${prefix}/share/${PORT})
  cmake_path(GET arg_CONFIG_PATH PARENT_PATH parent)
  file(GLOB rest ${prefix}/${parent}/*)
  if(NOT rest)
    file(REMOVE_RECURSE ${prefix}/${parent})
  endif()
  # The prefix is two folders up from there, however many it was before.
  file(GLOB files ${prefix}/share/${PORT}/*Targets.cmake)
  set(up "get_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)\n")
  foreach(file IN LISTS files)
    file(READ ${file} text)
    string(REPLACE "${up}${up}${up}" "${up}${up}" text "${text}")
    file(WRITE ${file} "${text}")
  endforeach()
endfunction()

function(vcpkg_install_copyright)
  parse_arguments(0 "" "" "FILE_LIST")
  file(INSTALL ${arg_FILE_LIST} DESTINATION ${prefix}/share/${PORT} RENAME copyright)
endfunction()

# --- the port -----------------------------------------------------------------------------------

include(${port}/portfile.cmake)
