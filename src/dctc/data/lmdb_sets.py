"""Base of the data modules that read LMDBs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.utilities import rank_zero_only

from dctc.data.augment import Augmentation
from dctc.data.catalogue import Benchmark
from dctc.data.records.folders import data_root as find_data_root
from dctc.data.records.image_size import HEIGHT, WIDTH, ImageSize, RotateTall
from dctc.data.records.lmdb import LmdbDataset, left_out
from dctc.data.sets import TRAIN, SetsDataModule
from dctc.data.union import UnionDataset, find_parts, open_union
from dctc.text import Charset, get_protocol, usual_protocol
from dctc.text.alterations import Alterations

# Each message once in a process: the runs of a study set up the same data again and again
say = lru_cache(maxsize=None)(logging.getLogger(__name__).warning)
report = rank_zero_only(say)


class LmdbDataModule(SetsDataModule):
    """Base of the data modules that read LMDBs: the arguments and the stages that they share.

    With several processes, the Trainer needs ``use_distributed_sampler=False``.

    Args:
        batch_size: Samples in a batch over all processes.
        width: Width of the images in pixels (w); None is :attr:`usual_width`.
        charset: ``36``, ``62``, ``94`` or a file of characters; labels outside of it are dropped.
        protocol: Rule applied to labels (:data:`dctc.text.PROTOCOLS`); None takes
            :func:`dctc.text.usual_protocol`, so ``verbatim`` for a file of characters.
        train_protocol: The same of training labels; None takes ``protocol``. With the charset
            ``94``, ``english94`` here and ``english36`` there, a net learns case and punctuation
            and is scored without them, as PARSeq's are; a validation loss is that of ``protocol``.
        eval_batch_size: Samples in a batch for validation and test; None is ``batch_size``.
        height: Height of the images in pixels (h); None is 32.
        grayscale: One channel instead of three.
        data_root: Folder of all data; None is the environment variable ``DCTC_DATA``, or ``data``.
        seed: Seed of the order of training samples and of their augmentation.
        num_workers: Worker processes of each loader.
        allow_size_mismatch: Take a set even if it has not the published number of records.
        keep_ratio: Keep the aspect ratio of images; they are padded to the width, or squashed into
            it.
        fill: Level of the padding, 0 to 255; None is the image's mean colour.
        rotate_tall: ``left`` or ``right`` turns images that are much taller than wide, such as
            words on vertical signs, by a quarter; see
            :class:`dctc.data.records.image_size.ImageSize`.
        augment: Strength of the augmentation of training images, see
            :class:`dctc.data.augment.Augmentation`: 0 is none, 1 usual, 2 the most.
        views: Views of each training image; 2 for losses that need two.

    Raises:
        ValueError: At once, for a charset, protocol or set that does not exist, or an augmentation
            out of range; in :meth:`setup`, for a test set among the training data, a set listed
            twice, a set of the wrong size, no test set at all, or a protocol that takes characters
            of the charset out of training labels.
        FileNotFoundError: In :meth:`setup`, for data that is not there.
    """

    usual_width = WIDTH
    test: list[str]  # names of the published test sets that are asked for
    own_tests: Mapping[str, list[str]] = {}  # folders of further ones by name

    def __init__(
        self,
        batch_size: int,
        width: int | None = None,
        charset: str = "36",
        protocol: str | None = None,
        train_protocol: str | None = None,
        eval_batch_size: int | None = None,
        height: int | None = None,
        grayscale: bool = False,
        data_root: str | None = None,
        seed: int = 0,
        num_workers: int = 2,
        allow_size_mismatch: bool = False,
        keep_ratio: bool | None = None,
        fill: int | None = None,
        rotate_tall: RotateTall | Literal[False] = "off",
        augment: float = 0.0,
        views: int = 1,
    ) -> None:
        augmentation = Augmentation(augment, views, fill)
        super().__init__(batch_size, eval_batch_size, seed, num_workers, augmentation)
        self.root, self.allow_size_mismatch = data_root, allow_size_mismatch
        self._has_val = False
        self.charset = Charset.load(charset)
        self.protocol = get_protocol(protocol or usual_protocol(self.charset))
        self._train_protocol = get_protocol(train_protocol) if train_protocol else None
        self.options: dict[str, Any] = {
            "protocol": self.protocol,
            "charset": self.charset,
            "size": ImageSize(
                HEIGHT if height is None else height,
                self.usual_width if width is None else width,
                grayscale,
                bool(keep_ratio),
                rotate_tall,
                fill,
            ),
        }

    @property
    def train_options(self) -> dict[str, Any]:
        """Those of :attr:`options` that training data are opened with."""
        return self.options | ({"protocol": self._train_protocol} if self._train_protocol else {})

    def setup(self, stage: str | None = None) -> None:
        """Find and index the sets of a stage, as Lightning names it; None is all."""
        root = find_data_root(self.root)
        if stage in ("fit", None) and self.train_set is None:
            train = self._open_train(root)
            if path := self._own_test(root, [train]):
                raise ValueError(f"train: {path} is named in test; never train on a test set")
            self._report({TRAIN: train} if train is not None else {})
            self.train_set = train
        if stage in ("fit", "validate", None) and not self._has_val:  # of which there may be none
            self.val_sets, self._has_val = self._open_val(root), True
            if path := self._own_test(root, self.val_sets.values()):
                report(f"val: {path} is named in test; never choose on a test set, as best.ckpt is")
            trained = {part.path.resolve() for part in _parts([self.train_set])}
            for part in _parts(self.val_sets.values()):
                if part.only is None and part.path.resolve() in trained:
                    report(f"val: {part.path} is trained on too; name others in val")
            self._report(self.val_sets)
        if stage in ("test", "predict", None) and not self.test_sets:
            tests = self._open_test(root)
            for name, folders in self.own_tests.items():
                tests[name] = self._open_own_test(name, folders, root)
            self._report(tests)
            if not tests and not self.test:
                raise ValueError("test: no set is named; give names, or {NAME: [FOLDER]}")
            if not tests:
                raise ValueError(f"test: none of {', '.join(self.test)} found below {root}")
            self.test_sets = tests

    def _report(self, sets: dict[str, Any]) -> None:
        """Say which labels of new sets were left out, and which the protocol alters.

        Raises:
            ValueError: If it takes characters of the charset out of training labels.
        """
        usual = usual_protocol(self.charset)
        for name, dataset in sets.items():
            rule = (self.train_options if name == TRAIN else self.options)["protocol"]
            cure = (
                f"protocol {usual}"
                if rule is not get_protocol(usual)
                else "a charset of them (dctc data alphabet)"
            )
            if dataset.drops:
                report(f"{name}: {left_out(dataset)}")
            altered = Alterations(rule, self.charset).extend(
                part.alterations for part in _parts([dataset])
            )
            message = f"{name}: {altered.said(len(dataset))}; {cure} keeps them"
            if name == TRAIN and altered.drops_of_charset:
                raise ValueError(f"{message}, or name a charset without them")
            if altered.texts:
                report(message)

    def _choose_tests(self, test: TestSets, known: Iterable[str], default: Iterable[str]) -> None:
        """Set :attr:`test` and :attr:`own_tests`.

        ``test`` has names of ``known`` sets, and folders, whose last part names the set; or names
        of own sets with their folders. None is ``default``.
        """
        given, known = list(default) if test is None else test, list(known)
        if isinstance(given, dict):
            self.test, own = [], list(given.items())
        else:
            self.test = [one for one in given if "/" not in one]
            own = [(Path(one).name, [one]) for one in given if "/" in one]
        check_names("test", self.test, known, "; a set of your own has folders: {NAME: [FOLDER]}")
        self.own_tests = dict(own)
        taken = [TRAIN, *known, *(name for name, _ in own)]
        for name in self.own_tests:
            if taken.count(name) > 1:
                has = "the training data is" if name == TRAIN else "another set is"
                raise ValueError(f"test: {has} named {name}; rename yours: {{NAME: [FOLDER]}}")

    def _folders(self, names: Sequence[str], root: Path) -> list[str]:
        """Return folders; a subclass knows some by other names."""
        return list(names)

    def _union(self, what: str, names: Sequence[str], root: Path, **options: Any) -> UnionDataset:
        """Open folders as one set, see :func:`open_union`; further options replace the usual."""
        return open_union(what, self._folders(names, root), root, **{**self.options, **options})

    def _open_own_test(self, name: str, folders: list[str], root: Path) -> UnionDataset:
        return self._union(f"test {name}", folders, root)

    def _present(
        self,
        names: Iterable[str],
        sets: Mapping[str, Benchmark],
        found: Mapping[str, Path],
        done: str,
        root: Path,
    ) -> list[str]:
        """Return those of some published sets that were found, and say which are not ``done``."""
        for name in names:
            if name not in found:
                report(sets[name].missing_from(root, f", so it is not {done}"))
        return [name for name in names if name in found]

    def _own_test(self, root: Path, datasets: Iterable[Any]) -> Path | None:
        """Return an own test set among other data; None if there is none."""
        if not self.own_tests:
            return None
        sets = (
            find_parts(f"test {name}", self._folders(folders, root), root)
            for name, folders in self.own_tests.items()
        )
        own = {path.resolve() for parts in sets for path in parts}
        paths = (part.path for part in _parts(datasets))
        return next((path for path in paths if path.resolve() in own), None)

    def _open_train(self, root: Path) -> Any:
        """Return the training data; None if none is named."""
        raise NotImplementedError

    def _open_val(self, root: Path) -> dict[str, Any]:
        raise NotImplementedError

    def _open_test(self, root: Path) -> dict[str, Any]:
        raise NotImplementedError


def _parts(datasets: Iterable[Any]) -> Iterator[LmdbDataset]:
    """Yield the LMDBs of data sets, of which a union has several; None is no data set."""
    for dataset in datasets:
        if dataset is not None:
            yield from getattr(dataset, "parts", [dataset])


TestSets = list[str] | dict[str, list[str]] | None  # see LmdbDataModule._choose_tests


def check_names(
    what: str, names: Iterable[str] | None, known: Iterable[str], cure: str = ""
) -> None:
    """Raise ValueError for a name that is not known; ``what`` is the argument it is given in."""
    known = list(known)
    for name in names or ():
        if name not in known:
            raise ValueError(f"{what}: {name!r} is not one of {', '.join(known)}{cure}")
