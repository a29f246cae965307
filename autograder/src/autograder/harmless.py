"""Names of libraries that a function may use and still keep nothing (see stateless.py).

A name is here if calling it changes nothing but what it is given, and what it returns holds on to
nothing else. So these are not: functions that read or write files or uninitialised memory, that set
something in a library, that install hooks, that look names up by their text.
"""

from __future__ import annotations

import builtins
import itertools
import math
from collections import Counter
from fractions import Fraction
from re import Match
from types import BuiltinFunctionType, FunctionType, ModuleType

import torch
import torch.nn.functional as F


def _public(*owners: object) -> set[str]:
    return {name for owner in owners for name in dir(owner) if not name.startswith("_")}


def _functions(module: ModuleType) -> set[str]:
    """Public functions; not classes, other modules, or what overrides functions."""
    return {
        name
        for name in _public(module)
        if isinstance(getattr(module, name), FunctionType | BuiltinFunctionType)
        and "dispatch" not in name
        and "torch_function" not in name
    }


BUILTINS = {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, Exception)
} | set(
    """abs all any bin bool bytearray bytes chr complex dict divmod enumerate filter float format
    frozenset int isinstance iter len list map max min next ord pow print range repr reversed round
    set slice sorted str sum tuple zip""".split()
)

# Attributes of what a function gets hold of: plain data, tensors, generators, optimisers, models.
ATTRIBUTES = (
    _public(str, bytes, int, float, complex, list, tuple, dict, set, slice, range, Exception())
    | _public(Counter, Fraction, Match, torch.Tensor, torch.finfo, torch.iinfo, torch.Generator)
    | set(
        """appendleft popleft step zero_grad param_groups parameters named_parameters state_dict
        load_state_dict eval train config logits vocab_size tree""".split()
    )
) - set(
    """add_note as_subclass const_data_ptr data_ptr get_state grad_fn module_load new new_empty
    new_empty_strided pin_memory record_stream register_hook register_post_accumulate_grad_hook
    reinforce resize resize_ resize_as resize_as_ set_ set_state share_memory_ sparse_resize_
    sparse_resize_and_clear_ storage storage_type untyped_storage with_traceback""".split()
)

# Values that cannot change.
VALUES = (
    {f"torch.{name}" for name in _public(torch) if isinstance(getattr(torch, name), torch.dtype)}
    | {f"{module}.{name}" for module in ("math", "torch") for name in ("e", "inf", "nan", "pi")}
    | {f"sft2rl.grid.{name}" for name in ("ACTIONS", "HORIZON", "KINDS", "MOVES", "SIZE", "START")}
)

_TORCH = _public(torch._C._VariableFunctions) - set(  # a tensor could share a constant's bytes
    """asarray empty empty_like empty_permuted empty_quantized empty_strided from_file frombuffer
    resize_as_ resize_as_sparse_""".split()
)
_BY_MODULE = {
    "bisect": "bisect bisect_left bisect_right insort",
    "collections": "Counter OrderedDict defaultdict deque",
    "copy": "copy deepcopy",
    "fractions": "Fraction",
    "functools": "partial reduce",
    "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
    "itertools": " ".join(_public(itertools)),
    "math": " ".join(_public(math)),
    "operator": "add and_ eq ge gt itemgetter le lt mul ne neg or_ sub truediv xor",
    "re": "escape findall finditer fullmatch match search split sub",
    "regex": "escape findall finditer fullmatch match search split sub",
    "sft2rl.formulas": "evaluate exp log pretty symbols",
    "sft2rl.grid": "cell places walks",
    "sft2rl.parallel": "collate loss_sum",
    "sft2rl.schedule": "batch_rows lr_factor",
    "torch": " ".join(_TORCH) + " Generator Size device enable_grad finfo iinfo inference_mode"
    " is_tensor no_grad autograd.grad nn.Embedding nn.LayerNorm nn.Linear nn.Module nn.ModuleList"
    " nn.Parameter nn.utils.clip_grad_norm_ nn.utils.rnn.pad_sequence optim.Adam optim.AdamW"
    " optim.SGD unique",
    "torch.linalg": " ".join(_functions(torch.linalg)),
    "torch.nn.functional": " ".join(_functions(F)),
    "torch.special": " ".join(_functions(torch.special)),
}
# Functions and classes, by their full names.
CALLS = {f"{module}.{name}" for module, names in _BY_MODULE.items() for name in names.split()}
# Classes that are only named: `torch.Tensor(3)` is memory that was never initialised.
KINDS = {"torch.Tensor"} | {
    f"{module}.{name}"
    for module in ("collections.abc", "typing")
    for name in "Any Callable Collection Iterable Iterator Mapping Sequence".split()
}
MODULES = set(_BY_MODULE) | set(
    "collections.abc torch.autograd torch.nn torch.nn.utils torch.optim typing".split()
)
# What may be done with a released table of numbers and texts.
READERS = set("dict enumerate frozenset len list max min set sorted sum tuple".split())
READING = [[name] for name in ("copy", "count", "get", "index", "items", "keys", "values")]

# What a class may be derived from, and its special methods.
BASES = {"torch.nn.Module"}
METHODS = {"__init__", "__call__", "__len__", "__getitem__", "__repr__"}
# What may be set on a tensor.
SETTABLE = {"data", "grad", "requires_grad"}
# What may stand behind `with` and `@`.
WRAPPERS = {"torch.no_grad", "torch.enable_grad", "torch.inference_mode"}
