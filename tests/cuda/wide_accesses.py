"""Whether the kernels move 128 bits at a time where they are to: python3 wide_accesses.py FILE

FILE is the PTX of kernels_alone.cu. An access of 128 bits there is one of the device's too. A kernel
that no line below knows is an error, so that none is forgotten.
"""

import re
import subprocess
import sys

# By name: whether it must load and store 128 bits at a time. The first that fits counts.
EXPECTED = [
    (r"adam_step|sgd_step|scale_down|penalty_gradient|max_norm", "load store"),
    (r"clip_factor|penalty_value", ""),  # the last sum, of one block
    (r"sums_kernel", "load"),
    (r"smoothed_cross_entropy_forward_kernel<\w+, (256|32)>", "load"),
    (r"smoothed_cross_entropy_backward_kernel<\w+, (256|32)>", "load store"),
    (r"smoothed_cross_entropy_\w+ward_kernel<\w+, (16|4)>", ""),  # short rows
    (r"image_pipeline_kernel<(float, 4|__nv_bfloat16, 8),", "store"),  # it gathers bytes
    (r"(blend|paste)_neighbours_kernel<[\w ]+, true>", "load store"),
    # Elements that a warp's width lies between, and what has no alignment.
    (r"disturb_(labels|values)|image_pipeline|(blend|paste)_neighbours", ""),
]


def accesses(ptx):
    """{kernel: {"load", "store"}: those of 128 bits}"""
    found = {}
    for line in ptx.splitlines():
        if entry := re.search(r"\.entry (\w+)", line):
            kernel = found.setdefault(entry[1], set())
        elif wide := re.search(r"\b(ld|st)\.global(\.\w+)*?\.(v4\.\w32|v2\.\w64)\b", line):
            kernel.add({"ld": "load", "st": "store"}[wide[1]])
    names = subprocess.run(["c++filt"], input="\n".join(found), capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return dict(zip(names, found.values()))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        kernels = accesses(file.read())
    wrong = [] if kernels else ["no kernel in the file"]
    for name, found in kernels.items():
        wanted = next((set(want.split()) for pattern, want in EXPECTED if re.search(pattern, name)),
                      None)
        if wanted is None:
            wrong.append(f"not expected: {name}")
        elif wanted - found:
            wrong.append(f"no {' and no '.join(sorted(wanted - found))} of 128 bits: {name}")
    print("\n".join(wrong) or f"{len(kernels)} kernels move 128 bits at a time where they are to")
    sys.exit(bool(wrong))


main()
