"""The real lm-evaluation-harness on Puna: its tasks, draws, filters and table, with Puna behind them.

    pip install lm_eval==0.4.13
    python3 examples/eval/lm_eval_puna.py TASK MODEL.gguf [--data FOLDER] [--limit N] [--num-fewshot K] [--chat]
        [--log samples.jsonl]

TASK is a task of lm-eval or a YAML file; arc_easy and arc_challenge are read from our own files (apps/cli/tasks) and
their data from --data, so that nothing is fetched. Neither torch nor Hugging Face's tokenizers are needed.
`puna eval run` gives the same log-likelihoods, `puna eval compare` reads the samples of both.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
from typing import Any, Dict, Iterable, List, Tuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings/python"))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import lm_eval  # noqa: E402
import lm_eval.tasks  # noqa: E402
from lm_eval.api.model import LM  # noqa: E402

import puna  # noqa: E402


class PunaLM(LM):
    """lm-eval's requests as one call each of Puna: what contexts have in common is computed once."""

    def __init__(self, model: puna.Model, batch: int = 16) -> None:
        super().__init__()
        self.model, self.batch = model, batch
        self.tokenizer = model.tokenizer
        prefix = self.tokenizer.bos if self.tokenizer.bos >= 0 else self.tokenizer.eos
        self.prefix, self.max_length = prefix, model.info.max_positions

    def encode(self, text: str, *, special: bool = False) -> List[int]:
        return [int(t) for t in self.tokenizer.encode(text, add_bos=True, parse_special=special)]

    def pair(self, context: str, continuation: str) -> Tuple[List[int], List[int]]:
        """As TemplateLM._encode_pair: the continuation's tokens are those that the whole has more than its context."""
        stripped = context.rstrip()
        whole = self.encode(context + continuation, special=self.chats)
        before = len(self.encode(stripped, special=self.chats)) if stripped else 0
        if before == 0:
            return (whole[:1], whole[1:]) if whole[:1] == [self.prefix] else ([self.prefix], whole)
        return whole[:before], whole[before:]

    chats = False  # contexts come out of a chat template: special tokens in them are meant

    def scored(self, pairs: Iterable[Tuple[List[int], List[int]]]) -> List[Tuple[float, bool]]:
        cut = []
        for context, continuation in pairs:
            most = self.max_length + 1 - len(continuation)
            cut.append((context[-most:], continuation))
        scores = self.model.score_continuations(cut)
        return [(float(ll), bool(greedy)) for ll, greedy in zip(*scores)]

    def loglikelihood(self, requests: List[Any]) -> List[Tuple[float, bool]]:
        answers = self.scored(self.pair(*r.args) for r in requests)
        for r, answer in zip(requests, answers):
            self.cache_hook.add_partial("loglikelihood", r.args, answer)
        return answers

    def loglikelihood_rolling(self, requests: List[Any]) -> List[float]:
        pairs, owners = [], []
        for i, r in enumerate(requests):
            tokens = [self.prefix, *self.encode(r.args[0])]
            for done in range(1, len(tokens), self.max_length):
                end = min(done + self.max_length, len(tokens))
                window = tokens[max(0, end - 1 - self.max_length) : end]
                pairs.append((window[: len(window) - (end - done)], window[len(window) - (end - done) :]))
                owners.append(i)
        sums = [0.0] * len(requests)
        for owner, (ll, _) in zip(owners, self.scored(pairs)):
            sums[owner] += ll
        for r, total in zip(requests, sums):
            self.cache_hook.add_partial("loglikelihood_rolling", r.args, total)
        return sums

    def generate_until(self, requests: List[Any]) -> List[str]:
        answers: List[str] = []
        with puna.Engine(self.model) as engine:
            live: List[Any] = []
            for r in requests:
                if len(live) >= 256:  # an engine's queue has an end
                    self.finish(live, answers)
                context, kwargs = r.args
                kwargs = dict(kwargs)
                until = kwargs.pop("until", [])
                until = [until] if isinstance(until, str) else list(until)
                most = kwargs.pop("max_gen_toks", 256)
                sampled = kwargs.pop("do_sample", False) or kwargs.get("temperature", 0) > 0
                tokens = self.encode(context, special=self.chats)[-(self.max_length - most) :]
                sampling = {"temperature": kwargs.get("temperature", 1.0)} if sampled else {}
                live.append((r, until, engine.submit(tokens, max_tokens=most, stop=until, **sampling)))
            self.finish(live, answers)
        return answers

    def finish(self, live: List[Any], answers: List[str]) -> None:
        for r, until, request in live:
            text = request.result().text
            for end in until:
                text = text.split(end)[0] if end else text
            self.cache_hook.add_partial("generate_until", r.args, text)
            answers.append(text)
        live.clear()

    # ---- chats

    @property
    def tokenizer_name(self) -> str:
        return str(self.model.metadata.get("general.name", "puna"))

    def chat_template(self, chat_template: Any = False) -> str:
        return str(self.model.metadata.get("tokenizer.chat_template", ""))

    def apply_chat_template(self, chat_history: List[Dict[str, str]], add_generation_prompt: bool = True) -> str:
        self.chats = True
        text = str(self.model.render_chat(chat_history, add_generation_prompt=add_generation_prompt))
        if add_generation_prompt:
            return text
        last = chat_history[-1]["content"].strip()  # the answer goes on behind its beginning
        return text[: text.rindex(last) + len(last)]


