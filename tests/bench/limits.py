"""Memory limits for benchmarks: control groups (v1 or v2; needs root) and files that are not in the page cache."""

import os


def drop_from_cache(*paths):
    for path in paths:
        if os.path.exists(path):
            with open(path, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def limited(limit, name):
    """The folder of a control group that may hold `limit` bytes of memory and page cache; a process enters by writing 0
    to its cgroup.procs."""
    root, file = (
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        if os.path.isdir("/sys/fs/cgroup/memory")
        else ("/sys/fs/cgroup", "memory.max")
    )
    group = "%s/puna-bench-%s" % (root, name)
    os.makedirs(group, exist_ok=True)
    with open(os.path.join(group, file), "w") as out:
        out.write(str(limit))
    return group


def enter(group):
    with open(group + "/cgroup.procs", "w") as out:
        out.write("0")
