"""06_python.py -- a chat at the terminal, and what a binding gives beyond text: numpy arrays of logits, forks, snapshots.

    python examples/06_python.py model.gguf "What is a puna?"
"""
import sys

import puna


def main(path: str, question: str) -> None:
    model = puna.Model(path)
    print(f"{model.info.architecture}, {model.info.parameters / 1e6:.0f} M parameters, {model.info.load_seconds:.2f} s to load", file=sys.stderr)
    session = model.session()

    # What might come next, from the library's own memory, without a copy.
    session.append(question)
    logits = session.logits()
    print("likely to follow:", [model.tokenizer.decode([int(i)]) for i in logits.argsort()[::-1][:5]])

    # Two ways to go on from the same place, each drawn with its own seed.
    for seed in (1, 2):
        copy = session.fork()
        sampling = puna.Sampling(temperature=0.8, top_p=0.95, seed=seed)
        print(f"seed {seed}:", "".join(copy.generate(max_tokens=24, sampling=sampling)))

    # The session as bytes: another process with the same model goes on from here.
    data = session.snapshot()
    print(f"a snapshot of {len(session)} tokens: {len(data)} bytes;", "same bits:", bool((model.restore(data).logits() == logits).all()))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "model.gguf", sys.argv[2] if len(sys.argv) > 2 else "The highest plateaus of the Andes are")
