"""vision_peers.py -- tiles a second through Llama 4's vision encoder and projector: Puna and PyTorch on the same
weights, pixels and threads, taking turns. The encoder has 29 M parameters: hidden 512, 8 layers, 8 heads, tiles of 336
pixels, patches of 14. Features must agree. PyTorch runs with glibc's allocator tuned, without gradients. Run by `./dev
bench vision`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from torch_peers import Worker, environment, rates, take_turns

sys.path.pop(0)  # what lies beside this file has the names of packages (tokenizers)
TILES = 4


def make_model(folder):
    import numpy
    import torch
    import transformers

    torch.manual_seed(0)
    vision = {
        "hidden_size": 512,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "intermediate_size": 2048,
        "image_size": 336,
        "patch_size": 14,
        "projector_input_dim": 1024,
        "projector_output_dim": 1024,
        "vision_output_dim": 1024,
    }
    text = {
        "hidden_size": 512,
        "intermediate_size": 64,
        "intermediate_size_mlp": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 64,
        "vocab_size": 512,
        "num_local_experts": 2,
        "max_position_embeddings": 1024,
        "pad_token_id": 0,
    }
    model = transformers.Llama4ForConditionalGeneration(
        transformers.Llama4Config(vision_config=vision, text_config=text, image_token_index=500)
    )
    with torch.no_grad():
        for name, p in model.named_parameters():  # those that start as zeros or ones would not show a mistake
            if p.dim() == 1 or "positional" in name:
                p.add_(0.1 * torch.randn_like(p))
    model.save_pretrained(folder)
    torch.randn(TILES, 3, 336, 336).numpy().astype(numpy.float32).tofile(os.path.join(folder, "pixels.bin"))
    json.dump(
        {"encoder_parameters": sum(p.numel() for n, p in model.named_parameters() if "vision_model" in n)},
        open(os.path.join(folder, "made.json"), "w"),
    )


def torch_worker(a):
    import numpy
    import torch
    import transformers

    torch.set_num_threads(a.threads)
    dtype = (
        torch.bfloat16 if a.precision == "bf16" else torch.float32
    )  # not .to(dtype), which would make the rotations real
    model = transformers.Llama4ForConditionalGeneration.from_pretrained(
        a.folder, dtype=dtype, attn_implementation="sdpa"
    ).eval()
    inner = model if hasattr(model, "vision_model") else model.model
    encoder, projector = inner.vision_model, inner.multi_modal_projector
    pixels = (
        torch.from_numpy(numpy.fromfile(os.path.join(a.folder, "pixels.bin"), dtype=numpy.float32))
        .reshape(TILES, 3, 336, 336)
        .to(dtype)
    )
    print(json.dumps({"ready": True}), flush=True)
    with torch.inference_mode():
        for _ in sys.stdin:
            start = time.perf_counter()
            hidden = encoder(pixels).last_hidden_state
            features = projector(hidden.reshape(-1, hidden.shape[-1]))
            print(json.dumps({"seconds": time.perf_counter() - start, "tiles": TILES}), flush=True)
        features.float().numpy().tofile(a.features)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--provider", default="onednn")
    p.add_argument("--vision-steps", default="build/release/bin/vision_steps")
    p.add_argument("--cache", default=os.path.expanduser("~/.cache/puna/bench"))
    p.add_argument("--out")
    p.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    for hidden in ("--folder", "--precision", "--features"):
        p.add_argument(hidden, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.make:
        return make_model(a.folder)
    if a.worker:
        return torch_worker(a)
    import numpy

    folder = os.path.join(a.cache, "vision")
    if not os.path.exists(os.path.join(folder, "made.json")):
        subprocess.run([sys.executable, __file__, "--make", "--folder", folder], check=True)
    threads = str(a.threads)
    theirs = [sys.executable, __file__, "--worker", "--folder", folder, "--threads", threads, "--precision"]
    ours = [a.vision_steps, folder, os.path.join(folder, "pixels.bin")]
    features = [os.path.join(folder, "%d.features" % i) for i in range(5)]
    provided = ["--threads", threads, "--providers", a.provider]
    workers = [
        Worker("pytorch f32", theirs + ["f32", "--features", features[0]], environment(threads)),
        Worker("pytorch bf16", theirs + ["bf16", "--features", features[1]], environment(threads)),
        Worker("puna f32 built-in", ours + [features[2], "--threads", threads]),
        Worker("puna f32 provider", ours + [features[3]] + provided),
        Worker("puna bf16 provider", ours + [features[4], "--bf16"] + provided),
    ]
    take_turns(workers, a.rounds)
    for w in workers:
        w.end()
        w.rates = rates(w, "tiles")
    rows = []
    want = numpy.fromfile(features[0], dtype=numpy.float32)
    scale = float(numpy.abs(want).max())
    for w, file in zip(workers, features):
        got = numpy.fromfile(file, dtype=numpy.float32)
        worst = float(numpy.abs(got - want).max()) / scale if got.shape == want.shape else float("inf")
        if not worst <= (1e-4 if "f32" in w.name else 5e-2):
            raise SystemExit("%s: features differ from PyTorch's in f32 by %g of their largest" % (w.name, worst))
        rival = workers[0 if "f32" in w.name else 1]
        rows.append(
            {
                "engine": w.name,
                "tiles_per_second": statistics.median(w.rates),
                "against": rival.name,
                "difference": worst,
                "ratio": statistics.median([x / y for x, y in zip(w.rates, rival.rates)]),
            }
        )
        print(
            "  %-20s %6.2f tiles/s   %5.2fx   features within %.1e"
            % (w.name, rows[-1]["tiles_per_second"], rows[-1]["ratio"], worst)
        )
    if a.out:
        json.dump(
            {
                "threads": a.threads,
                "rounds": a.rounds,
                "rows": rows,
                **json.load(open(os.path.join(folder, "made.json"))),
            },
            open(a.out, "w"),
            indent=1,
        )


if __name__ == "__main__":
    main()
