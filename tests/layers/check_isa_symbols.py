"""Nothing that isa_*.cpp compile may be merged with, or be the copy used by, code for another machine
(docs/architecture.md, section 4).

usage: check_isa_symbols.py NM OBJECT...       objects other than isa_<level>.* and product_<level>.* are passed over;
prints one line a breach, exit 1 on any

An object for level L defines symbols of namespace puna::L only, and names nothing but the tables of puna::grids, which
are data, the four memory functions that compilers insert and, at the scalar level, libm's fma (correctly rounded by
definition; the other levels have the instruction). Where a level is L with an integer dot instruction besides, L's
object writes that level's table, which names functions of both (src/kernels/dots.inl.h). Eigen's products
(src/optional/eigen) define symbols of puna::eigen_L and puna_eigen_L, its own namespace renamed, and besides take
memory and throw when there is none.
"""

import pathlib
import re
import subprocess
import sys

MEMORY = {"memcpy", "memset", "memmove", "memcmp"}
ALLOWED = {"scalar": {"fma", "fmaf"}}
WITH_DOTS = {"avx2": "avxvnni", "avx512": "avx512vnni"}
LINKER = {"_GLOBAL_OFFSET_TABLE_"}
EIGEN = {
    "malloc",
    "free",
    "DW.ref.__gxx_personality_v0",
    "__gxx_personality_v0",
    "_Unwind_Resume",
    "__cxa_allocate_exception",
    "__cxa_throw",
    "__cxa_guard_acquire",
    "__cxa_guard_release",
    "_ZNSt9bad_allocD1Ev",
    "_ZTISt9bad_alloc",
    "_ZTVSt9bad_alloc",
}


def breaches_of(nm, path):
    kind_of, level = re.match(r"(isa|product)_([a-z0-9]+)\.", pathlib.Path(path).name).groups()
    eigen, allowed = kind_of == "product", MEMORY | LINKER | ALLOWED.get(level, set())
    # Itanium names, each part after its length: _ZN[K]4puna6scalar..., with a prefix for static locals (Z), guards (GV)
    # and type information (TV, TI, TS).
    inside = rf"{len(level)}{level}"
    if eigen:
        allowed |= EIGEN
        inside = rf"{len('eigen_' + level)}eigen_{level}"
    own = re.compile(
        rf"_Z(?:GV|TV|TI|TS|Z)*N?K?4puna{inside}"
        + (rf"|_Z(?:GV|Z)*N?K?{len('puna_eigen_' + level)}puna_eigen_{level}" if eigen else "")
    )
    dots = WITH_DOTS.get(level, "-")
    named = re.compile(rf"_ZN4puna({len(dots)}{dots}|5grids)")
    its_table = f"_ZN4puna{len(dots)}{dots}6kTableE"
    listing = subprocess.run([nm, "--format=posix", path], capture_output=True, text=True, check=True).stdout
    defined = 0
    for line in listing.splitlines():
        name, kind = line.split()[:2]
        if kind == "U" or kind in "vw":
            if name not in allowed and not own.match(name) and (eigen or not named.match(name)):
                yield f"{path}: calls {name}"
        elif kind.isupper() or kind == "u":
            defined += 1
            if name not in allowed and not own.match(name) and (eigen or name != its_table):
                weak = ", weak: the linker keeps one copy for everybody" if kind in "WVu" else ""
                yield f"{path}: defines {name} outside puna::{level}{weak}"
    if defined == 0:
        yield f"{path}: defines nothing"


def main(nm, objects):
    ours = [o for o in objects if pathlib.Path(o).name.startswith(("isa_", "product_"))]
    if not any(pathlib.Path(o).name.startswith("isa_") for o in ours):
        sys.exit("no isa_* object was given")
    found = [b for o in ours for b in breaches_of(nm, o)]
    print("\n".join(found) or f"{len(ours)} objects, no symbol leaves its level")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
