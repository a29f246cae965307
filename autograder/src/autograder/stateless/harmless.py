"""Names that a function may use and still keep nothing from one call to the next.

A name is here if using it changes nothing but what it is given, and gives nothing that others hold,
too. So these are not here, however common: what reads or writes files, settings of a library or
memory that was never initialised (`empty`, `out=`), installs hooks, fills a cache that shows, looks
names up by their text (`format`), or can tell the time. Names are added one by one, not by `dir`.
"""

from __future__ import annotations

import builtins
import itertools
import math

import torch

_EXCEPTIONS = {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, Exception)
}
BUILTINS = _EXCEPTIONS | set(
    """abs all any bin bool bytearray bytes chr complex dict divmod enumerate filter float
    frozenset int isinstance iter len list map max min next ord pow print range repr reversed round
    set slice sorted str sum tuple zip""".split()
)
# What a name means that nothing has bound when it is read.
FOREIGN = (set(dir(builtins)) - BUILTINS) | {"get_ipython", "display", "exit", "quit", "In", "Out"}

_TEXTS = """capitalize casefold count decode encode endswith find hex index isalnum isalpha
    isdecimal isdigit islower isnumeric isspace istitle isupper join ljust lower lstrip partition
    removeprefix removesuffix replace rfind rjust rpartition rsplit rstrip split splitlines
    startswith strip swapcase title upper zfill end group groups span start"""
_CONTAINERS = """add append appendleft clear copy count difference discard elements extend fromkeys
    get index insert intersection isdisjoint issubset issuperset items keys most_common move_to_end
    pop popitem popleft remove reverse rotate setdefault sort subtract symmetric_difference total
    union update values args __getitem__"""
_NUMBERS = """as_integer_ratio bit_count bit_length conjugate denominator eps from_bytes imag
    is_integer itemsize limit_denominator max min numerator real resolution smallest_normal tiny
    to_bytes"""
_TENSORS = """T abs abs_ add add_ addcdiv addcdiv_ addcmul addcmul_ all allclose amax amin any
    argmax argmin argsort argwhere backward bernoulli_ bfloat16 bool ceil chunk clamp clamp_
    clamp_max clamp_min clone conj contiguous copy_ cos cpu cummax cummin cumprod cumsum detach
    detach_ device diag diagonal diff dim div div_ dot double dtype eq equal exp exp_ expand
    expand_as expm1 exponential_ fill_ fill_diagonal_ flatten flip float floor floor_divide fmod
    gather ge grad gt half index_add index_add_ index_copy_ index_fill_ index_select indices int
    is_complex is_floating_point is_leaf isclose isfinite isinf isnan isneginf isposinf item
    kthvalue le lerp lerp_ log log10 log1p log2 log_ log_softmax logaddexp logcumsumexp logical_and
    logical_not logical_or logical_xor logsumexp long lt mH mT masked_fill masked_fill_
    masked_scatter masked_select matmul mean median minimum maximum mm movedim mul mul_ multinomial
    mv nan_to_num nanmean nansum narrow ndim ne neg neg_ negative new_full new_ones new_tensor
    new_zeros nonzero norm normal_ numel outer permute pow pow_ prod quantile ravel reciprocal relu
    relu_ remainder repeat repeat_interleave requires_grad requires_grad_ reshape retain_grad roll
    round rsqrt scatter scatter_ scatter_add scatter_add_ select shape short sigmoid sigmoid_ sign
    sin size softmax sqrt sqrt_ square squeeze std stride sub sub_ sum swapaxes t take
    take_along_dim tanh tensor_split tile to tolist topk trace transpose tril triu trunc type_as
    unbind unflatten uniform_ unique unsqueeze var view view_as where xlogy zero_ eigenvalues
    eigenvectors"""
_OTHERS = """manual_seed initial_seed step zero_grad param_groups parameters named_parameters
    state_dict load_state_dict eval train config logits vocab_size tree"""
