"""interop.py -- other programs read what Puna writes: Transformers opens quantised GGUF files, PEFT opens adapters, and
both compute the logits that Puna computes from the same files in exact mode. Run by `./dev interop`, which brings
torch, transformers, peft and gguf.

llama.cpp's side of the same question is `./dev bench quality`, which compares its logits on a file of every type.
"""

import argparse
import json
import os
import subprocess
import sys

os.environ["TQDM_DISABLE"] = "1"  # Transformers' bars
import numpy as np
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def mean_kl(ours, theirs):
    p, q = (torch.log_softmax(torch.tensor(x, dtype=torch.float64), -1) for x in (ours, theirs))
    return float((p.exp() * (p - q)).sum(-1).mean())


class Check:
    def __init__(self, puna, folder, text):
        self.puna, self.folder, self.failed = puna, folder, []
        self.text = text

    def path(self, name):
        return os.path.join(self.folder, name)

    def compare(self, what, file, model, bound):
        """file: what Puna computes from; model: the same, opened by Transformers."""
        ids = json.loads(run(self.puna, "tokenize", file, "--file", self.text))[:128]
        run(self.puna, "logits", file, "--exact", "--tokens", ",".join(map(str, ids)), "--out", self.path("logits.npy"))
        ours = np.load(self.path("logits.npy"))
        with torch.no_grad():
            theirs = model(torch.tensor([ids])).logits[0].float().numpy()
        kl, worst = mean_kl(ours, theirs), float(np.abs(ours - theirs).max())
        print("%-34s KL %.1e, largest difference of a logit %.1e" % (what, kl, worst), flush=True)
        if not kl < bound:
            self.failed.append("%s: KL %g, expected below %g" % (what, kl, bound))
        return ours

    def transformers(self, file):
        return AutoModelForCausalLM.from_pretrained(self.folder, gguf_file=file, dtype=torch.float32).eval()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("model", help="a dense GGUF model with a tokenizer")
    p.add_argument("--puna", default="build/release/bin/puna")
    p.add_argument("--folder", default="build/interop")
    p.add_argument("--text", default="docs/architecture.md")
    a = p.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    check = Check(a.puna, a.folder, a.text)
    for kind in ("F16", "Q8_0", "Q4_0", "Q5_1", "Q4_K", "Q6_K"):
        run(a.puna, "quantize", a.model, check.path(kind + ".gguf"), "--type", kind)
        check.compare("Transformers, %s" % kind, check.path(kind + ".gguf"), check.transformers(kind + ".gguf"), 1e-6)

    with open(check.path("train.jsonl"), "w") as out:
        for i in range(16):
            out.write(
                json.dumps({"prompt": "The price of item %d is" % i, "completion": " %d coins." % (7 * i)}) + "\n"
            )
    adapter = check.path("finetuned/adapter")
    run(
        a.puna,
        "finetune",
        check.path("F16.gguf"),
        "--data",
        check.path("train.jsonl"),
        "--out",
        check.path("finetuned"),
        "--steps",
        "8",
        "--lr",
        "2e-3",
        "--step-tokens",
        "128",
        "--targets",
        "q_proj",
        "v_proj",
        "down_proj",
    )
    run(a.puna, "merge", check.path("F16.gguf"), adapter, check.path("merged.gguf"))
    base = check.transformers("F16.gguf")
    before = check.compare("Transformers without the adapter", check.path("F16.gguf"), base, 1e-6)
    after = check.compare(
        "PEFT with Puna's adapter", check.path("merged.gguf"), PeftModel.from_pretrained(base, adapter).eval(), 1e-6
    )
    if not mean_kl(before, after) > 1e-4:
        check.failed.append("the adapter changes nothing: KL %g" % mean_kl(before, after))
    if check.failed:
        sys.exit("\n".join(check.failed))


if __name__ == "__main__":
    main()
