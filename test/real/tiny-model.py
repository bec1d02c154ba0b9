"""Writes a tiny random language model as GGUF: llama architecture, two layers, 535 tokens, 0.6 MB.

What it says is noise; how the engine says it is real. Needs `pip install gguf` (ggml-org/llama.cpp gguf-py).

    python3 tiny-model.py OUT.gguf
"""

import sys

import gguf
import numpy as np

LAYERS, WIDTH, HEADS, INNER, CONTEXT = 2, 64, 4, 128, 32_768
SYLLABLES = [a + b for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u", "an", "er")]
WORDS = ["\u2581" + one for one in SYLLABLES] + SYLLABLES
# Characters of two, three and four bytes, so that one character can span tokens and one token hold several bytes.
WIDE = ["é", "ß", "東", "京", "🙂", "\u2581ñandú"]
PUNCTUATION = list("\u2581.,;:!?-'\"(){}[]<>/\\|_=+*&^%$#@~`\n")
LETTERS = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
# Turns as in ChatML; tools are written out and called as Hermes and Qwen do, and the answer starts to think when asked to.
TEMPLATE = (
    "{% if tools %}<|im_start|>system\n# Tools\nCall one as <tool_call>{\"name\": ..., \"arguments\": ...}</tool_call>\n"
    "<tools>{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}\n</tools><|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.reasoning_content %}<think>\n{{ message.reasoning_content }}\n</think>\n{% endif %}{{ message.content }}"
    "{% if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>{\"name\": \"{{ call.function.name }}\", "
    "\"arguments\": {{ call.function.arguments | tojson }}}</tool_call>{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking %}<think>\n{% endif %}{% endif %}"
)


def vocabulary():
    kinds = gguf.TokenType
    tokens = [("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)]
    tokens += [("<|im_start|>", kinds.CONTROL), ("<|im_end|>", kinds.CONTROL)]
    tags = ["<think>", "</think>", "<tool_call>", "</tool_call>"]
    tokens += [(tag, kinds.USER_DEFINED) for tag in tags]
    tokens += [(f"<0x{byte:02X}>", kinds.BYTE) for byte in range(256)]
    seen = {text for text, _ in tokens}
    for text in PUNCTUATION + LETTERS + WORDS + WIDE:
        if text not in seen:
            seen.add(text)
            tokens.append((text, kinds.NORMAL))
    return tokens


def main(path):
    random = np.random.default_rng(1)
    tokens = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny-random")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([-float(index) for index in range(len(tokens))])
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    # A space before the first word would not match the turn the template opens, which the grammar of a tool call begins with.
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)

    def weight(name, *shape):
        writer.add_tensor(name, random.normal(0, 0.3, shape).astype(np.float32))

    def ones(name):
        writer.add_tensor(name, np.ones(WIDTH, dtype=np.float32))

    weight("token_embd.weight", len(tokens), WIDTH)
    weight("output.weight", len(tokens), WIDTH)
    ones("output_norm.weight")
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weight(f"blk.{layer}.{part}.weight", WIDTH, WIDTH)
        ones(f"blk.{layer}.attn_norm.weight")
        ones(f"blk.{layer}.ffn_norm.weight")
        weight(f"blk.{layer}.ffn_gate.weight", INNER, WIDTH)
        weight(f"blk.{layer}.ffn_up.weight", INNER, WIDTH)
        weight(f"blk.{layer}.ffn_down.weight", WIDTH, INNER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{path}: {len(tokens)} tokens")


main(sys.argv[1])
