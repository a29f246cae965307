"""What of a cell's outputs may be kept: text, and bitmaps that were drawn anew."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

MAX_PIXELS = 4_000_000
MAX_TEXT = 1_000_000
IMAGES = {"image/png": "PNG", "image/jpeg": "JPEG"}


def clean_outputs(outputs: Any) -> list[dict[str, Any]]:
    """nbformat outputs rebuilt from what came out of a sandbox; anything odd is dropped."""
    if not isinstance(outputs, list):
        return []
    cleaned = (_clean(output) for output in outputs[:200] if isinstance(output, dict))
    return [output for output in cleaned if output]


def _clean(output: dict[str, Any]) -> dict[str, Any] | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": _text(output.get("text"))}
    if kind == "error":
        lines = output.get("traceback")
        traceback = [_text(line) for line in lines] if isinstance(lines, list) else []
        names = {key: _text(output.get(key)) for key in ("ename", "evalue")}
        return {"output_type": "error", **names, "traceback": traceback}
    if kind in ("display_data", "execute_result"):
        data = output.get("data")
        kept = _bundle(data) if isinstance(data, dict) else {}
        if not kept:
            return None
        result = {"output_type": kind, "data": kept, "metadata": {}}
        return {**result, "execution_count": None} if kind == "execute_result" else result
    return None


def _bundle(data: dict[str, Any]) -> dict[str, str]:
    kept = {"text/plain": _text(data["text/plain"])} if "text/plain" in data else {}
    for mime, image_format in IMAGES.items():
        if (image := _redrawn(data.get(mime), image_format)) is not None:
            kept[mime] = image
    return kept


def _redrawn(encoded: Any, image_format: str) -> str | None:
    """The pixels of an image, encoded anew, so that nothing else travels in the file."""
    if not isinstance(encoded, str):
        return None
    try:
        data = base64.b64decode(encoded, validate=False)
        with Image.open(io.BytesIO(data), formats=[image_format]) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            buffer = io.BytesIO()
            image.convert("RGB").save(buffer, image_format)
    except Exception:  # what a decoder raises for a damaged file is not limited to a few kinds
        return None
    return base64.b64encode(buffer.getvalue()).decode()


def _text(value: Any) -> str:
    """Text without control characters other than those of layout."""
    text = value if isinstance(value, str) else ""
    return "".join(c for c in text[:MAX_TEXT] if c in "\n\t\r" or c.isprintable())
