#pragma once

// Loads and stores with a hint for the caches, which the emulator has none of.

#define REGTORCH_SIMT_LOAD(name) \
  template <class T>             \
  T name(const T* address) {     \
    return *address;             \
  }
REGTORCH_SIMT_LOAD(__ldg)
REGTORCH_SIMT_LOAD(__ldca)
REGTORCH_SIMT_LOAD(__ldcg)
REGTORCH_SIMT_LOAD(__ldcs)
REGTORCH_SIMT_LOAD(__ldcv)
REGTORCH_SIMT_LOAD(__ldlu)
#undef REGTORCH_SIMT_LOAD

#define REGTORCH_SIMT_STORE(name)  \
  template <class T>               \
  void name(T* address, T value) { \
    *address = value;              \
  }
REGTORCH_SIMT_STORE(__stcg)
REGTORCH_SIMT_STORE(__stcs)
REGTORCH_SIMT_STORE(__stwb)
REGTORCH_SIMT_STORE(__stwt)
#undef REGTORCH_SIMT_STORE
