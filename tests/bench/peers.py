"""peers.py -- Puna and llama.cpp on the same files and threads, interleaved, beside what the machine can do at that
moment.

The engines (engines.py) take turns: one prompt each, one generation each, again and again, with a bandwidth and an int8
probe in every round. Medians and ratios are printed, everything goes to a JSON file. llama.cpp counts with the better
of its two settings (run-time repacking on, off), phase by phase. With --neighbour each phase runs a second time beside
a process that keeps one core busy; with
--memory-limit each engine lives in a control group of its own (needs root), its files' pages dropped from the cache
before it starts. Run by `./dev bench`, which brings the pieces: the models, `probe`, and a Python that has
llama-cpp-python compiled for this machine.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time

from engines import OURS, PEERS, Worker
from limits import drop_from_cache, limited


def per_token(model):
    """What a token takes: bytes of weights read when one is generated (of the embedding's rows none, of the experts
    those it uses), products in a prompt (of the head none: its last token alone has logits), and the probe that limits
    them."""
    from gguf import GGUFReader

    reader = GGUFReader(model)
    count, used = (
        next((int(f.parts[-1][0]) for k, f in reader.fields.items() if k.endswith(key)), 1)
        for key in (".expert_count", ".expert_used_count")
    )
    tied = all(t.name != "output.weight" for t in reader.tensors)
    size = products = 0
    for t in reader.tensors:
        part = used / count if "_exps" in t.name else 1
        size += int(t.n_bytes * part) if tied or t.name != "token_embd.weight" else 0
        products += int(t.n_elements * part) if t.name not in ("token_embd.weight", "output.weight") else 0
    plain = any(t.tensor_type.name in ("F16", "BF16", "F32") for t in reader.tensors if "attn_q.weight" in t.name)
    return {"bytes_per_token": size, "products_per_token": products, "limit": "f32" if plain else "int8"}


@contextlib.contextmanager
def busy_core():
    """A process that does nothing but keep core 0 busy."""
    spinner = subprocess.Popen(["taskset", "-c", "0", "sh", "-c", "while :; do :; done"])
    try:
        time.sleep(0.05)
        yield
    finally:
        spinner.kill()
        spinner.wait()


def group_of(limit, engine, model):
    """A control group for an engine, and cold files; "" without a limit."""
    if limit:
        drop_from_cache(model, model + ".packed")
    return limited(limit, engine) if limit else ""


def median(values):
    return statistics.median(values) if values else float("nan")


def compare(a, model):
    context = (
        max([a.prompt, a.generate] + a.lengths + [d + a.generate + a.prompt for d in a.depth + a.prompt_depth]) + 64
    )
    if a.memory_limit and "puna-packed" in a.engines:
        Worker("puna-packed", model, a.threads, a.library).close()  # makes the packed file, without the limit
    workers = {
        e: Worker(e, model, a.threads, a.library, a.isa, context, group_of(a.memory_limit, e, model)) for e in a.engines
    }
    phases = ([("pp%d" % a.prompt, "pp", a.prompt, 0)] if a.prompt else []) + (
        [("tg%d" % a.generate, "tg", a.generate, 0)] if a.generate else []
    )
    phases += [("tg%d@%d" % (a.generate, d), "tg", a.generate, d) for d in a.depth]
    phases += [("pp%d" % n, "pp", n, 0) for n in a.lengths]
    phases += [("pp%d@%d" % (a.prompt, d), "pp", a.prompt, d) for d in a.prompt_depth]
    if a.neighbour:
        phases += [(name + "+busy", *rest) for name, *rest in phases]
    rates = {(phase[0], e): [] for phase in phases for e in workers}
    probes, rss = [], {}
    for r in range(a.rounds):
        probes.append(json.loads(subprocess.check_output([a.probe, str(a.threads)], text=True)))
        for name, op, n, depth in phases:
            for e in list(workers) if r % 2 == 0 else list(workers)[::-1]:
                time.sleep(0.05)  # the last one's threads go to sleep
                with busy_core() if name.endswith("+busy") else contextlib.nullcontext():
                    answer = workers[e].ask(op, n, depth)
                rates[name, e].append(answer["rate"])
                rss[e] = answer["peak_rss"]
    for worker in workers.values():
        worker.close()
    if a.memory_limit and os.path.exists(model + ".packed"):
        os.remove(model + ".packed")
    probe = {key: median([p[key] for p in probes]) for key in probes[0]}
    size = os.path.getsize(model)
    result = {
        "model": model,
        "file_bytes": size,
        "threads": a.threads,
        "rounds": a.rounds,
        "probe": probe,
        **per_token(model),
        "engines": {},
    }
    for e in workers:
        result["engines"][e] = {
            **workers[e].opened,
            "peak_rss_bytes": rss.get(e),
            **{p[0]: median(rates[p[0], e]) for p in phases},
        }
    report(result, [p[0] for p in phases])
    return result


def report(result, phases):
    name = os.path.basename(result["model"])
    probe = result["probe"]
    print(
        "%s   %.0f MB   probe: read %.1f GB/s, int8 %.0f GMAC/s, f32 %.0f GMAC/s"
        % (name, result["file_bytes"] / 1e6, probe["read_gbs"], probe["int8_gmacs"], probe["f32_gmacs"])
    )
    for e, r in result["engines"].items():
        print(
            "  %-16s %s   load %.2f s   peak %.0f MB"
            % (e, "  ".join("%s %8.1f" % (p, r[p]) for p in phases), r["load_s"], (r["peak_rss_bytes"] or 0) / 1e6)
        )
    for e, r in result["engines"].items():
        for name in [p for p in phases if p.startswith("tg")][:1]:
            print(
                "  %-16s %s reads %.1f GB/s of weights, %.0f %% of the probe"
                % (
                    e,
                    name,
                    r[name] * result["bytes_per_token"] / 1e9,
                    100 * r[name] * result["bytes_per_token"] / 1e9 / probe["read_gbs"],
                )
            )
        for name in [p for p in phases if p.startswith("pp")][:1]:
            print(
                "  %-16s %s multiplies %.0f GMAC/s, %.0f %% of the %s probe"
                % (
                    e,
                    name,
                    r[name] * result["products_per_token"] / 1e9,
                    100 * r[name] * result["products_per_token"] / 1e9 / probe[result["limit"] + "_gmacs"],
                    result["limit"],
                )
            )
    theirs = [r for e, r in result["engines"].items() if e not in OURS]
    for e in [e for e in OURS if e in result["engines"] and theirs]:
        ratios = {p: result["engines"][e][p] / max(r[p] for r in theirs) for p in phases}
        result.setdefault("ratio", ratios)  # the first one's
        result["engines"][e]["ratio"] = ratios
        print(
            "  %-16s %s"
            % (
                "ratio" if ratios is result["ratio"] else "ratio " + e,
                "  ".join("%s %7.2fx" % (p, x) for p, x in ratios.items()),
            )
        )
    for e, r in result["engines"].items():
        costs = {p: r[p] / r[p + "+busy"] for p in phases if p + "+busy" in phases}
        if costs:
            r["neighbour_cost"] = costs
            print("  %-16s a busy neighbour costs %s" % (e, "  ".join("%s %7.2fx" % (p, x) for p, x in costs.items())))
    sys.stdout.flush()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("models", nargs="+")
    p.add_argument("--library", default="build/release/lib/libpuna.so")
    p.add_argument("--probe", default="build/release/bin/probe")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--isa", default="", help="Puna's level (default: the best)")
    p.add_argument("--engines", default=",".join(OURS[:1] + PEERS))
    p.add_argument("--prompt", type=int, default=512)
    p.add_argument("--generate", type=int, default=64)
    p.add_argument("--depth", default="", help="generate behind so many tokens as well: 4096,...")
    p.add_argument("--lengths", default="", help="prompts of so many tokens as well: 128,2048,...")
    p.add_argument("--prompt-depth", default="", help="the prompt behind so many tokens as well")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--out", default="", help="JSON file for the results")
    p.add_argument("--neighbour", action="store_true", help="measure each phase beside a busy core as well")
    p.add_argument("--memory-limit", type=int, default=0, help="bytes of memory and page cache an engine may hold")
    a = p.parse_args()
    a.engines = a.engines.split(",")
    for name in ("depth", "lengths", "prompt_depth"):
        setattr(a, name, [int(d) for d in getattr(a, name).split(",") if d])
    results = []
    for model in a.models:
        results.append(compare(a, model))
        if a.out:  # after each, so that a stopped run keeps what it has
            with open(a.out, "w") as out:
                json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