def task_folder(name: str, data: str, into: pathlib.Path) -> str:
    """One of our tasks as lm-eval reads it: a file with the data's place in it. Its name."""
    import yaml

    ours = ROOT / "apps/cli/tasks"
    path = pathlib.Path(name) if name.endswith((".yaml", ".yml")) else ours / f"{name}.yaml"
    task: Dict[str, Any] = {}
    while path:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        include = read.pop("include", None)
        task = {**read, **task}
        path = path.parent / include if include else None
    files = task.get("dataset_kwargs", {}).get("data_files", {})
    folder = pathlib.Path(data) if data else pathlib.Path()
    there = {split: str((folder / pathlib.Path(f).name).resolve()) for split, f in files.items()}
    there = {split: f for split, f in there.items() if pathlib.Path(f).is_file()}
    if task.get("test_split") not in there and task.get("validation_split") not in there:
        sys.exit(f"the data of {name} are not in {folder.resolve()}: --data says where they are")
    task["dataset_kwargs"] = {"data_files": there}
    for split in ("training_split", "validation_split", "test_split", "fewshot_split"):
        if task.get(split) not in there:
            task.pop(split, None)
    task["task"] = "puna_" + task["task"]
    (into / "task.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    return str(task["task"])


def evaluate(model: puna.Model, task: str, data: str = "", **options: Any) -> Tuple[str, Dict[str, Any]]:
    """lm_eval.simple_evaluate on one of our tasks: the task's name, and the result."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["HF_DATASETS_CACHE"] = temporary + "/cache"
        name = task_folder(task, data, pathlib.Path(temporary))
        manager = lm_eval.tasks.TaskManager(include_path=temporary, include_defaults=False)
        result = lm_eval.simple_evaluate(
            model=PunaLM(model), tasks=[name], task_manager=manager, log_samples=True, **options
        )
    return name, result


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("task")
    p.add_argument("model")
    p.add_argument("--data", default="")
    p.add_argument("--limit", type=int)
    p.add_argument("--num-fewshot", type=int)
    p.add_argument("--chat", action="store_true")
    p.add_argument("--log", help="lm-eval's samples, for puna eval compare")
    a = p.parse_args()
    name, result = evaluate(
        puna.Model(a.model), a.task, a.data, limit=a.limit, num_fewshot=a.num_fewshot, apply_chat_template=a.chat
    )
    from lm_eval.utils import make_table

    print(make_table(result))
    if a.log:
        lines = (json.dumps(s, ensure_ascii=False, default=str) + "\n" for s in result["samples"][name])
        pathlib.Path(a.log).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
