# Writes the vcpkg port of a release, with what is not known before: the hash of its source package,
# and where that lies.
#
#   cmake -D ARCHIVE=regtorch-X.Y.Z.tar.gz -D URL=WHERE_IT_IS_DOWNLOADED -D PORT=FOLDER -P make_port.cmake

cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/../../version.cmake)

foreach(name ARCHIVE URL PORT)
  if(NOT ${name})
    message(FATAL_ERROR "make_port: wanted -D ${name}=...")
  endif()
endforeach()
set(filename regtorch-${version}.tar.gz)
cmake_path(GET ARCHIVE FILENAME given)
if(NOT given STREQUAL filename)
  message(FATAL_ERROR "make_port: wanted the source package ${filename}, got ${ARCHIVE}")
endif()
file(SHA512 ${ARCHIVE} sha512)
foreach(file portfile.cmake vcpkg.json)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/${file}.in ${PORT}/${file} @ONLY)
endforeach()
file(COPY ${CMAKE_CURRENT_LIST_DIR}/usage DESTINATION ${PORT})
