"""make_formats.py -- the golden sets quant_tables and scaled_*, and the seeds of the fuzz target quantised_folder:
python3 tests/data/make_formats.py tests/data/golden tests/fuzz/corpus/quantised_folder (needs numpy, ml_dtypes and gguf
from PyPI).

quant_tables: blocks of the formats with tables and of the ternary ones, every entry of every table among them,
dequantised by the gguf package; and this library's two scaled blocks, dequantised by what numpy and ml_dtypes say.

scaled_*: a Llama of one layer as the common quantisers write it. Codes, scales and zero points are drawn at random,
packed as each layout's documentation has it, unpacked again bit by bit for a check, and the weights that they stand
for, scale * (code - zero) in f32, are kept as SHA-256 of each matrix.
"""

import hashlib
import json
import os
import sys
import tempfile

import gguf
import ml_dtypes
import numpy as np
from gguf import GGMLQuantizationType, quants

random = np.random.default_rng(25)


def manifest(folder, content):
    os.makedirs(os.path.join(folder, "golden"), exist_ok=True)
    for name, (array, how) in content.pop("numbers").items():
        np.save(os.path.join(folder, "golden", name + ".npy"), array)
        content.setdefault("arrays", {})[name] = {
            "file": "golden/%s.npy" % name,
            "shape": list(array.shape),
            "dtype": str(array.dtype),
            "how": how,
            "compare": "exact",
        }
    with open(os.path.join(folder, "manifest.json"), "w") as out:
        json.dump(content, out, indent=1)
        out.write("\n")


# ---- quant_tables


