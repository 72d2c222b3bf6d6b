"""06_python.py -- what a binding gives beyond text: numpy arrays of logits, forks, snapshots; then a conversation of
two turns.

python examples/06_python.py model.gguf "What is a puna?"
"""

import sys

import puna


def main(path: str, question: str) -> None:
    model = puna.Model(path)
    print(
        f"{model.info.architecture}, {model.info.parameters / 1e6:.0f} M parameters, {model.info.load_seconds:.2f} s to load",
        file=sys.stderr,
    )
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
    print(
        f"a snapshot of {len(session)} tokens: {len(data)} bytes;",
        "same bits:",
        bool((model.restore(data).logits() == logits).all()),
    )

    # A conversation is its messages. What the session holds of them already is not computed again.
    if model.info.has_chat_template:
        messages = []
        for say in (question, "Tell me more."):
            messages.append({"role": "user", "content": say})
            answer = session.chat(messages, max_tokens=24)
            messages.append({"role": "assistant", "content": "".join(answer)})
            print(
                f"{say}\n> {answer.text}\n  ({answer.prompt_tokens} of {len(model.chat_tokens(messages[:-1]))} tokens of the prompt were computed)"
            )


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "model.gguf",
        sys.argv[2] if len(sys.argv) > 2 else "The highest plateaus of the Andes are",
    )
