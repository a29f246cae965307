"""Writes docs/conventions.md: the notation of the course, and every stub as students see it."""

import ast
import inspect

from autograder import cells
from autograder.build import parse_source
from autograder.config import Assignment, assignments, project_root

HEAD = """\
# Conventions

Made by `make docs/conventions.md` from the stubs in solutions/; edit those, or the text in
tools/make_conventions.py.

## Notation

| symbol | name in code | meaning |
| --- | --- | --- |
| $\\ln\\pi(y \\mid x)$ | `logps` | log-probability of a completion: the **sum** over its tokens, the EOS token included when it was emitted, the prompt excluded |
| $\\pi_{\\mathrm{ref}}$, $\\pi_{\\mathrm{old}}$, $\\mu$ | `ref_logps`, `old_logps`, `mu_logps` | the same under the reference, the policy before the update, the law the data came from |
| $h(y) = \\ln\\pi(y) - \\ln\\pi_{\\mathrm{ref}}(y)$ | log-ratio | `beta * h` is the implicit reward |
| $R_\\beta(y) = R(y) - \\beta\\,h(y)$ | `regularized_reward` | the reward with its KL penalty, on one completion |
| $J(\\pi) = \\mathbb{E}_\\pi[R] - \\beta\\,\\mathrm{KL}(\\pi\\,\\|\\,\\pi_{\\mathrm{ref}})$ | objective | to be **maximised**; $\\pi^* \\propto \\pi_{\\mathrm{ref}}\\,e^{R/\\beta}$, $J(\\pi^*) = \\beta \\ln Z$ |
| | `*_loss` | to be **minimised** |
| | `*_objective` | to be **maximised** |

## Sequences

- A completion is everything after the prompt up to and including the first EOS; what follows is masked. A completion
  cut off at the maximum length has no EOS: its mask covers every token, and its reward is given all the same.
- `labels` are Hugging Face's: `input_ids`, unshifted, with -100 where ignored. `shift_labels` returns `targets`, aligned with
  `logits[:, :-1]`; `token_logps` and `sequence_logp` take aligned `(logits, targets)`. Logits at position t predict token t + 1.
- `completion_mask` is 1 on completion tokens and 0 elsewhere. Sequence-level quantities are sums over the mask.
- Tensors are batch first. Exercises are in float64 unless they say otherwise. Nothing uses global random state: sampling
  functions take a `generator`.
- The discount is 1 unless an argument says otherwise. Logarithms are natural.
- BPE: the id of a byte is the rank of its mapped character ("!" is 0, the space 220, "a" 64); `merges` is a list of pairs
  of ids; ties between pairs go to the smallest (id_a, id_b); `encode` pre-tokenises.

## Stubs
"""


def stubs(assignment: Assignment) -> str:
    """The signatures and contracts of one assignment's exercises."""
    lines = [f"\n### {assignment.name} ({assignment.section})\n"]
    for cell in parse_source(assignment).cells:
        if cell.cell_type != "code" or not cells.is_solution(cell):
            continue
        node = ast.parse(cell.source).body[0]
        assert isinstance(node, ast.FunctionDef | ast.ClassDef)
        lines.append(f"\n```python\n{signature(node)}\n```\n")
        lines.append(f"\n```text\n{inspect.cleandoc(ast.get_docstring(node) or '')}\n```\n")
        if isinstance(node, ast.ClassDef):
            lines += [f"\n```python\n{signature(each)}\n```\n" for each in methods(node)]
    return "".join(lines)


def signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    """The head of a function or class."""
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}:"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"def {node.name}({ast.unparse(node.args)}){returns}:"


def methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    """The methods of a class that its users call."""
    return [each for each in node.body if isinstance(each, ast.FunctionDef)]


def conventions() -> str:
    """The text of docs/conventions.md."""
    written = [each for each in assignments() if each.solution.is_file()]
    return HEAD + "".join(map(stubs, written))


if __name__ == "__main__":
    (project_root() / "docs" / "conventions.md").write_text(conventions(), "utf-8")
