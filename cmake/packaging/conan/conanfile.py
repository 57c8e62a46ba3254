"""The Conan 2 recipe; it lies in the tree that it packs. docs/releasing.md tells how it is used."""

import os

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Regtorch(ConanFile):
    name = "regtorch"
    description = "Regularization for LibTorch: models that overfit less"
    license = "BSD-3-Clause"
    topics = ("libtorch", "regularization", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True
    # LibTorch is no requirement: ConanCenter's is built without OpenMP, on which the kernels' threads
    # depend, and names its targets in a way of its own. The user's, 2.7 or later, is found by CMake.

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        text = load(self, os.path.join(self._root, "include", "regtorch", "version.hpp"))
        self.version = ".".join(line.split()[-1] for line in text.splitlines()
                                if line.startswith("#define REGTORCH_VERSION_"))

    def export_sources(self):
        for pattern in "CMakeLists.txt", "LICENSE", "cmake/*", "include/*":
            copy(self, pattern, self._root, self.export_sources_folder,
                 excludes="cmake/packaging/conan/*")

    def layout(self):
        cmake_layout(self)

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("regtorch is for Linux")

    def package_id(self):
        self.info.clear()

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["REGTORCH_BUILD_TESTS"] = "OFF"
        toolchain.cache_variables["REGTORCH_BUILD_EXAMPLES"] = "OFF"
        toolchain.generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        # The CMake files are regtorch's own, which find LibTorch.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("share", "cmake", "regtorch")]
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
