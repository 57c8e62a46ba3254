# Run by cpack before it packs: puts the license and the changes where Debian has them; not as
# changelog.gz, which has a format of its own.
if(NOT CPACK_GENERATOR STREQUAL DEB)
  return()
endif()
set(docs ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/doc)
file(MAKE_DIRECTORY ${docs}/${CPACK_DEBIAN_PACKAGE_NAME})
file(RENAME ${docs}/regtorch/LICENSE ${docs}/${CPACK_DEBIAN_PACKAGE_NAME}/copyright)
file(REMOVE_RECURSE ${docs}/regtorch)
execute_process(COMMAND gzip -9nc ${CPACK_REGTORCH_CHANGELOG}
                OUTPUT_FILE ${docs}/${CPACK_DEBIAN_PACKAGE_NAME}/NEWS.gz
                COMMAND_ERROR_IS_FATAL ANY)
