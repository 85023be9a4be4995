"""Fine-tuning: weights to start from, and a backbone that is frozen or learns more slowly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from dctc.training.checkpoint import read_checkpoint
from dctc.training.run_folder import weights_file

Freeze = Literal["backbone"] | int
Named = Sequence[tuple[str, Tensor]]


class FineTuning:
    """How the backbone of a net, all but its last layer ``head``, is trained.

    Args:
        net: The net.
        freeze: ``backbone`` never trains it, and keeps it in evaluation mode. A number leaves its
            weights as they are for so many steps; statistics of batch norms move all the same.
            None trains it from the start.
        backbone_lr: Factor on the learning rate of the backbone; None is 1.

    Raises:
        ValueError: If the net has no layer ``head``, or an argument is out of range.
    """

    def __init__(self, net: nn.Module, freeze: Freeze | None, backbone_lr: float | None) -> None:
        self.net, self.freeze, self.backbone_lr = net, freeze, backbone_lr
        if isinstance(freeze, int) and freeze < 1:
            raise ValueError(f"freeze {freeze}: give backbone, or steps, at least one")
        if backbone_lr is not None and backbone_lr <= 0:
            raise ValueError(f"backbone_lr {backbone_lr}: a factor above 0 is expected")
        self.is_asked = freeze is not None or backbone_lr is not None
        if self.is_asked and not isinstance(getattr(net, "head", None), nn.Module):
            raise ValueError(
                f"freeze, backbone_lr: the net {type(net).__name__} has no layer 'head'; leave "
                f"them out"
            )
        if freeze == "backbone":
            for name, parameter in net.named_parameters():
                parameter.requires_grad_(name.startswith("head."))

    def set_mode(self) -> None:
        """Keep a backbone that is never trained in evaluation mode."""
        if self.freeze == "backbone":
            for name, part in self.net.named_children():
                if name != "head":
                    part.eval()

    def make(self, optimizer: Callable[[Iterable[Any]], Any], named: Named) -> Any:
        """Make the optimizer; if anything is asked for, with the backbone as its first group.

        Args:
            optimizer: Makes it.
            named: Names of parameters in the module, which has the net as ``net``, and these.
        """
        backbone: list[tuple[str, Tensor]] = []
        rest: list[tuple[str, Tensor]] = []
        for name, parameter in named:
            inside = name.startswith("net.") and not name.startswith("net.head.")
            (backbone if inside else rest).append((name, parameter))
        if not (self.is_asked and backbone):
            return optimizer(iter(named))
        made = optimizer([{"params": backbone}, {"params": rest}])
        made.param_groups[0]["lr"] *= self.backbone_lr or 1.0
        return made

    def schedules(
        self, groups: int, schedule: Callable[[int], float]
    ) -> list[Callable[[int], float]]:
        """Return the factor on the learning rate by step, for each group of the optimizer."""
        steps = self.freeze if isinstance(self.freeze, int) else 0

        def late(step: int) -> float:
            return schedule(step) if step >= steps else 0.0

        return [late, schedule] if groups == 2 and self.is_asked else [schedule] * groups


def start_from(module: Any, given: str, policy: Literal["keep", "subset", "union", "new"]) -> str:
    """Load the weights of another run into the net of a module.

    The rows of its last layer go by character, as those of
    :class:`~dctc.models.OnnxRecognizer` do.

    Args:
        module: A :class:`~dctc.training.module.RecognizerModule`.
        given: Folder of the run or of exported weights, or a file of either.
        policy: What its charset may be beside that of the checkpoint, see there.

    Returns:
        A line that says how many characters are kept, added and dropped.

    Raises:
        ValueError: If the checkpoint is of another net, or the policy does not allow the charset.
        FileNotFoundError: If there is none.
    """
    from dctc.models.onnx_recognizer import Head, check_policy, new_head  # timm imports wandb

    file = weights_file(given)
    stored = read_checkpoint(file)
    if "charset" not in stored:
        raise ValueError(f"{file}: it names no charset; it was not written by this project")
    own, wanted = stored["charset"], module.tokenizer.charset.characters
    note = check_policy(str(Path(given)), own, wanted, policy, "init_policy")
    weights = {
        name.removeprefix("net."): value
        for name, value in stored["state_dict"].items()
        if name.startswith("net.")
    }
    if own != wanted:
        rows: list[Any] = [weights.get(f"head.{name}") for name in ("weight", "bias")]
        if any(row is None for row in rows):
            raise ValueError(f"{file}: its net has no linear layer 'head', so its charset stays")
        head = new_head(Head("", rows[0], rows[1], ("", ""), False, False), own, wanted)
        weights |= {"head.weight": head.weight.detach(), "head.bias": head.bias.detach()}
    try:
        module.net.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).partition(":")[2].split())
        raise ValueError(f"{file}: it is of another net: {reason[:300]}") from error
    if module.teacher is not None:
        module.teacher.module.load_state_dict(module.net.state_dict())
    return note
