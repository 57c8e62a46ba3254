# What cpack makes: the source package, the installed files as a .tar.gz to unpack anywhere, and a
# Debian package of them. docs/releasing.md tells how.

set(CPACK_VERBATIM_VARIABLES TRUE)
set(CPACK_PACKAGE_VENDOR "The regtorch authors")
set(CPACK_PACKAGE_CONTACT "The regtorch authors")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS  # whatever the umask is
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_FILE_NAME regtorch-${PROJECT_VERSION}-headers)
set(CPACK_GENERATOR TGZ DEB)

# ---- The Debian package. ----
set(CPACK_DEBIAN_PACKAGE_NAME libregtorch-dev)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "g++ (>= 4:12)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "cmake (>= 3.25)")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"A header-only C++20 library that fights overfitting: data augmentation,
early stopping, weight penalties, disturbed labels and label smoothing.

It is used with LibTorch 2.7 or later, on which this package does not depend
since Debian 12 has none that new: the one of \"pip install torch\" will do.")
# Where Debian looks for the license and the changes.
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian_docs.cmake)
set(CPACK_REGTORCH_CHANGELOG ${PROJECT_SOURCE_DIR}/CHANGELOG.md)

# ---- The source package: what .gitignore does not name. ----
set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME regtorch-${PROJECT_VERSION})
string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" root ${PROJECT_SOURCE_DIR})
set(CPACK_SOURCE_IGNORE_FILES "^${root}/(\\.git|build[^/]*|\\.venv[^/]*|out[^/]*|data)(/|$)"
                              "^${root}/(.*/)?(build|__pycache__)(/|$)")
include(CPack)
