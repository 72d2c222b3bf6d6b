"""The real lm-eval three ways: ARC-Easy by `local-completions` against `puna serve`, without a tokenizer of Hugging
Face's; through the `LM` subclass of examples/eval; and its samples beside those of `puna eval run`. All log-likelihoods
must be those of a session of our own.

usage: lm_eval_arc.py ARC_EASY.jsonl [--items 200] [--model GGUF]
needs lm_eval[api], cffi, numpy, PUNA_LIBRARY, PUNA_BIN
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from served import ROOT, Served

sys.path[:0] = [str(ROOT / "bindings/python"), str(ROOT / "examples/eval")]
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
TASK = """
task: puna_arc_easy
dataset_path: json
dataset_kwargs: {data_files: {test: "ITEMS"}}
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_target: "{{choices.label.index(answerKey)}}"
doc_to_choice: "{{choices.text}}"
metric_list: [{metric: acc}, {metric: acc_norm}]
"""


def evaluate(url, name, folder, concurrent, batch):
    import lm_eval
    import lm_eval.tasks

    model = f"model={name},base_url={url}/v1/completions,tokenizer_backend=remote"
    tasks = lm_eval.tasks.TaskManager(include_path=str(folder), include_defaults=False)
    start = time.monotonic()
    result = lm_eval.simple_evaluate(
        model="local-completions",
        model_args=f"{model},num_concurrent={concurrent},max_length=1024",
        tasks=["puna_arc_easy"],
        task_manager=tasks,
        batch_size=batch,
        bootstrap_iters=0,
        log_samples=True,
    )
    return result, time.monotonic() - start


# Options of the command, and the same for lm-eval: its draws, and its chats.
OTHER_PROMPTS = {
    ("--shots", "3"): {"num_fewshot": 3},
    ("--chat", "--shots", "2"): {"num_fewshot": 2, "apply_chat_template": True, "fewshot_as_multiturn": False},
    ("--chat", "--multiturn", "--shots", "2", "--system", "Be brief."): {
        "num_fewshot": 2,
        "apply_chat_template": True,
        "fewshot_as_multiturn": True,
        "system_instruction": "Be brief.",
    },
}


def native(model, folder, items, task="arc_easy", *options):
    """The samples of `puna eval run`."""
    for old in folder.glob("native.*"):
        old.unlink()
    command = [os.environ["PUNA_BIN"] + "/puna", "eval", "run", str(task), model, "--limit", str(items), *options]
    subprocess.run([*command, "--data", str(folder / "items.jsonl"), "--out", str(folder / "native")], check=True)
    return [json.loads(line) for line in (folder / "native.jsonl").read_text(encoding="utf-8").splitlines()]


def differences(ours, theirs):
    """The largest difference of a log-likelihood, and the items whose choice is another."""
    worst, other = 0.0, []
    by_item = {sample["doc_id"]: sample for sample in theirs}
    assert len(ours) == len(by_item)
    for sample in ours:
        there = by_item[sample["doc_id"]]
        a, b = ([[float(ll), g] for ll, g in s["filtered_resps"]] for s in (sample, there))
        assert len(a) == len(b)
        worst = max(worst, *(abs(x[0] - y[0]) for x, y in zip(a, b)))
        likeliest = [max(range(len(r)), key=lambda i: r[i][0]) for r in (a, b)]
        if likeliest[0] != likeliest[1] or [x[1] for x in a] != [str(y[1]) == "True" for y in b]:
            other.append(sample["doc_id"])
        asked = [[c, e] for c, e in there["arguments"]]
        assert sample["arguments"] == asked, f"item {sample['doc_id']} was asked otherwise"
        for key in ("doc_hash", "prompt_hash", "target_hash"):
            assert sample[key] == there[key], f"item {sample['doc_id']}: {key} differs"
        assert sample["acc"] == there["acc"] and sample["acc_norm"] == there["acc_norm"]
    return worst, other


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data")
    p.add_argument("--items", type=int, default=200)
    p.add_argument(
        "--model", default=os.path.join(os.environ.get("PUNA_MODELS", ""), "SmolLM2-135M-Instruct.Q4_1.gguf")
    )
    p.add_argument("--concurrent", type=int, default=4)
    p.add_argument("--batch", type=int, default=8)
    a = p.parse_args()
    import puna

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        lines = pathlib.Path(a.data).read_text(encoding="utf-8").splitlines()[: a.items]
        (folder / "items.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "task.yaml").write_text(TASK.replace("ITEMS", str(folder / "items.jsonl")), encoding="utf-8")
        os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
        with Served("--ctx", "1024", models=(f"served={a.model}",)) as server:
            result, seconds = evaluate(f"http://127.0.0.1:{server.port}", "served", folder, a.concurrent, a.batch)
        import lm_eval_puna

        (folder / "arc_easy_test.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        start = time.monotonic()
        name, by_class = lm_eval_puna.evaluate(puna.Model(a.model), "arc_easy", str(folder), bootstrap_iters=0)
        class_seconds, start = time.monotonic() - start, time.monotonic()
        ours = native(a.model, folder, len(lines))
        native_seconds = time.monotonic() - start
        (folder / "theirs.jsonl").write_text(
            "".join(json.dumps(s, default=str) + "\n" for s in by_class["samples"][name]), encoding="utf-8"
        )
        command = [os.environ["PUNA_BIN"] + "/puna", "eval", "compare", "--json"]
        compared = subprocess.run(
            [*command, str(folder / "native.jsonl"), str(folder / "theirs.jsonl")], check=True, capture_output=True
        )
        difference = json.loads(compared.stdout)["differences"][0]["difference"]["mean"]
        task = (ROOT / "apps/cli/tasks/arc_easy.yaml").read_text(encoding="utf-8").splitlines()
        alone = [line for line in task if not line.strip().startswith(("train", "validation"))]  # its one split
        (folder / "own.yaml").write_text("\n".join(alone) + "\n", encoding="utf-8")
        for options, asked in OTHER_PROMPTS.items():
            again = native(a.model, folder, 12, folder / "own.yaml", *options)
            name_again, theirs = lm_eval_puna.evaluate(
                puna.Model(a.model), str(folder / "own.yaml"), str(folder), limit=12, bootstrap_iters=0, **asked
            )
            far, other = differences(again, theirs["samples"][name_again])
            assert far <= 1e-3 and not other, f"{options}: {far} away, other choices on {other}"
    http = differences(ours, result["samples"]["puna_arc_easy"])
    subclass = differences(ours, by_class["samples"][name])
    print(
        json.dumps(
            {
                "native_to_http": http,
                "native_to_subclass": subclass,
                "compare": difference,
                "native_seconds": round(native_seconds, 1),
                "subclass_seconds": round(class_seconds, 1),
            }
        )
    )
    for way, (far, other) in {"HTTP": http, "the subclass": subclass}.items():
        assert far <= 1e-3, f"native log-likelihoods are up to {far} away from those by {way}"
        assert not other, f"native and {way} choose differently on items {other[:5]}"
    assert difference == 0, f"puna eval compare sees a difference of {difference}"
    assert "transformers" not in sys.modules, "lm-eval loaded Hugging Face's tokenizers"
    model = puna.Model(a.model)
    session, worst, count, wrong_greedy = model.session(), 0.0, 0, 0
    for sample in result["samples"]["puna_arc_easy"]:
        for (context, continuation), (ll, greedy) in zip(sample["arguments"], sample["filtered_resps"]):
            before = len(model.tokenizer.encode(context, add_bos=False))
            ids = model.tokenizer.encode(context + continuation, add_bos=False)
            session.truncate(0)
            ours = -float(session.score(ids)[before - 1 :].astype("float64").sum())
            worst, count = max(worst, abs(ours - float(ll))), count + 1
            session.truncate(0)
            likeliest = session.append_logits(ids).argmax(axis=1)[before - 1 : -1]
            wrong_greedy += bool(greedy) != bool((likeliest == ids[before:]).all())
    scores = {k.split(",")[0]: v for k, v in result["results"]["puna_arc_easy"].items() if k.startswith("acc")}
    report = {"items": len(lines), "continuations": count, "worst_difference": worst, "seconds": round(seconds, 1)}
    print(json.dumps(report | {k: round(v, 4) for k, v in scores.items() if isinstance(v, float)}))
    assert count >= 3 * len(lines), "lm-eval asked for fewer continuations than there are choices"
    assert worst < 1e-3, f"lm-eval's log-likelihoods are {worst} away from ours"
    assert wrong_greedy == 0, f"{wrong_greedy} continuations are greedy for one and not for the other"


if __name__ == "__main__":
    main()
