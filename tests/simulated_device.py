"""A device that is not there: runs before a notebook in tests of `gpu = true`.

Its tensors lie on "simulated" and keep their numbers in CPU tensors. As on a GPU, tensors of two
devices do not mix, generators of the CPU draw nothing there, its own draws are others, and a
gradient starts a thread.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch.utils import _pytree as pytree
from torch.utils._mode_utils import no_dispatch
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_setup_privateuseone_for_python_backend("simulated")
# Model.to() keeps tied weights tied, as it does between the CPU and a GPU.
torch.__future__.set_swap_module_params_on_conversion(True)
aten = torch.ops.aten
DEVICE = torch.device("simulated", 0)
MOVES = {aten._to_copy.default, aten.copy_.default}
# Their indices may lie on the CPU.
LOOKUPS = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default,
           aten._index_put_impl_.default, aten._unsafe_index.Tensor}  # fmt: skip


class Simulated(torch.Tensor):
    """A tensor of the device; `data_` has its numbers."""

    @staticmethod
    def __new__(cls, data):
        return torch.Tensor._make_wrapper_subclass(
            cls, data.shape, data.stride(), data.storage_offset(), dtype=data.dtype, device=DEVICE
        )

    def __init__(self, data):
        self.data_ = data

    def tolist(self):
        return self.data_.tolist()

    def __repr__(self):
        return repr(self.data_)

    def __format__(self, spec):
        return format(self.data_, spec)

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, op, kinds, args=(), kwargs=None):
        return run(op, *args, **kwargs or {})


def run(op, *args, **kwargs):
    """Compute on the CPU what was asked of the device."""
    given = args
    leaves, tree = pytree.tree_flatten((args, kwargs))
    ours = {id(each.data_): each for each in leaves if isinstance(each, Simulated)}
    here = torch.device(kwargs.get("device") or "cpu").type == DEVICE.type or (
        bool(ours) and kwargs.get("device") is None
    )
    refuse_mixtures(op, leaves, ours, here)
    plain = [_plain(each) for each in leaves]
    args, kwargs = pytree.tree_unflatten(plain, tree)
    with own_draws() if torch.Tag.nondeterministic_seeded in op.tags else nullcontext():
        value = op(*args, **kwargs)
    if torch.Tag.inplace_view in op.tags:
        with no_dispatch():
            return op(*given)  # the tensor itself takes the new shape, too
    if not here:
        return value

    def wrapped(each):
        return ours[id(each)] if id(each) in ours else Simulated(each)

    return pytree.tree_map_only(torch.Tensor, wrapped, value)


@contextmanager
def own_draws():
    """Random numbers from the device's own generator."""
    state = torch.get_rng_state()
    torch.set_rng_state(luck.get_state())
    yield
    luck.set_state(torch.get_rng_state())
    torch.set_rng_state(state)


def refuse_mixtures(op, leaves, ours, here):
    if op in MOVES:
        return
    if here and any(isinstance(each, torch.Generator) for each in leaves):
        raise RuntimeError("Expected a 'privateuseone' device type for generator but found 'cpu'")
    others = [
        each
        for each in (leaves[:1] if op in LOOKUPS else leaves)
        if isinstance(each, torch.Tensor) and not isinstance(each, Simulated) and each.dim()
    ]
    if ours and others:
        raise RuntimeError("Expected all tensors to be on the same device")


def _plain(each):
    if isinstance(each, Simulated):
        return each.data_
    return torch.device("cpu") if isinstance(each, torch.device) else each


def copy_from(source, target, non_blocking=False):
    _plain(target).copy_(_plain(source))
    return target


luck = torch.Generator().manual_seed(1)
every = torch.library.Library("_", "IMPL")
every.fallback(run, "PrivateUse1")
# torch.tensor(..., device=) goes past __torch_dispatch__, and a fallback does not serve subclasses.
copies = torch.library.Library("aten", "IMPL")
copies.impl("_copy_from", copy_from, "PrivateUse1")
