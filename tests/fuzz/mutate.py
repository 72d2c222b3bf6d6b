"""Feeds mutants of every format to the replay program and checks that it survives each, quickly and cheaply.

usage: mutate.py BIN [--count 10000] [--seed 1] [FORMAT...]      BIN: the folder of the program replay, of any build; a
sanitizer's best

A mutant may take ten seconds and twice its size + 64 MB of memory (counted on the heap), and may not end the program.
Those that do any of it are written to ./mutants/FORMAT-NUMBER. Exit code 1 when there were any.
"""

import argparse
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

import mutations as m
import own_formats as own
import sqlite_files
import tensor_files
from parts import behind_a_byte, parts_of

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = 10
MUTATORS = {
    "adapter": parts_of(m.mutate_json, m.mutate_safetensors),
    "ads_brief": m.mutate_json,
    "ads_day": m.mutate_table,
    "ads_feedback": sqlite_files.mutate_sqlite,
    "ads_ledger": sqlite_files.mutate_sqlite,
    "ads_log": parts_of(m.mutate_table, m.mutate_table),
    "ads_plan": m.mutate_json,
    "ads_rules": parts_of(m.mutate_json, m.mutate_json, m.mutate_table),
    "ads_world": parts_of(m.mutate_json, m.mutate_table),
    "chat": parts_of(m.mutate_jinja, m.mutate_json),
    "chat_template": parts_of(m.mutate_jinja, m.mutate_bytes),
    "eval_run": m.mutate_json_lines,
    "eval_task": m.mutate_lines,
    "event": behind_a_byte(m.mutate_json),
    "event_log": sqlite_files.mutate_sqlite,
    "event_log_files": sqlite_files.mutate_files,
    "gguf": m.mutate_gguf,
    "grammar_text": behind_a_byte(own.mutate_words(own.GRAMMAR_WORDS)),
    "gzip": own.mutate_gzip,
    "hf_config": m.mutate_json,
    "http": m.mutate_lines,
    "image_processor": m.mutate_json,
    "json_schema": m.mutate_json,
    "improve_items": m.mutate_json_lines,
    "item_graph": tensor_files.mutate_graph,
    "label_import": own.mutate_label_file,
    "label_request": behind_a_byte(m.mutate_json),
    "label_store": sqlite_files.mutate_sqlite,
    "mmproj": m.mutate_gguf,
    "model_config": m.mutate_json,
    "model_folder": parts_of(m.mutate_json, m.mutate_json, m.mutate_json, m.mutate_json, m.mutate_json, m.mutate_jinja),
    "model_gguf": m.mutate_gguf,
    "module_pattern": parts_of(own.mutate_pattern, m.mutate_lines),
    "npy": m.mutate_bytes,
    "online_state": tensor_files.mutate_online,
    "packed_file": own.mutate_packed_file,
    "picture": m.mutate_picture,
    "quantised_folder": parts_of(m.mutate_json, tensor_files.mutate_values),
    "ranker": m.mutate_safetensors,
    "recipe": parts_of(m.mutate_json, m.mutate_table, m.mutate_table),
    "reference": parts_of(m.mutate_json, m.mutate_json, m.mutate_bytes),
    "regex": own.mutate_words(own.REGEX_WORDS),
    "run_log": behind_a_byte(m.mutate_json_lines),
    "safetensors": m.mutate_safetensors,
    "sequence_model": tensor_files.mutate_values,
    "sequence_state": tensor_files.mutate_state,
    "serve_request": behind_a_byte(m.mutate_json),
    "settings": own.mutate_settings,
    "shards": tensor_files.mutate_shards,
    "snapshot": own.mutate_snapshot,
    "studio_request": behind_a_byte(m.mutate_json),
    "table": m.mutate_table,
    "tokenize": behind_a_byte(m.mutate_bytes),
    "tokenizer_json": m.mutate_json,
    "tokenizer_model": own.mutate_tokenizer_model,
    "tool_calls": behind_a_byte(behind_a_byte(m.mutate_bytes)),
    "training_data": m.mutate_json_lines,
    "training_state": tensor_files.mutate_state,
}


class Replay:
    """A replay program that gets one input after the other and answers each with its time and memory."""

    def __init__(self, program, name):
        self.command = [program, name, "--stream"]
        self.start()

    def start(self):
        self.stderr = tempfile.TemporaryFile()  # a pipe that nobody empties would block a program that writes much
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr, bufsize=0
        )

    def run(self, data):
        """(milliseconds, peak bytes, whether it was accepted), or the sanitizer's report when the program died."""
        try:
            self.process.stdin.write(struct.pack("<Q", len(data)) + data)
        except BrokenPipeError:
            pass
        answer = b""
        while not answer.endswith(b"\n"):
            part = self.process.stdout.read(64)
            if not part:
                break
            answer += part
        if answer.endswith(b"\n"):
            milliseconds, peak, accepted = answer.split()
            return int(milliseconds), int(peak), accepted == b"1"
        code = self.process.wait()
        self.stderr.seek(max(0, self.stderr.seek(0, os.SEEK_END) - (1 << 20)))
        text = self.stderr.read().decode("utf-8", "replace")
        lines = [
            line for line in text.splitlines() if "ERROR" in line or "runtime error" in line or "SUMMARY" in line
        ] or text.splitlines()[-1:]
        self.end()
        self.start()
        return f"died ({code}): {' / '.join(lines[:3])[:300]}"

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.stderr.close()


def seeds_of(name):
    files = sorted((HERE / "corpus" / name).iterdir())
    small = [f.read_bytes() for f in files if f.stat().st_size <= m.MOST]
    if not small:
        sys.exit(f"there are no seeds for {name}")
    return small


def run(name, program, count, seed):
    r = random.Random(f"{name} {seed}")
    seeds, replay, bad, slowest, worst, accepted = seeds_of(name), Replay(program, name), 0, 0, 0.0, 0
    began = time.monotonic()
    for n in range(count):
        mutant = MUTATORS[name](r, r.choice(seeds))
        result = replay.run(mutant)
        if isinstance(result, str):
            wrong = result
        else:
            milliseconds, peak, was_accepted = result
            allowed = 2 * len(mutant) + (64 << 20)
            accepted += was_accepted
            slowest, worst = max(slowest, milliseconds), max(worst, peak / allowed)
            wrong = (
                f"{milliseconds} ms"
                if milliseconds > SECONDS * 1000
                else f"{peak >> 20} MB for {len(mutant)} bytes"
                if peak > allowed
                else ""
            )
        if wrong:
            bad += 1
            os.makedirs("mutants", exist_ok=True)
            pathlib.Path(f"mutants/{name}-{n}").write_bytes(mutant)
            if bad <= 20:
                print(f"{name} {n}: {wrong}", flush=True)
    replay.end()
    print(
        f"{name}: {count} mutants of {len(seeds)} seeds in {time.monotonic() - began:.0f} s, {bad} bad, {100 * accepted / count:.0f} % accepted; slowest {slowest} ms, most memory {worst:.2f} of the limit",
        flush=True,
    )
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("formats", nargs="*")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_intermixed_args()
    replay = a.bin / "replay"
    there = sorted(subprocess.run([replay, "--formats"], check=True, capture_output=True, text=True).stdout.split())
    unknown = [f for f in a.formats if f not in there] + [f for f in there if f not in MUTATORS]
    if unknown or not there:
        sys.exit(
            f"no target or no mutator for: {', '.join(unknown) or 'anything'}; targets are there for: {', '.join(there)}"
        )
    bad = sum(run(name, replay, a.count, a.seed) for name in a.formats or there)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
