#!/usr/bin/env python3
"""Writes expected/sentencepiece_<name>.json: small vocabularies as GGUF metadata, and what SentencePiece makes of some
strings.

Usage: pip install sentencepiece==0.2.3 protobuf && python3 make_sentencepiece_expectations.py
Each file: {"metadata": {"tokenizer.ggml.*": ...}, "cases": [{"text", "ids", "decoded"}, ...]}
"""

import io
import json
import os

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as proto

from make_tokenizer_expectations import CORPUS, HERE, strings

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # the same numbers in both formats


def trained(unused_every=0, **options):
    model = io.BytesIO()
    # SentencePiece drops sentences with its own space character or line ends in them: it is trained on lines.
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in CORPUS for line in text.splitlines()]),
        model_writer=model,
        model_type="bpe",
        normalization_rule_name="identity",
        character_coverage=1.0,
        minloglevel=2,
        hard_vocab_limit=False,
        **options,
    )
    m = proto.ModelProto()
    m.ParseFromString(model.getvalue())
    # No trainer option makes a piece unused; real files have them where a vocabulary was pruned.
    long = [piece for piece in m.pieces if piece.type == NORMAL and len(piece.piece) > 1]
    for piece in long[::unused_every] if unused_every else []:
        piece.type = UNUSED
    return m


def save(name, m):
    processor = spm.SentencePieceProcessor(model_proto=m.SerializeToString())
    metadata = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [p.piece for p in m.pieces],
        "tokenizer.ggml.scores": [p.score for p in m.pieces],
        "tokenizer.ggml.token_type": [p.type for p in m.pieces],
        "tokenizer.ggml.add_space_prefix": m.normalizer_spec.add_dummy_prefix,
        "tokenizer.ggml.remove_extra_whitespaces": m.normalizer_spec.remove_extra_whitespaces,
        "tokenizer.ggml.unknown_token_id": m.trainer_spec.unk_id,
        "tokenizer.ggml.bos_token_id": m.trainer_spec.bos_id,
        "tokenizer.ggml.eos_token_id": m.trainer_spec.eos_id,
    }
    # A user-defined piece at the very start meets the dummy prefix, which the library puts in front of everything and
    # Llama's runtimes put in front of ordinary text only: not a case the two agree on.
    texts = [t for t in strings(name, 120) if not t.startswith("<mark>") and "\0" not in t]
    cases = []
    for text in texts:
        ids = processor.encode(text)
        cases.append({"text": text, "ids": ids, "decoded": processor.decode(ids)})
    with open(os.path.join(HERE, "expected", f"sentencepiece_{name}.json"), "w") as out:
        json.dump({"metadata": metadata, "cases": cases}, out, ensure_ascii=True, separators=(",", ":"))
        out.write("\n")


def main():
    plain = dict(
        remove_extra_whitespaces=False, byte_fallback=True, split_digits=True, allow_whitespace_only_pieces=True
    )
    save("llama2", trained(vocab_size=420, **plain))
    save("marked", trained(vocab_size=420, user_defined_symbols=["<mark>"], add_dummy_prefix=False, **plain))
    save("unknown", trained(vocab_size=150, byte_fallback=False, remove_extra_whitespaces=True))
    save("crossing", trained(vocab_size=480, split_by_whitespace=False, **plain))
    save("unused", trained(vocab_size=420, unused_every=3, **plain))


if __name__ == "__main__":
    main()