def half_scales(n):
    """Of all kinds: usual ones, negative, tiny (denormal), zero."""
    d = (random.normal(size=n) * 0.05).astype(np.float16)
    d[: n // 8] = np.float16(3e-6) * random.integers(-9, 9, n // 8).astype(np.float16)
    d[n // 8] = 0
    return d


def blocks_of(kind, size, n):
    b = random.integers(0, 256, (n, size), dtype=np.uint8)
    d = half_scales(n).view(np.uint8).reshape(n, 2)
    entry = np.arange(n * 32) % {"IQ1_S": 2048, "IQ1_M": 2048, "IQ2_S": 1024, "IQ2_XS": 512}.get(kind, 256)
    low = (entry & 255).astype(np.uint8).reshape(n, 32)
    if kind == "IQ1_M":  # the scale's four parts are the upper bits of four words
        words = b[:, 48:56].copy().view(np.uint16)
        whole = d.copy().view(np.uint16).astype(np.uint32)
        for i in range(4):
            words[:, i] = (words[:, i] & 0x0FFF) | ((whole[:, 0] >> (4 * i) & 15) << 12)
        b[:, 48:56] = words.view(np.uint8)
        b[:, :32] = low
    elif kind in ("TQ1_0", "TQ2_0"):
        b[:, -2:] = d
    else:
        b[:, :2] = d
    if kind == "IQ1_S":
        b[:, 2:34] = low
        high = (entry >> 8).reshape(n, 8, 4)
        rest = b[:, 34:50].copy().view(np.uint16) & 0xF000
        for i in range(4):
            rest |= (high[:, :, i] << (3 * i)).astype(np.uint16)
        b[:, 34:50] = rest.view(np.uint8)
    elif kind == "IQ2_S":
        b[:, 2:34] = low
        high = (entry >> 8).reshape(n, 8, 4)
        b[:, 66:74] = sum(high[:, :, i] << (2 * i) for i in range(4)).astype(np.uint8)
    elif kind == "IQ2_XS":
        words = (entry | random.integers(0, 128, n * 32) << 9).astype(np.uint16).reshape(n, 32)
        b[:, 2:66] = words.view(np.uint8)
    elif kind == "IQ2_XXS":
        for g in range(8):
            b[:, 2 + 8 * g : 6 + 8 * g] = low[:, 4 * g : 4 * g + 4]
    elif kind == "IQ3_XXS":
        b[:, 2:66] = np.arange(n * 64, dtype=np.int64).astype(np.uint8).reshape(n, 64)
    elif kind == "IQ3_S":
        number = np.arange(n * 64) % 512
        b[:, 2:66] = (number & 255).astype(np.uint8).reshape(n, 64)
        b[:, 66:74] = np.packbits((number >> 8).astype(np.uint8).reshape(n, 8, 8), axis=-1, bitorder="little")[..., 0]
    return b


def u4_blocks(rows, blocks):
    d = (random.normal(size=(rows, blocks)) * 0.01).astype(np.float32)
    zero = random.integers(0, 16, (rows, blocks), dtype=np.uint8)
    q = random.integers(0, 16, (rows, blocks, 32), dtype=np.uint8)
    packed = q[..., :16] | q[..., 16:] << 4
    b = np.concatenate([d[..., None].view(np.uint8), zero[..., None], packed], axis=-1)
    value = d[..., None] * (q.astype(np.float32) - zero[..., None].astype(np.float32))
    return b.reshape(rows, -1), value.astype(np.float32).reshape(rows, -1)


def e4m3_blocks(rows, blocks):
    d = (random.normal(size=(rows, blocks)) * 0.01).astype(np.float32)
    q = random.integers(0, 256, (rows, blocks, 32), dtype=np.uint8)
    q.reshape(-1)[:256] = np.arange(256)
    q[(q & 0x7F) == 0x7F] -= 1  # NaN is equal to nothing
    b = np.concatenate([d[..., None].view(np.uint8), q], axis=-1)
    value = d[..., None] * q.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    return b.reshape(rows, -1), value.astype(np.float32).reshape(rows, -1)


def quant_tables(folder):
    numbers = {}
    for kind in ("IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S", "IQ1_M", "TQ1_0", "TQ2_0"):
        t = GGMLQuantizationType[kind]
        size = gguf.GGML_QUANT_SIZES[t][1]
        rows, across = 16, {"IQ1_S": 4, "IQ2_S": 2}.get(kind, 1)
        b = blocks_of(kind, size, rows * across).reshape(rows, -1)
        numbers["rand_%s_bytes" % kind.lower()] = (b, "random blocks, the table's entries one after the other")
        numbers["rand_%s_dequant" % kind.lower()] = (quants.dequantize(b, t), "gguf.quants.dequantize, float32")
    for name, (b, value) in {"u4_scaled": u4_blocks(16, 4), "e4m3_scaled": e4m3_blocks(16, 4)}.items():
        numbers["rand_%s_bytes" % name] = (b, "random blocks of this library")
        numbers["rand_%s_dequant" % name] = (
            value,
            "scale * (code - zero), or scale * ml_dtypes.float8_e4m3fn, in float32",
        )
    b = random.integers(0, 256, (16, 8, 17), dtype=np.uint8)
    b[..., 0] = random.integers(90, 150, (16, 8))
    b[:, 0, 0] = np.arange(16)  # 2^-128 and up
    b = b.reshape(16, -1)
    numbers["rand_mxfp4_bytes"] = (b, "random blocks, the smallest powers of two among them")
    numbers["rand_mxfp4_dequant"] = (
        quants.dequantize(b, GGMLQuantizationType.MXFP4),
        "gguf.quants.dequantize, float32",
    )
    x = (random.normal(size=(16, 256)) * np.exp(random.normal(size=(16, 1)) * 3)).astype(np.float32)
    x[0], x[1], x[2, 17:] = 0, np.float32(-1.5), 0
    x[3] = np.where(np.arange(256) % 2, np.float32(2), np.float32(1))  # halves away from zero
    numbers["tq_input"] = (x, "normal values of several spreads, zeros, halves")
    for kind in ("TQ1_0", "TQ2_0"):
        t = GGMLQuantizationType[kind]
        numbers["%s_encoded" % kind.lower()] = (quants.quantize(x, t), "gguf.quants.quantize(tq_input)")
    manifest(
        folder,
        {
            "fixture": "quant_tables",
            "description": "blocks with tables, ternary blocks and scaled blocks, dequantised",
            "versions": {"gguf": "0.19.0", "numpy": np.__version__, "ml_dtypes": ml_dtypes.__version__},
            "numbers": numbers,
        },
    )


# ---- scaled_*

NAMES = {"BF16": np.uint16, "F16": np.float16, "F32": np.float32, "I32": np.int32, "I64": np.int64}
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


def bf16(x):
    return np.asarray(x, dtype=np.float32).astype(ml_dtypes.bfloat16)


def save(path, tensors):
    kinds = {np.dtype(ml_dtypes.bfloat16): "BF16", np.dtype(ml_dtypes.float8_e4m3fn): "F8_E4M3"}
    kinds |= {np.dtype(ml_dtypes.float8_e5m2): "F8_E5M2"}
    kinds |= {np.dtype(v): k for k, v in NAMES.items() if k != "BF16"}
    header, at = {}, 0
    order = sorted(tensors, key=lambda n: (-tensors[n].dtype.itemsize, n))
    for name in order:
        x = tensors[name]
        header[name] = {"dtype": kinds[x.dtype], "shape": list(x.shape), "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            out.write(np.ascontiguousarray(tensors[name]).tobytes())


def pack(nibbles, order=range(8)):
    """Eight codes along the last axis to an int32, code order[i] in bits 4 i and up."""
    word = np.zeros(nibbles.shape[:-1] + (nibbles.shape[-1] // 8,), dtype=np.uint32)
    for i, source in enumerate(order):
        word |= nibbles[..., source::8].astype(np.uint32) << np.uint32(4 * i)
    return word.view(np.int32)


def unpack(words, order=range(8)):
    """The same backwards, a bit of a code at a time."""
    w = np.ascontiguousarray(words).view(np.uint32)
    out = np.zeros(w.shape[:-1] + (w.shape[-1] * 8,), dtype=np.uint8)
    for i, target in enumerate(order):
        for bit in range(4):
            out[..., target::8] |= ((w >> np.uint32(4 * i + bit) & 1) << bit).astype(np.uint8)
    return out


def codes_of(rows, cols, group, scale_type, symmetric=False, group_of=None):
    """codes [out, in], zero points and scales [out, groups], and the weights."""
    groups = cols // group
    q = random.integers(0, 16, (rows, cols), dtype=np.uint8)
    zero = np.full((rows, groups), 8, np.uint8) if symmetric else random.integers(1, 16, (rows, groups), dtype=np.uint8)
    scale = (np.abs(random.normal(size=(rows, groups))) * 0.02 + 0.004).astype(scale_type)
    g = np.arange(cols) // group if group_of is None else group_of
    w = scale.astype(np.float32)[:, g] * (q.astype(np.float32) - zero.astype(np.float32)[:, g])
    return q, zero, scale, w.astype(np.float32)


def awq(name, rows, cols, out, group):
    q, zero, scale, w = codes_of(rows, cols, group, np.float16)
    out[name + ".qweight"] = pack(q.T, AWQ_ORDER)
    out[name + ".qzeros"] = pack(zero.T, AWQ_ORDER)
    out[name + ".scales"] = np.ascontiguousarray(scale.T)
    assert (unpack(out[name + ".qweight"], AWQ_ORDER).T == q).all()
    return "U4_SCALED", w


def gptq(name, rows, cols, out, group, less_one=True, act_order=False, symmetric=False):
    group_of = random.permutation(np.arange(cols) // group) if act_order else None
    q, zero, scale, w = codes_of(rows, cols, group, np.float16, symmetric, group_of)
    if less_one and not symmetric:  # zero is kept as 15
        zero[0, 0] = 0
        g = np.arange(cols) // group if group_of is None else group_of
        w = scale.astype(np.float32)[:, g] * (q.astype(np.float32) - zero.astype(np.float32)[:, g])
    out[name + ".qweight"] = np.ascontiguousarray(pack(q).T)
    out[name + ".qzeros"] = pack(((zero - less_one) & 15).astype(np.uint8).T)
    out[name + ".scales"] = np.ascontiguousarray(scale.T)
    out[name + ".g_idx"] = (np.arange(cols) // group if group_of is None else group_of).astype(np.int32)
    assert (unpack(np.ascontiguousarray(out[name + ".qweight"].T)) == q).all()
    return "F32" if act_order else "U4_SCALED", w


def packed(name, rows, cols, out, group, symmetric):
    q, zero, scale, w = codes_of(rows, cols, group, ml_dtypes.bfloat16, symmetric)
    out[name + ".weight_packed"] = pack(q)
    out[name + ".weight_scale"] = scale
    out[name + ".weight_shape"] = np.array([rows, cols], dtype=np.int64)
    if not symmetric:
        out[name + ".weight_zero_point"] = np.ascontiguousarray(pack(np.ascontiguousarray(zero.T)).T)
    assert (unpack(out[name + ".weight_packed"]) == q).all()
    return "U4_SCALED", w


def float8(name, rows, cols, out, blocks):
    x = (random.normal(size=(rows, cols)) * 40).astype(ml_dtypes.float8_e4m3fn)
    out[name + ".weight"] = x
    if name.endswith("o_proj"):
        x = (random.normal(size=(rows, cols)) * 0.02).astype(ml_dtypes.float8_e5m2)
        out[name + ".weight"] = x
        return "F16", x.astype(np.float32)
    if blocks:
        scale = (np.abs(random.normal(size=(-(-rows // blocks), -(-cols // blocks)))) * 5e-4 + 1e-4).astype(np.float32)
        out[name + ".weight_scale_inv"] = scale
        s = scale.repeat(blocks, 0)[:rows].repeat(blocks, 1)[:, :cols]
    else:
        one = name.endswith("k_proj")
        scale = bf16(np.abs(random.normal(size=(1,) if one else (rows, 1))) * 5e-4 + 1e-4)
        out[name + ".weight_scale"] = scale
        out[name + ".input_scale"] = np.ones(1, np.float32)
        s = scale.astype(np.float32)
    return "E4M3_SCALED", s * x.astype(np.float32)


def model(folder, quantise, config, ffn, zero_biases=False, D=128):
    K, KV, V = 32, 32, 32
    os.makedirs(folder, exist_ok=True)
    out, matrices = {}, {}
    at = "model.layers.0."
    shapes = {"self_attn.q_proj": (D, D), "self_attn.k_proj": (KV, D), "self_attn.v_proj": (KV, D)}
    shapes |= {
        "self_attn.o_proj": (D, D),
        "mlp.gate_proj": (ffn, D),
        "mlp.up_proj": (ffn, D),
        "mlp.down_proj": (D, ffn),
    }
    for name, (rows, cols) in shapes.items():
        dtype, w = quantise(at + name, rows, cols, out)
        matrices[at + name + ".weight"] = {
            "dtype": dtype,
            "shape": [rows, cols],
            "sha256": hashlib.sha256(np.ascontiguousarray(w, dtype="<f4").tobytes()).hexdigest(),
        }
        if zero_biases:
            out[at + name + ".bias"] = np.zeros(rows, np.float16)
    out["model.embed_tokens.weight"] = bf16(random.normal(size=(V, D)))
    for norm in ("model.norm", at + "input_layernorm", at + "post_attention_layernorm"):
        out[norm + ".weight"] = bf16(np.ones(D) + 0.1 * random.normal(size=D))
    save(os.path.join(folder, "model.safetensors"), out)
    base = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": D,
        "intermediate_size": ffn,
        "num_hidden_layers": 1,
        "num_attention_heads": D // K,
        "num_key_value_heads": KV // K,
        "head_dim": K,
        "vocab_size": V,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
    }
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(base | ({"quantization_config": config} if config else {}), f, indent=1)
        f.write("\n")
    ids = random.integers(0, V, 24)
    manifest(
        folder,
        {
            "fixture": "scaled",
            "description": "a Llama of one layer in a quantiser's layout, and its weights' SHA-256 (float32, row by row)",
            "numbers": {"input_ids": (ids, "tokens of a prompt")},
            "matrices": matrices,
        },
    )


def compressed(fmt, weights):
    group = {"targets": ["Linear"], "weights": weights, "input_activations": None, "output_activations": None}
    return {
        "quant_method": "compressed-tensors",
        "format": fmt,
        "config_groups": {"group_0": group},
        "ignore": ["lm_head"],
        "kv_cache_scheme": None,
        "quantization_status": "compressed",
    }


GPTQ = {"quant_method": "gptq", "bits": 4, "damp_percent": 0.1, "true_sequential": True}
AWQ = {"quant_method": "awq", "bits": 4, "zero_point": True, "version": "gemm", "modules_to_not_convert": None}
INT4 = {"num_bits": 4, "type": "int", "strategy": "group", "dynamic": False, "actorder": None}
FLOAT8 = {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True, "dynamic": False}


def golden(to):
    quant_tables(os.path.join(to, "quant_tables"))

    def make(name, quantise, config, ffn=128, **more):
        model(os.path.join(to, "scaled_" + name), quantise, config, ffn, **more)

    make("awq", lambda *a: awq(*a, group=128), AWQ | {"group_size": 128}, 256)
    plain = GPTQ | {"group_size": 128, "desc_act": False, "sym": False, "lm_head": False}
    make("gptq", lambda *a: gptq(*a, group=128), plain, 256, zero_biases=True)
    make(
        "gptq_act_order",
        lambda *a: gptq(*a, group=32, less_one=False, act_order="mlp" in a[0]),
        GPTQ | {"group_size": 32, "desc_act": True, "sym": False, "checkpoint_format": "gptq_v2"},
    )
    for name, symmetric in (("packed", True), ("packed_zeros", False)):
        config = compressed("pack-quantized", INT4 | {"group_size": 64, "symmetric": symmetric})
        make(name, lambda *a, s=symmetric: packed(*a, group=64, symmetric=s), config)
    config = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [96, 96]}
    make("f8_blocks", lambda *a: float8(*a, blocks=96), config)
    make("f8_rows", lambda *a: float8(*a, blocks=0), compressed("float-quantized", FLOAT8))


def seeds(to):
    """The same in small: config.json, a zero byte, model.safetensors."""
    os.makedirs(to, exist_ok=True)
    zeros = compressed("pack-quantized", INT4 | {"group_size": 32, "symmetric": False})
    blocks = {"quant_method": "fp8", "weight_block_size": [32, 32]}
    act_order = GPTQ | {"group_size": 32, "desc_act": True}
    for name, quantise, config in (
        ("awq", lambda *a: awq(*a, group=32), AWQ | {"group_size": 32}),
        ("gptq", lambda *a: gptq(*a, group=32, act_order=a[0].endswith("down_proj")), act_order),
        ("packed", lambda *a: packed(*a, group=32, symmetric=False), zeros),
        ("f8", lambda *a: float8(*a, blocks=32), blocks),
    ):
        with tempfile.TemporaryDirectory() as folder:
            model(folder, quantise, config, ffn=64, D=32)
            parts = [open(os.path.join(folder, f), "rb").read() for f in ("config.json", "model.safetensors")]
        with open(os.path.join(to, name), "wb") as out:
            out.write(b"\0".join(parts))


if __name__ == "__main__":
    golden(sys.argv[1])
    seeds(sys.argv[2])
