# Fetches the official CIFAR-10 "binary version (suitable for C programs)" and unpacks it:
#
#   cmake [-D NAME=VALUE ...] -P cmake/download_cifar10.cmake      (each -D must precede -P)
#
#   DIR   where to put it (default: data, in the current working directory)
#   URL, MD5, SIZE   the archive, its checksum and its length in bytes (default: the official ones)
#
# Afterwards DIR holds cifar-10-binary.tar.gz and cifar-10-batches-bin/. Run it again at any time:
# an archive that verifies is not fetched again, an unpacked folder that equals it is left alone,
# and whatever is missing or damaged is replaced. On an error, what was there before stays.

cmake_minimum_required(VERSION 3.25)

if(NOT DEFINED DIR)
  set(DIR data)
endif()
if(NOT DEFINED URL)
  set(URL https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz)
endif()
if(NOT DEFINED MD5)
  set(MD5 c32a1d4ab5d03f1284b67883e8d87530)
endif()
if(NOT DEFINED SIZE)
  set(SIZE 170052171)
endif()

set(folder_name cifar-10-batches-bin)
set(file_names
  data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin
  test_batch.bin batches.meta.txt)

cmake_path(ABSOLUTE_PATH DIR NORMALIZE)
cmake_path(APPEND DIR "${folder_name}" OUTPUT_VARIABLE folder)
cmake_path(APPEND DIR cifar-10-binary.tar.gz OUTPUT_VARIABLE archive)
set(part "${archive}.part")  # a download that has not proved itself yet
cmake_path(APPEND DIR .unpack OUTPUT_VARIABLE work)  # here, so that renaming out is atomic

# Sets `result` to what is wrong with the file, or to nothing if it is the archive wanted.
function(find_fault path result)
  set(fault "")
  if(NOT EXISTS "${path}")
    set(fault "missing")
  else()
    file(SIZE "${path}" size)
    file(MD5 "${path}" md5)
    string(TOLOWER "${MD5}" wanted_md5)
    if(NOT size EQUAL SIZE)
      set(fault "size: wanted ${SIZE} bytes, came ${size} bytes")
    elseif(NOT md5 STREQUAL wanted_md5)
      set(fault "MD5: wanted ${wanted_md5}, came ${md5}")
    endif()
  endif()
  set(${result} "${fault}" PARENT_SCOPE)
endfunction()

# Indented lines of an error are printed as they are; others CMake wraps, also inside a path.
function(fail)
  file(REMOVE_RECURSE "${work}")
  list(JOIN ARGV "\n  " text)
  message(FATAL_ERROR "${text}")
endfunction()

# --- a place to work in -------------------------------------------------------------------------

# As a child process, because file(MAKE_DIRECTORY) would end the script with a message of its own.
execute_process(COMMAND "${CMAKE_COMMAND}" -E make_directory "${DIR}"
  RESULT_VARIABLE failed ERROR_VARIABLE reason ERROR_STRIP_TRAILING_WHITESPACE)
if(failed OR NOT IS_DIRECTORY "${DIR}")
  message(FATAL_ERROR "Wanted a folder for CIFAR-10, but it cannot be created:\n  ${DIR}\n"
    "  reason: ${reason}")
endif()

# One run at a time, so that two of them neither fetch twice nor share the scratch files. The system
# drops the lock when the process ends, however it ends.
file(LOCK "${DIR}/.cifar10.lock" TIMEOUT 0 RESULT_VARIABLE lock)
if(NOT lock STREQUAL "0")
  message(STATUS "Waiting for another run that works in ${DIR}")
  file(LOCK "${DIR}/.cifar10.lock")
endif()

if(EXISTS "${folder}" AND NOT IS_DIRECTORY "${folder}")
  fail("Wanted a folder (or nothing) here, but there is a file:" "${folder}")
endif()
if(IS_DIRECTORY "${archive}")
  fail("Wanted a file (or nothing) here, but there is a folder:" "${archive}")
endif()

# --- the archive --------------------------------------------------------------------------------

# A verified `.part` is left by a run that ended before it could put the archive in its place.
set(source "${archive}")
find_fault("${source}" fault)
if(fault)
  message(STATUS "${archive}: ${fault}")
  set(source "${part}")
  find_fault("${source}" fault)
endif()
if(fault)
  message(STATUS "Downloading ${URL}")
  file(DOWNLOAD "${URL}" "${part}" STATUS status SHOW_PROGRESS TLS_VERIFY ON INACTIVITY_TIMEOUT 60)
  list(POP_FRONT status code)
  if(NOT code EQUAL 0)
    file(REMOVE "${part}")
    fail("Cannot download CIFAR-10." "URL: ${URL}" "reason: ${status}")
  endif()
  find_fault("${part}" fault)
  if(fault)
    file(REMOVE "${part}")
    fail("What was downloaded is not the CIFAR-10 archive wanted." "URL: ${URL}" "${fault}")
  endif()
endif()

# --- the folder ---------------------------------------------------------------------------------

# The archive is the only truth about the folder: unpacking takes seconds, and comparing finds every
# kind of damage, which a stamp or the sizes would not.
message(STATUS "Unpacking and comparing")
file(REMOVE_RECURSE "${work}")
file(MAKE_DIRECTORY "${work}/new")
execute_process(COMMAND "${CMAKE_COMMAND}" -E tar xf "${source}"
  WORKING_DIRECTORY "${work}/new"
  RESULT_VARIABLE failed ERROR_VARIABLE reason ERROR_STRIP_TRAILING_WHITESPACE)
if(failed)
  fail("Cannot unpack the archive." "archive: ${source}" "into: ${work}" "reason: ${reason}")
endif()

set(same TRUE)
foreach(name IN LISTS file_names)
  set(new_file "${work}/new/${folder_name}/${name}")
  if(NOT EXISTS "${new_file}")
    fail("The archive is not CIFAR-10's binary version." "archive: ${source}"
      "wanted in it: ${folder_name}/${name}")
  endif()
  execute_process(COMMAND "${CMAKE_COMMAND}" -E compare_files "${new_file}" "${folder}/${name}"
    RESULT_VARIABLE differs OUTPUT_QUIET ERROR_QUIET)
  if(differs)
    set(same FALSE)
  endif()
endforeach()

# Only now is it known that the download is of use, so only now may it replace an older archive.
if(source STREQUAL part)
  file(RENAME "${part}" "${archive}")
endif()
if(NOT same)
  if(EXISTS "${folder}")
    message(STATUS "Replacing ${folder}, which differs from the archive")
    file(RENAME "${folder}" "${work}/old")
  endif()
  file(RENAME "${work}/new/${folder_name}" "${folder}")
endif()
file(REMOVE "${part}")
file(REMOVE_RECURSE "${work}")

message(STATUS "CIFAR-10 is ready; the folder to give to the library is\n"
  "REGTORCH_CIFAR10_ROOT=${folder}")
