"""torch_peers.py -- what the comparisons with PyTorch share: processes that stay alive and take turns, one JSON line an
answer, and the allocator's settings without which glibc gives PyTorch's pages back at every step.
"""

import json
import os
import subprocess

TUNED = {
    "MALLOC_MMAP_THRESHOLD_": "34359738368",
    "MALLOC_TRIM_THRESHOLD_": "34359738368",
    "MALLOC_TOP_PAD_": "268435456",
}


class Worker:
    def __init__(self, name, command, environment=()):
        self.name, self.answers = name, []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **dict(environment)}
        )
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(self.name + " ended early")
        return json.loads(line)

    def turn(self):
        self.process.stdin.write("1\n")
        self.process.stdin.flush()
        self.answers.append(self.read())

    def end(self, last_words=False):
        self.process.stdin.close()
        said = self.read() if last_words else None
        self.process.wait()
        return said


def take_turns(workers, rounds, warm_up=2):
    for _ in range(rounds + warm_up):
        for w in workers:
            w.turn()


def rates(worker, unit, warm_up=2):
    return [a[unit] / a["seconds"] for a in worker.answers[warm_up:]]


def probe(program, threads):
    """What the machine reaches at this moment, in register-pinned loops."""
    return json.loads(subprocess.check_output([program, str(threads)], text=True))


def environment(threads):
    return {**TUNED, "OMP_NUM_THREADS": str(threads)}