_PATTERNS = "findall finditer fullmatch match search"  # and split and sub
ATTRIBUTES = set(f"{_TEXTS} {_CONTAINERS} {_NUMBERS} {_TENSORS} {_OTHERS} {_PATTERNS}".split())
# What a module has and a class derived from it may use of its own.
OF_MODULES = {"forward", "register_buffer", "register_parameter", "training"}
# What may be set on a tensor.
SETTABLE = {"grad", "requires_grad"}
# Keywords that let uninitialised memory be seen, memory be written out of bounds, or a cache.
KEYWORDS_REFUSED = set("flags mode out output_size scale_grad_by_freq sparse timeout where".split())
# For a regular expression. regex takes others for lists of texts, and an iterator among them is
# read once more where the pattern is known already.
PATTERN_KEYWORDS = set(
    "concurrent count endpos maxsplit overlapped pattern pos repl string".split()
)
# The device "meta" has no memory, and what is made of it and other tensors is not initialised. So
# a tensor goes only where another one lies, and what could send it elsewhere is called right away.
# So is what a compiled pattern does, whose fourth argument or a later one could be a timeout.
PATTERNS = {"findall", "finditer", "fullmatch", "match", "search", "split", "sub"}
DIRECT = {"new_full", "new_ones", "new_tensor", "new_zeros", "to"} | PATTERNS
# What catches an exhausted stack shows whether a library had to do something for the first time.
HANDLED = _EXCEPTIONS - {"Exception", "RuntimeError", "RecursionError"}

# Values that cannot change.
VALUES = (
    {f"torch.{name}" for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype)}
    | {f"{module}.{name}" for module in ("math", "torch") for name in ("e", "inf", "nan", "pi")}
    | {f"sft2rl.grid.{name}" for name in ("ACTIONS", "HORIZON", "KINDS", "MOVES", "SIZE", "START")}
)

