#!/usr/bin/env bash
# Installs what building and testing regtorch takes and is not there yet, and says what it does.
#
#   ./bootstrap.sh [--dev] [--cuda] [--index-url URL]
#
#   --dev            also what docs/contributing.md checks with: the formatter, lintian, doxygen, gcovr,
#                    and clang for the fuzz targets and its own opinion of our headers
#   --cuda           also a LibTorch with CUDA (5.5 GB), into .venv-cuda, which the presets cuda and
#                    cuda-bench build with; the CUDA toolkit itself, with nvcc, must be there
#   --index-url URL  passed to pip, for those who want another build of LibTorch (the CPU-only one,
#                    say) than the default index gives on their machine
#
# Safe to run again; when nothing is missing it is done in a second.
set -euo pipefail
cd "$(dirname "$0")"

torch_version=2.13.0
torchvision_version=0.28.0 # the one made for that torch
cuda_torch_version=2.14.1
dev=false
cuda=false
pip_options=()
while (($#)); do
  case $1 in
    --dev) dev=true ;;
    --cuda) cuda=true ;;
    --index-url)
      [ $# -ge 2 ] || { echo "bootstrap: --index-url wants a URL" >&2; exit 2; }
      pip_options+=(--index-url "$2")
      shift
      ;;
    *)
      echo "bootstrap: wanted --dev, --cuda or --index-url URL, got '$1'" >&2
      exit 2
      ;;
  esac
  shift
done

# ---- Debian packages. ----
packages=(g++ cmake ninja-build ccache git python3-venv catch2 libbenchmark-dev libcli11-dev)
if $dev; then
  packages+=(clang-format-16 clang-tidy-16 binutils lintian doxygen gcovr
             clang-16 libclang-rt-16-dev libomp-16-dev nlohmann-json3-dev)
fi
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done
if ((${#missing[@]})); then
  command -v apt-get >/dev/null || {
    echo "bootstrap: no apt-get here; please install the equivalents of: ${missing[*]}" >&2
    exit 1
  }
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  echo "bootstrap: installing Debian packages: ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
fi

# ---- Tools from PyPI. ----
conan_version=2.34.0
if $dev && [ "$(.venv-dev/bin/conan --version 2>/dev/null)" != "Conan version $conan_version" ]; then
  echo "bootstrap: installing conan==$conan_version into .venv-dev"
  python3 -m venv .venv-dev
  .venv-dev/bin/pip install --quiet "conan==$conan_version"
fi

# ---- LibTorch: one that CMake will find (cmake/developer.cmake looks in the same places), or a new
# one in .venv. ----
named_torch() { # does Torch_DIR or CMAKE_PREFIX_PATH name one?
  local prefix prefixes
  IFS=':;' read -ra prefixes <<<"${CMAKE_PREFIX_PATH:-}"
  [ -e "${Torch_DIR:-}/TorchConfig.cmake" ] && return 0
  for prefix in "${prefixes[@]}"; do
    [ -e "$prefix/share/cmake/Torch/TorchConfig.cmake" ] && return 0
    [ -e "$prefix/Torch/TorchConfig.cmake" ] && return 0
  done
  return 1
}

new_torch() { # FOLDER VERSION: a virtual environment with this torch
  echo "bootstrap: installing torch==$2 into $1"
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet "${pip_options[@]}" "torch==$2" numpy
  if [ -z "$("$1/bin/python" cmake/find_torch.py --why)" ]; then
    echo "bootstrap: the torch that pip installed cannot be used, see above; remove $1 first" >&2
    exit 1
  fi
}

if named_torch; then
  echo "bootstrap: using the LibTorch that Torch_DIR or CMAKE_PREFIX_PATH names"
elif [ -x .venv/bin/python ] && [ -n "$(.venv/bin/python cmake/find_torch.py)" ]; then
  echo "bootstrap: LibTorch is in .venv"
elif found=$(python3 cmake/find_torch.py) && [ -n "$found" ]; then
  echo "bootstrap: using the active Python's LibTorch, $found"
else
  new_torch .venv "$torch_version"
fi

# torchvision, which the tests compare the transforms with: 15 MB to download with Pillow, 46 MB on
# the disk. Another torch than the one it is made for stays as it is.
site_packages=.venv/lib/python3*/site-packages
if compgen -G "$site_packages/torch-$torch_version*.dist-info" >/dev/null &&
  ! compgen -G "$site_packages/torchvision" >/dev/null; then
  echo "bootstrap: installing torchvision==$torchvision_version into .venv"
  .venv/bin/pip install --quiet "${pip_options[@]}" "torchvision==$torchvision_version"
fi

if ! $cuda; then
  echo "bootstrap: ready. Next: cmake --workflow --preset demo"
  exit
fi
if ! command -v nvcc >/dev/null && [ ! -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ]; then
  echo "bootstrap: no nvcc in PATH, CUDA_HOME or /usr/local/cuda: please install the CUDA toolkit" \
    "(13.0 or later, as torch $cuda_torch_version is built with)" >&2
  exit 1
fi
if [ -x .venv-cuda/bin/python ] && [ -n "$(.venv-cuda/bin/python cmake/find_torch.py)" ]; then
  echo "bootstrap: LibTorch with CUDA is in .venv-cuda"
else
  new_torch .venv-cuda "$cuda_torch_version"
fi
echo "bootstrap: ready. Next: cmake --workflow --preset cuda"
