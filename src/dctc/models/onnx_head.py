"""The last layer of a CTC recogniser in an ONNX graph, and its rows for another charset."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from dctc.models.onnx_graph import attributes, constants
from dctc.onnx_files import OnnxFile
from dctc.text.characters import shown
from dctc.text.tokenizer import BLANK

Policy = Literal["keep", "subset", "union", "new"]
POLICY = "charset_policy"  # the option of a net
_CONTROL = ("Loop", "If", "Scan")
_AFTER = ("Cast", "Identity", "Reshape", "Transpose", "Softmax", "LogSoftmax")  # of the scores


class Head(NamedTuple):
    """The last layer of a CTC recogniser in an ONNX graph.

    Attributes:
        features: Name of its input.
        weight: ``(c, d)``.
        bias: ``(c,)``.
        names: Names of weight and bias in the file.
        transposed: Whether the file has the weight as ``(d, c)``.
        activation: ``Softmax`` or ``LogSoftmax`` if one follows, else empty.
        swapped: Whether frames and batch change places after it.
        shapes: Names of the shapes that it is brought into after it.
    """

    features: str
    weight: Tensor
    bias: Tensor
    names: tuple[str, str]
    transposed: bool
    activation: str
    swapped: bool
    shapes: list[str]


def find_head(file: OnnxFile) -> Head:
    """Find the linear layer that scores the classes: the last product, and what is added to it.

    Raises:
        ValueError: If a graph ends otherwise, as one for detection does, or reads step by step.
    """
    graph = file.model.graph
    steps = {name: node for node in graph.node for name in node.output}
    stored = constants(file)
    if found := next((node for node in graph.node if node.op_type in _CONTROL), None):
        raise ValueError(
            f"{file.path}: node {found.name!r} ({found.op_type}) is control flow, which is not "
            f"supported. A net that reads step by step, by attention, has it; a CTC recogniser is "
            f"expected, of which onnxsim removes it"
        )

    last, activation, swapped = steps.get(graph.output[0].name), "", False
    shapes: list[str] = []
    while last is not None and last.op_type in _AFTER:
        if last.op_type == "Reshape":
            shapes.append(last.input[1])
            if len(stored.get(last.input[1], "ntc")) != 3:
                break
        if last.op_type == "Transpose":
            if list(attributes(last, file).get("perm", [])) != [1, 0, 2]:
                break
            swapped = not swapped
        activation = activation or (last.op_type if last.op_type.endswith("Softmax") else "")
        last = steps.get(last.input[0])
    product, bias = None, ""
    if last is not None and last.op_type == "Gemm" and len(last.input) == 3:
        product, bias = last, last.input[2]
    elif last is not None and last.op_type == "Add":
        bias = next((name for name in last.input if name in stored), "")
        product = steps.get(next((n for n in last.input if n != bias), ""))
        while product is not None and product.op_type in ("Cast", "Identity", "Reshape"):
            product = steps.get(product.input[0])
        if product is not None and len(product.input) > 2:  # with a bias of its own
            product = None
    given = attributes(product, file) if product is not None else {}
    is_plain = not given.get("transA") and given.get("alpha", 1) == given.get("beta", 1) == 1
    transposed = not given.get("transB")
    weight = product.input[1] if product is not None and len(product.input) > 1 else ""
    if (
        product is None
        or product.op_type not in ("MatMul", "Gemm")
        or not is_plain
        or weight not in stored
        or stored[weight].ndim != 2
        or bias not in stored
    ):
        ends = last.op_type if last is not None else "nothing"
        raise ValueError(
            f"{file.path}: it ends with {ends}, not with a linear layer over characters (a product "
            f"and a bias, then at most a softmax); it may be a detector or a classifier; a CTC "
            f"recogniser is expected"
        )
    rows = stored[weight].T if transposed else stored[weight]
    bias_row = stored[bias].flatten()
    features = product.input[0]
    flat = steps.get(features)  # frames and batch in one axis
    if flat is not None and flat.op_type in ("Flatten", "Reshape"):
        shape = stored.get(flat.input[1]) if flat.op_type == "Reshape" else None
        if product.op_type == "Gemm" or (shape is not None and len(shape) == 2):
            features = flat.input[0]
    names = (weight, bias)
    return Head(features, rows, bias_row, names, transposed, activation, swapped, shapes)


def check_policy(source: str, own: str, wanted: str, policy: Policy, option: str = POLICY) -> str:
    """Check that the characters asked for are what a policy allows.

    Args:
        source: Begins the error.
        own: Characters of the file.
        wanted: Characters asked for.
        policy: See :class:`OnnxRecognizer`.
        option: What sets the policy.

    Returns:
        A line that says how many are kept, added and dropped.

    Raises:
        ValueError: If they are not; it names characters and the policy that would take them.
    """
    known, asked = set(own), set(wanted)
    added, dropped = [c for c in wanted if c not in known], [c for c in own if c not in asked]
    allowed = {
        "keep": wanted == own,
        "subset": not added,
        "union": not dropped,
        "new": True,
    }
    if policy not in allowed:
        raise ValueError(f"{option} {policy!r}: it is one of {', '.join(allowed)}")
    if not allowed[policy]:
        more = "+FILE, which adds to its own" if policy == "union" else ""
        named = f", or give the charset {source}{more}" if option == POLICY else ""
        fits = next(name for name in ("subset", "union", "new") if allowed[name])
        differ = " and ".join(
            f"{what} {len(characters):,} of its {len(own):,} characters"
            if what == "lacks"
            else f"has {len(characters):,} that it does not know ({shown(characters[:5])})"
            for what, characters in (("lacks", dropped), ("has", added))
            if characters
        )
        raise ValueError(
            f"{source}: {option} {policy} does not allow this charset, which "
            f"{differ or 'has another order'}; {option} {fits} does{named}"
        )
    return (
        f"{source}: {len(wanted) - len(added):,} of {len(own):,} characters kept, "
        f"{len(added):,} added, {len(dropped):,} dropped"
    )


@torch.no_grad()
def new_head(weight: Tensor, bias: Tensor, own: str, wanted: str) -> nn.Linear:
    """Return a linear layer over other characters, with the rows of those that are known.

    Args:
        weight: ``(c, d)`` of the layer over ``own``, with the blank as its first row.
        bias: ``(c,)``.
        own: Characters of the old layer.
        wanted: Characters of the new one; one that is not known starts as the mean of the others'
            rows (ours).
    """
    at = {c: k for k, c in enumerate(own, BLANK + 1)}
    mean = len(weight)
    weight = torch.cat([weight, weight[BLANK + 1 :].mean(0, keepdim=True)])
    bias = torch.cat([bias, bias[BLANK + 1 :].mean(0, keepdim=True)])
    rows = torch.tensor([BLANK, *(at.get(c, mean) for c in wanted)])
    head = nn.Linear(weight.shape[1], len(rows))
    head.weight.copy_(weight[rows])
    head.bias.copy_(bias[rows])
    return head