_BY_MODULE = {
    "bisect": "bisect bisect_left bisect_right insort",
    "collections": "Counter OrderedDict defaultdict deque",
    "copy": "copy deepcopy",
    "fractions": "Fraction",
    "functools": "partial reduce",
    "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
    "itertools": " ".join(name for name in dir(itertools) if not name.startswith("_"))
    + " chain.from_iterable",
    "math": " ".join(name for name in dir(math) if not name.startswith("_")),
    "operator": "add and_ eq ge gt itemgetter le lt mul ne neg or_ sub truediv xor",
    "sft2rl.formulas": "evaluate exp log pretty symbols",
    "sft2rl.grid": "cell places walks",
    "sft2rl.parallel": "collate loss_sum",
    "sft2rl.schedule": "batch_rows lr_factor",
    "torch": """Size abs acos add addcdiv addcmul addmm all allclose amax amin any arange
        argmax argmin argsort argwhere asin atan atan2 baddbmm bernoulli bincount
        block_diag bmm broadcast_tensors broadcast_to bucketize cartesian_prod cat ceil chunk clamp
        clone combinations complex concat concatenate conj cos cosh count_nonzero cov cummax cummin
        cumprod cumsum deg2rad det diag diag_embed diagonal diff div dot einsum enable_grad
        eq equal erf erfc exp exp2 expm1 eye finfo flatten flip floor floor_divide fmod frac full
        full_like gather ge gt histc hstack iinfo index_select inference_mode inner inverse
        is_complex is_floating_point is_tensor isclose isfinite isin isinf isnan isneginf isposinf
        kron kthvalue le lerp lgamma linspace log log10 log1p log2 log_softmax logaddexp
        logcumsumexp logdet logical_and logical_not logical_or logical_xor logit logspace logsumexp
        lt masked_select matmul max maximum mean median meshgrid min minimum mm movedim mul
        multinomial multiply mv nan_to_num nanmean nansum narrow ne neg negative no_grad nonzero
        normal numel ones ones_like outer permute polar pow prod promote_types quantile
        rad2deg rand rand_like randint randn randn_like randperm real reciprocal relu remainder
        repeat_interleave reshape result_type roll round rsqrt scatter scatter_add searchsorted
        select sigmoid sign sin sinh slogdet softmax sort split sqrt square squeeze stack std
        std_mean sub sum swapaxes t take take_along_dim tan tanh tensor tensor_split tile
        topk trace transpose tril tril_indices triu triu_indices true_divide trunc unbind unflatten
        unique unique_consecutive unsqueeze var var_mean vdot view_as_complex view_as_real vstack
        where xlogy zeros zeros_like""",
    "torch.autograd": "grad",
    "torch.linalg": """cholesky det eigh eigvalsh inv matrix_exp matrix_norm matrix_rank norm pinv
        qr slogdet solve svd vecdot vector_norm""",
    "torch.nn": "Module ModuleList Parameter",
    "torch.nn.functional": """binary_cross_entropy binary_cross_entropy_with_logits
        cosine_similarity cross_entropy dropout elu gelu glu gumbel_softmax huber_loss
        kl_div l1_loss layer_norm leaky_relu linear log_softmax logsigmoid margin_ranking_loss
        mse_loss nll_loss one_hot relu rms_norm scaled_dot_product_attention selu
        sigmoid silu smooth_l1_loss soft_margin_loss softmax softmin softplus tanh""",
    "torch.nn.utils": "clip_grad_norm_ clip_grad_value_",
    "torch.nn.utils.rnn": "pad_sequence",
    "torch.optim": "Adam AdamW SGD",
    "torch.special": "entr expit log1p log_softmax logit logsumexp ndtr softmax xlog1py xlogy",
    "unicodedata": """bidirectional category combining decimal digit east_asian_width is_normalized
        lookup mirrored name normalize numeric""",
}
# Functions and classes, by their full names.
CALLS = {f"{module}.{name}" for module, names in _BY_MODULE.items() for name in names.split()}
# With at most so many arguments without a keyword, and called right away: the next one would be
# one of those that are refused.
LIMITED = {
    f"{module}.{name}": 3 if name == "sub" else 2 for module in ("re", "regex") for name in PATTERNS
} | {
    "re.compile": 1,
    "regex.compile": 1,
    "torch.Generator": 0,
    "torch.as_tensor": 2,
    "torch.norm": 4,
    "torch.tensordot": 3,
    "torch.nn.functional.embedding": 2,
    "torch.nn.functional.normalize": 4,
    "torch.nn.functional.pad": 2,
}
# What may follow the pattern that is compiled; as values they could be given attributes.
FLAGS = {
    f"{module}.{name}"
    for module in ("re", "regex")
    for name in "A ASCII I IGNORECASE M MULTILINE S DOTALL U UNICODE X VERBOSE".split()
}
# Classes that are only named: `torch.Tensor(3)` is memory that was never initialised.
KINDS = {f"torch.{name}" for name in ("Generator", "Size", "Tensor", "device", "dtype")} | {
    f"{module}.{name}"
    for module in ("collections.abc", "typing")
    for name in """Any Callable Collection Dict Generator Iterable Iterator List Literal Mapping
        Optional Sequence Set Tuple Union""".split()
}
# What may be imported, whether it may be used or not.
MODULES = set(_BY_MODULE) | set(
    """codecs collections.abc json matplotlib matplotlib.pyplot numpy os random re regex statistics
    string sys time typing""".split()
)
# Of these, what the warm process need not have loaded: only the first call would load it.
UNLOADED = {"sft2rl", "statistics"}
# What a class may be derived from, and its special methods.
BASES = {"torch.nn.Module"}
METHODS = {"__init__", "__call__", "__len__", "__getitem__", "__repr__"}
# What may stand behind `with` and `@`.
WRAPPERS = {"torch.no_grad", "torch.enable_grad", "torch.inference_mode"}
# What may be done with a released table of numbers and texts.
READERS = set("dict enumerate frozenset len list max min set sorted sum tuple".split())
READING = [[name] for name in ("copy", "count", "get", "index", "items", "keys", "values")]
