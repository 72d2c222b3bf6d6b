"""starts.py -- from nothing to the first token: each engine opens the model in a fresh process and computes one token,
again and again, interleaved, the file in the page cache. Prints medians of the seconds and of the peak resident memory,
and each engine's seconds as a share of both of llama.cpp's.
"""

import argparse
import json
import os
import statistics

from engines import OURS, PEERS, Worker


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("models", nargs="+")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--out", default="")
    a = p.parse_args()
    results = []
    for model in a.models:
        with open(model, "rb") as file:  # into the page cache
            while file.read(1 << 24):
                pass
        Worker("puna-packed", model, a.threads).close()  # makes the packed file
        engines = OURS + PEERS
        seen = {e: [] for e in engines}
        for r in range(a.rounds):
            for e in engines if r % 2 == 0 else engines[::-1]:
                worker = Worker(e, model, a.threads)
                seen[e].append((worker.opened["first_token_s"], worker.ask("pp", 1)["peak_rss"]))
                worker.close()
        os.remove(model + ".packed")
        size = os.path.getsize(model)
        medians = {
            e: {
                "first_token_s": statistics.median(s for s, _ in seen[e]),
                "peak_rss_bytes": statistics.median(m for _, m in seen[e]),
            }
            for e in engines
        }
        print("%s   %.0f MB" % (os.path.basename(model), size / 1e6))
        for e in engines:
            m = medians[e]
            print(
                "  %-16s first token after %6.3f s, %5.2f and %5.2f of %s's   peak %5.0f MB, %.2f of the file"
                % (
                    e,
                    m["first_token_s"],
                    *(m["first_token_s"] / medians[p]["first_token_s"] for p in PEERS),
                    " and ".join(PEERS),
                    m["peak_rss_bytes"] / 1e6,
                    m["peak_rss_bytes"] / size,
                ),
                flush=True,
            )
        results.append(
            {"model": model, "file_bytes": size, "threads": a.threads, "rounds": a.rounds, "engines": medians}
        )
    if a.out:
        with open(a.out, "w") as out:
            json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
