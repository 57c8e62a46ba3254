#pragma once

// The one place that states the version: CMakeLists.txt reads it from here.
#define REGTORCH_VERSION_MAJOR 0
#define REGTORCH_VERSION_MINOR 1
#define REGTORCH_VERSION_PATCH 0
