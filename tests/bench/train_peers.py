"""train_peers.py -- training steps of Puna and of PyTorch on the same weights, tokens and threads, taking turns.

Four set-ups: a dense Llama of 29 M parameters, a Llama 4 of 31 M (8 experts, top 1, a shared one), both AdamW with the
gradient's norm clipped to 1; LoRA (r = 8 on q and v) beside SmolLM2-135M. PyTorch makes the models and writes them as
Hugging Face folders, which Puna reads. One process an engine and precision stays alive; in each round each does one
step. Losses of the first steps must agree. Medians, ratios and the peaks of memory go to a table and a JSON file.
PyTorch runs with glibc's allocator tuned (pages stay with the process: without, it is up to twice as slow). Run by
`./dev bench train`, which brings a Python with PyTorch, transformers and PEFT.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from torch_peers import Worker, environment, probe, rates, take_turns

sys.path.pop(0)  # what lies beside this file has the names of packages (tokenizers)
SETUPS = {
    "dense": {
        "seq": 512,
        "batch": 4,
        "lora": 0,
        "what": "dense Llama, 29 M: hidden 512, 8 layers, 8/4 heads, ffn 1536, vocabulary 8192",
    },
    "moe": {
        "seq": 512,
        "batch": 4,
        "lora": 0,
        "what": "Llama 4, 31 M: hidden 512, 6 layers, 8/4 heads, 8 experts of 272, top 1, a shared expert",
    },
    "lora": {"seq": 256, "batch": 4, "lora": 8, "what": "LoRA r = 8 (q, v) beside SmolLM2-135M"},
}


def tokens_of(setup, vocabulary):
    return [(i * i * 31 + i * 7919 + 11) % vocabulary for i in range(SETUPS[setup]["seq"] * SETUPS[setup]["batch"])]


# ---- PyTorch
# ----------------------------------------------------------------------------------------------------------------------


def make_model(setup, folder, gguf):
    import torch
    import transformers

    torch.manual_seed(0)
    if setup == "lora":
        model = transformers.AutoModelForCausalLM.from_pretrained(
            os.path.dirname(gguf), gguf_file=os.path.basename(gguf), dtype=torch.float32
        )
        config = transformers.LlamaConfig(
            **{k: v for k, v in model.config.to_dict().items() if k not in ("quantization_config", "architectures")}
        )
        plain = transformers.LlamaForCausalLM(config)  # the same values, no longer a quantised model's
        plain.load_state_dict(model.state_dict())
        model = plain
    elif setup == "dense":
        model = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                hidden_size=512,
                num_hidden_layers=8,
                num_attention_heads=8,
                num_key_value_heads=4,
                intermediate_size=1536,
                vocab_size=8192,
                max_position_embeddings=2048,
                tie_word_embeddings=True,
            )
        )
    else:
        model = transformers.Llama4ForCausalLM(
            transformers.Llama4TextConfig(
                hidden_size=512,
                num_hidden_layers=6,
                num_attention_heads=8,
                num_key_value_heads=4,
                head_dim=64,
                intermediate_size=272,
                intermediate_size_mlp=272,
                num_local_experts=8,
                num_experts_per_tok=1,
                interleave_moe_layer_step=1,
                vocab_size=8192,
                max_position_embeddings=2048,
                attention_chunk_size=8192,
                tie_word_embeddings=True,
                pad_token_id=0,
                output_router_logits=False,
            )
        )
    model.save_pretrained(folder)
    vocabulary = model.config.vocab_size
    with open(os.path.join(folder, "tokens.bin"), "wb") as f:
        import numpy

        numpy.array(tokens_of(setup, vocabulary), dtype=numpy.int32).tofile(f)
    json.dump({"parameters": sum(p.numel() for p in model.parameters())}, open(os.path.join(folder, "made.json"), "w"))


def torch_worker(a):
    import numpy
    import torch
    import transformers

    torch.set_num_threads(a.threads)
    s = SETUPS[a.setup]
    model = transformers.AutoModelForCausalLM.from_pretrained(a.folder, dtype=torch.float32, attn_implementation="sdpa")
    if s["lora"]:
        import peft

        model = peft.get_peft_model(
            model,
            peft.LoraConfig(
                r=s["lora"], lora_alpha=2 * s["lora"], target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"
            ),
        )
    model.train()
    model.config.use_cache = False
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.0, fused=True)
    ids = torch.from_numpy(
        numpy.fromfile(os.path.join(a.folder, "tokens.bin"), dtype=numpy.int32).astype(numpy.int64)
    ).reshape(s["batch"], s["seq"])
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            start = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=a.precision == "bf16"):
                loss = model(input_ids=ids, labels=ids).loss
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            print(
                json.dumps(
                    {
                        "loss": loss.item(),
                        "grad_norm": norm.item(),
                        "tokens": ids.numel(),
                        "seconds": time.perf_counter() - start,
                    }
                ),
                flush=True,
            )
    with open("/proc/self/status") as status:
        print(json.dumps({"peak_rss": next(int(x.split()[1]) * 1024 for x in status if x.startswith("VmHWM"))}))


# ---- the conductor
# ----------------------------------------------------------------------------------------------------------------------


def workers_of(a, setup, folder):
    s = SETUPS[setup]
    ours = [
        a.train_steps,
        folder,
        os.path.join(folder, "tokens.bin"),
        "--seq",
        str(s["seq"]),
        "--batch",
        str(s["batch"]),
        "--threads",
        str(a.threads),
        "--lora",
        str(s["lora"]),
    ]
    theirs = [sys.executable, __file__, "--worker", "--setup", setup, "--folder", folder, "--threads", str(a.threads)]
    yield Worker("pytorch f32", theirs + ["--precision", "f32"], environment(a.threads))
    yield Worker("pytorch bf16", theirs + ["--precision", "bf16"], environment(a.threads))
    yield Worker("puna f32 built-in", ours + ["--exact"])
    yield Worker("puna f32 provider", ours + ["--exact", "--providers", a.provider])
    yield Worker("puna bf16 provider", ours + ["--exact", "--providers", a.provider, "--bf16"])
    if setup == "lora":
        yield Worker(
            "puna Q4_1 base, bf16 provider", [ours[0], a.gguf] + ours[2:] + ["--providers", a.provider, "--bf16"]
        )


def measure(a, setup):
    folder = os.path.join(a.cache, "train-" + setup)
    if not os.path.exists(os.path.join(folder, "made.json")):
        subprocess.run(
            [sys.executable, __file__, "--make", "--setup", setup, "--folder", folder, "--gguf", a.gguf], check=True
        )
    workers = list(workers_of(a, setup, folder))
    take_turns(workers, a.rounds)
    limits = probe(a.probe, a.threads)
    for w in workers:
        w.peak, w.rates, w.losses = (
            w.end(last_words=True)["peak_rss"],
            rates(w, "tokens"),
            [x["loss"] for x in w.answers],
        )
    reference = workers[0].losses
    for w in workers:  # LoRA's A is drawn by each engine itself, and B is zero: the first loss is the base's
        bound = 2e-4 if "f32" in w.name else 2e-2
        steps = 1 if setup == "lora" else 3
        worst = max(abs(x - y) / y for x, y in zip(w.losses[:steps], reference[:steps]))
        if worst > (5e-2 if "Q4_1" in w.name else bound):
            raise SystemExit("%s: losses %s, PyTorch's %s" % (w.name, w.losses[:steps], reference[:steps]))
    print(
        "\n%s, %d x %d tokens, %d threads   probe: f32 %.0f GMAC/s, read %.1f GB/s"
        % (
            SETUPS[setup]["what"],
            SETUPS[setup]["batch"],
            SETUPS[setup]["seq"],
            a.threads,
            limits["f32_gmacs"],
            limits["read_gbs"],
        )
    )
    rows = []
    for w in workers:
        rival = workers[0 if "f32" in w.name else 1]
        ratio = [x / y for x, y in zip(w.rates, rival.rates)]
        rows.append(
            {
                "engine": w.name,
                "tokens_per_second": statistics.median(w.rates),
                "ratio": statistics.median(ratio),
                "against": rival.name,
                "peak_mb": w.peak / 1e6,
                "peak_ratio": w.peak / rival.peak,
                "losses": w.losses[:3],
            }
        )
        print(
            "  %-30s %7.0f tokens/s   %5.2fx   peak %5.0f MB   %.2fx   losses %s"
            % (
                w.name,
                rows[-1]["tokens_per_second"],
                rows[-1]["ratio"],
                rows[-1]["peak_mb"],
                rows[-1]["peak_ratio"],
                " ".join("%.4f" % x for x in w.losses[:3]),
            )
        )
    return {
        "setup": setup,
        **SETUPS[setup],
        "probe": limits,
        "rows": rows,
        **json.load(open(os.path.join(folder, "made.json"))),
    }


def main():
    p = argparse.ArgumentParser()
    p.add_argument("setups", nargs="*", default=list(SETUPS))
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--provider", default="onednn")
    p.add_argument("--train-steps", default="build/release/bin/train_steps")
    p.add_argument("--probe", default="build/release/bin/probe")
    p.add_argument("--cache", default=os.path.expanduser("~/.cache/puna/bench"))
    p.add_argument(
        "--gguf",
        default=os.path.join(
            os.environ.get("PUNA_MODELS", os.path.expanduser("~/.cache/puna/models")), "SmolLM2-135M-Instruct.Q4_1.gguf"
        ),
    )
    p.add_argument("--out")
    for hidden in ("--worker", "--make"):
        p.add_argument(hidden, action="store_true", help=argparse.SUPPRESS)
    for hidden in ("--setup", "--folder", "--precision"):
        p.add_argument(hidden, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.make:
        return make_model(a.setup, a.folder, a.gguf)
    if a.worker:
        return torch_worker(a)
    results = [measure(a, s) for s in a.setups]
    if a.out:
        json.dump({"threads": a.threads, "rounds": a.rounds, "results": results}, open(a.out, "w"), indent=1)


if __name__ == "__main__":
    main()
