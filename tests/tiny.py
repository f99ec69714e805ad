"""Tiny random models with a tokenizer and a chat template, made on the spot: what tests load for a real model."""

from pathlib import Path

import torch
import transformers
from peft import LoraConfig, PeftConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# the name of the padding token is the one that Qwen-2's tokenizer class would add by itself
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CORPUS = [
    "the answer is",
    "What is 12 + 34? user assistant system",
    "a number, then another number",
    "question and answer",
]

ARCHITECTURES = {
    "llama": ("LlamaConfig", "LlamaForCausalLM", {}),
    # soft-capping has an effect only where it is small against the logits
    "gemma2": (
        "Gemma2Config",
        "Gemma2ForCausalLM",
        {
            "final_logit_softcapping": 6.0,
            "attn_logit_softcapping": 5.0,
            "sliding_window": 16,
            "query_pre_attn_scalar": 8,
        },
    ),
    "mistral": ("MistralConfig", "MistralForCausalLM", {"sliding_window": 16}),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", {}),
    "olmo2": ("Olmo2Config", "Olmo2ForCausalLM", {}),
}


def tiny_tokenizer() -> transformers.PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of some 300 tokens with ChatML turns; padding and end of turn are different tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        chat_template=CHAT_TEMPLATE,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )


def tiny_model_folder(path: Path, architecture: str = "llama", seed: int = 0, head_dim: int = 8) -> Path:
    """Save a tiny random model and its tokenizer to `path`.

    Args:
        path: the folder to make.
        architecture: a key of `ARCHITECTURES`.
        seed: of the weights.
        head_dim: of an attention head; vLLM takes 32 and more.

    Returns:
        `path`. Hidden size 32, 2 layers, 4 heads of which 2 hold keys and values, float32.
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer()
    config_class, model_class, extra = ARCHITECTURES[architecture]
    config = getattr(transformers, config_class)(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=head_dim,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        # far from the default .02, so that the predictions are far from uniform and tests see differences
        initializer_range=0.4,
        **extra,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, model_class)(config)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id]
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def tiny_adapter_folder(path: Path, base: Path, config: PeftConfig | None = None) -> Path:
    """Save an adapter of random values to `path`, as somebody else's training would have.

    Args:
        path: the folder to make.
        base: a model's folder.
        config: of the adapter; by default LoRA of rank 2 on two kinds of layers.
    """
    chosen = config or LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "down_proj"])
    model = get_peft_model(transformers.AutoModelForCausalLM.from_pretrained(base), chosen)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data += torch.randn_like(parameter) * 0.1
    model.save_pretrained(path, save_embedding_layers=False)
    return Path(path)
