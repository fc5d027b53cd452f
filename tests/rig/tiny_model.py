"""Writes a GGUF model of half a megabyte with random weights: tiny_model.py OUT [SEED]

Another seed is another model. Llama's architecture and a byte-level vocabulary, so that llama.cpp loads and runs it like any other.
"""
import sys

import gguf
import numpy

WIDTH, LAYERS, HEADS, FEED_FORWARD, CONTEXT = 64, 2, 4, 128, 2048
random = numpy.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 7)


def vocabulary():
    yield b"<unk>", gguf.TokenType.UNKNOWN, 0.0
    yield b"<s>", gguf.TokenType.CONTROL, 0.0
    yield b"</s>", gguf.TokenType.CONTROL, 0.0
    for byte in range(256):
        yield b"<0x%02X>" % byte, gguf.TokenType.BYTE, 0.0
    for score, word in enumerate("\u2581 e t a o \u2581the \u2581a \u2581to \u2581hello \u2581yes \u2581no".split()):
        yield word.encode(), gguf.TokenType.NORMAL, -float(score)


def weights(*shape):
    return (random.standard_normal(shape) * 0.1).astype(numpy.float32)


def main(path):
    tokens, kinds, scores = map(list, zip(*vocabulary()))
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("tiny")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FEED_FORWARD)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_vocab_size(len(tokens))
    out.add_file_type(0)
    out.add_tokenizer_model("llama")
    out.add_token_list(tokens)
    out.add_token_types(kinds)
    out.add_token_scores(scores)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_unk_token_id(0)
    out.add_chat_template("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:")
    out.add_tensor("token_embd.weight", weights(len(tokens), WIDTH))
    out.add_tensor("output_norm.weight", numpy.ones(WIDTH, numpy.float32))
    out.add_tensor("output.weight", weights(len(tokens), WIDTH))
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            out.add_tensor(block + norm + ".weight", numpy.ones(WIDTH, numpy.float32))
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            out.add_tensor(block + part + ".weight", weights(WIDTH, WIDTH))
        out.add_tensor(block + "ffn_gate.weight", weights(FEED_FORWARD, WIDTH))
        out.add_tensor(block + "ffn_up.weight", weights(FEED_FORWARD, WIDTH))
        out.add_tensor(block + "ffn_down.weight", weights(WIDTH, FEED_FORWARD))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


main(sys.argv[1])
