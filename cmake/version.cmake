# Sets `version` to what include/regtorch/version.hpp says, the one place that states it.
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../include/regtorch/version.hpp version
     REGEX "#define REGTORCH_VERSION_")
string(REGEX REPLACE "[^0-9]*([0-9]+)[^0-9]*([0-9]+)[^0-9]*([0-9]+).*" "\\1.\\2.\\3" version
                     "${version}")
