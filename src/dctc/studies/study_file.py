"""Read a study from its YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from dctc.data.catalogue import BENCHMARKS
from dctc.data.english import REAL_TRAIN_WORDS
from dctc.data.lmdb_sets import check_names
from dctc.studies.benchmark_tests import Benchmarks
from dctc.studies.study import FULL, SEARCH_SEED, Arm, Group, Search, Study

# Keys of the parts of a file, and the types of their values; an empty tuple stands for any
_TEXT, _TEXTS, _KEYS, _FLAG, _SEEDS = (str,), (str, list), (dict,), (bool,), (int, list)
_SCALED = {"sets": _TEXTS, "validation": _TEXT, "search": _KEYS}  # a scale's replace the study's
_STUDY = {
    **dict.fromkeys(
        ("study", "title", "mean", "stored", "drawn_from", "drawn_by", "output"), _TEXT
    ),
    **dict.fromkeys(("config", "planned", "benchmarks", "notes"), _TEXTS),
    **dict.fromkeys(("set", "scales", "groups"), _KEYS),
    **dict.fromkeys(("blind", "diagnose"), _FLAG),
    **{"arms": (), "reference": _TEXT, "seeds": _SEEDS, **_SCALED},
}
_SCALE = {
    **{"config": _TEXTS, "set": _KEYS, "seeds": _SEEDS, "arms": _TEXTS, "values": (int,)},
    **{"allow_size_mismatch": _FLAG, **_SCALED},
}
_GROUP = {"title": _TEXT, "arms": _TEXTS, "references": _KEYS, "notes": _TEXTS}
_ARM = {"use": _TEXT, "title": _TEXT, "seeds": _SEEDS, "reference": _TEXT}
_OWN = {**_ARM, "config": _TEXTS, "set": _KEYS, "search": _KEYS}
_SHARED = {**_ARM, "value": ()}  # what else it sets is the other study's
_SEARCH = {"argument": _TEXT, "values": (list,), "source": _TEXT}
_OF_STUDY = ("name", "arm", "seed_everything")  # options of a run that its study gives
_NAMES = {dict: "keys with values", str: "text", bool: "true or false", list: "a list"}


def load_study(
    file: str | Path, scale: str = "", overrides: Mapping[str, Any] | None = None
) -> Study:
    """Read a study from its file.

    The file's keys, of which ``study``, ``config`` and ``arms`` are needed::

        study: mine                # folder below the runs, first part of the arms' names
        output: mine-second        # folder of tables and plots; of files that share a study
        config: [base.yaml]        # configurations of dctc fit, relative to this file
        set: {trainer.max_steps: 1000}       # overrides by dotted path
        seeds: [0, 1, 2]           # of every arm that has none of its own
        sets: [FUNSD]              # test sets that the table compares; the runs' own if not given
        reference: ctc             # what arms are compared with; the first arm if not given
        planned: [dctc]            # see Study.planned
        arms:
          ctc: {title: CTC, config: loss/ctc.yaml}
          mine: {set: {model.loss: my_loss.MyLoss}, seeds: [0, 1]}
          tuned: {config: ..., search: {argument: model.loss.init_args.weight, values: [1, 2]}}
          shared: {use: other.yaml#ctc}      # an arm of another study, with its runs
          weighed: {use: other.yaml#dctc, value: 0.01}     # at a value that is searched there

    Further keys are those of :class:`Study`; ``scales`` names smaller versions of it, each with
    ``config``, ``set``, ``seeds``, ``arms`` (keys), ``values`` (how many a search tries), ``sets``,
    ``validation`` and ``search``.

    Args:
        file: The YAML file.
        scale: Name of the scale; runs of another one than ``small`` are kept apart by its name.
        overrides: Further overrides by dotted path.

    Raises:
        ValueError: If the file is not a study, a key or a scale is not known, or an arm that is
            named is not there.
        OSError: If a file cannot be read.
    """
    file = Path(file)
    content = _read(file)
    scales = content.get("scales") or {}
    if scale and scale not in scales and (scales or scale != FULL):
        raise ValueError(f"{file}: no scale {scale!r}; there are {', '.join(scales) or 'none'}")
    scaled = scales.get(scale) or {}
    content = {**content, **{key: scaled[key] for key in _SCALED if key in scaled}}
    seeds = _seeds(scaled.get("seeds", content.get("seeds", 1)), str(file))
    search = content.get("search") or {}
    benchmarks, sets = _list(content.get("benchmarks")), _list(content.get("sets"))
    if len({*sets}) < len(sets):
        raise ValueError(f"{file}: sets: {', '.join(map(str, sets))}; name each once")
    check_names(f"{file}: benchmarks", benchmarks, (*BENCHMARKS, REAL_TRAIN_WORDS))
    mismatch = bool(scaled.get("allow_size_mismatch"))
    suffix = "" if scale in ("", FULL) else f"-{scale}"
    study = Study(
        name=content["study"] + suffix,
        title=content.get("title", content["study"]),
        file=file,
        configs=(*_files(file, content["config"]), *_files(file, scaled.get("config", ()))),
        set={**(content.get("set") or {}), **(scaled.get("set") or {}), **(overrides or {})},
        arms={},
        planned=tuple(_list(content.get("planned"))),
        sets=tuple(sets),
        mean=content.get("mean", "mean"),
        validation=content.get("validation", ""),
        search_set=search.get("set") or {},
        benchmarks=Benchmarks(tuple(benchmarks), mismatch) if benchmarks else None,
        stored=content.get("stored", ""),
        diagnose=bool(content.get("diagnose")),
        blind=bool(content.get("blind")),
        drawn_from=content.get("drawn_from", ""),
        drawn_by=content.get("drawn_by", ""),
        notes=tuple(_list(content.get("notes"))),
        scale=scale,
        output=f"{content['output']}{suffix}" if content.get("output") else "",
    )
    chosen = _list(scaled.get("arms")) or list(content["arms"])
    reference = content.get("reference") or chosen[0]
    arms = {}
    for key in chosen:
        given = content["arms"][key] or {}
        arm = _arm(study, key, given, reference)
        own = seeds if given.get("seeds") is None else _seeds(given["seeds"], f"{file}: arm {key}")
        arm = replace(arm, seeds=seeds if "seeds" in scaled else own)
        if arm.search and "values" in scaled:
            values = arm.search.values[: max(scaled["values"], 0)]
            if not values:
                raise ValueError(f"{file}: scale {scale}: give 1 or more values")
            arm = replace(arm, search=replace(arm.search, values=values))
        if arm.search and not (study.validation or arm.owner):
            names = f", or a scale that does: {', '.join(scales)}" if scales else ""
            raise ValueError(f"{file}: arm {key}: a search needs 'validation'; name a set{names}")
        arms[key] = arm
    _check_arm_names(replace(study, arms=arms))
    groups = []
    for name, group in (content.get("groups") or {}).items():
        of, notes = (key for key in _list(group["arms"]) if key in arms), _list(group.get("notes"))
        references = group.get("references") or {}
        groups.append(Group(name, group["title"], tuple(of), references, tuple(notes)))
    return replace(study, arms=arms, groups=tuple(groups))


def whole_study(study: Study) -> list[Study]:
    """Return the studies of a folder that share a study's name, each with an output of its own."""
    if not study.output:
        return [study]
    folder, name = study.file.parent, _read(study.file)["study"]
    files = sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml"))
    others = [f for f in files if f.name != study.file.name and _names(f, name)]
    return [study, *(load_study(file, study.scale) for file in others)]


def _names(file: Path, study: str) -> bool:
    """Tell whether a file, which may be anything in YAML, is one of a study."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8", errors="replace"))
    except yaml.YAMLError:
        return False
    return isinstance(content, dict) and content.get("study") == study


def _check_arm_names(study: Study) -> None:
    """Refuse arms whose runs would have one name, such as ``a-1`` and ``a`` at the value 1."""
    names: dict[str, str] = {}
    for key, arm in study.arms.items():
        for value in arm.search.values if arm.search and not arm.owner else (None,):
            name = study.arm_name(key, value)
            if not arm.owner and (other := names.setdefault(name, key)) != key:
                raise ValueError(
                    f"{study.file}: arms {other} and {key} would both be {name}; rename one"
                )


def _arm(study: Study, key: str, content: Mapping[str, Any], reference: str) -> Arm:
    where = f"{study.file}: arm {key}"
    compared_with = content.get("reference", "" if key == reference else reference)
    if use := content.get("use"):
        name, _, shared = use.partition("#")
        try:
            owner = load_study(study.file.parent / name, study.scale)
        except RecursionError as error:
            raise ValueError(f"{where}: {name} in its turn uses an arm of this study") from error
        if shared not in owner.arms:
            raise ValueError(f"{where}: {name} has no arm {shared!r}")
        arm, value = owner.arms[shared], content.get("value")
        if not (value is None or arm.search):
            raise ValueError(f"{where}: value: {name} searches nothing for {shared}; leave it out")
        return replace(
            arm,
            title=content.get("title", arm.title),
            reference=compared_with,
            search=arm.search if value is None else None,
            value=arm.value if value is None else value,
            owner=arm.owner or owner,
        )
    if search := content.get("search"):
        _check_keys(search, _SEARCH, ("argument", "values"), f"{where}: search")
        if not search["values"]:
            raise ValueError(f"{where}: search: values: there is none to try")
        if compound := [value for value in search["values"] if isinstance(value, (list, dict))]:
            raise ValueError(f"{where}: search: values: {compound[0]} is no single value")
    return Arm(
        key=str(key),
        title=content.get("title", str(key)),
        configs=_files(study.file, content.get("config", ())),
        set=content.get("set") or {},
        reference=compared_with,
        search=Search(**{**search, "values": tuple(search["values"])}) if search else None,
    )


def _files(file: Path, names: Any) -> tuple[Path, ...]:
    found = tuple(file.parent / str(name) for name in _list(names))
    for config in found:
        if not config.is_file():
            raise FileNotFoundError(f"{file}: no configuration {config}")
    return found


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    seeds = tuple(range(value)) if isinstance(value, int) else tuple(value)
    if not seeds or {*map(type, seeds)} != {int} or len({*seeds}) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"{where}: seeds: {value!r} is neither their number nor a list of them")
    if SEARCH_SEED in seeds:  # tables would leave its runs out
        raise ValueError(f"{where}: seeds: {SEARCH_SEED} is the seed of searches; take another")
    return seeds


def _read(file: Path) -> dict[str, Any]:
    """Return the content of a study's file, of which all keys and names of arms are known."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    _check_keys(content, _STUDY, ("study", "config", "arms"), str(file))
    arms = content["arms"]
    if not (isinstance(arms, dict) and arms):
        raise ValueError(f"{file}: arms: names of arms are needed, each with what it sets")
    for name in (content["study"], *arms):
        path = Path(str(name))
        if not isinstance(name, str) or not path.name or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{file}: {name!r} is no name of a study or arm; give text, in quotes")
    _check_keys(content.get("search") or {}, {"set": _KEYS}, (), f"{file}: search")
    named = [content.get("reference"), *_list(content.get("planned"))]
    for key, arm in arms.items():
        of_another = isinstance(arm, dict) and "use" in arm
        where = f"{file}: arm {key}{', of another study' * of_another}"
        _check_keys(arm or {}, _SHARED if of_another else _OWN, (), where)
        named.append((arm or {}).get("reference"))
    for key, scale in (content.get("scales") or {}).items():
        scale = scale or {}
        _check_keys(scale, _SCALE, (), f"{file}: scale {key}")
        _check_keys(scale.get("search") or {}, {"set": _KEYS}, (), f"{file}: scale {key}: search")
        named += _list(scale.get("arms"))
    scales = [scale or {} for scale in (content.get("scales") or {}).values()]
    searches = [(one.get("search") or {}) for one in (content, *scales)]
    settings = [(one or {}).get("set") for one in (content, *scales, *searches, *arms.values())]
    if own := sorted({key for some in settings for key in some or ()} & {*_OF_STUDY}):
        raise ValueError(f"{file}: set: {own[0]} follows from study, arm and seeds; leave it out")
    for key, group in (content.get("groups") or {}).items():
        _check_keys(group, _GROUP, ("title", "arms"), f"{file}: group {key}")
        named += [*_list(group["arms"]), *(group.get("references") or {}).values()]
    if others := [name for name in named if name and name not in [*arms]]:
        raise ValueError(f"{file}: no arm {others[0]!r}; there are {', '.join(map(str, arms))}")
    return content


def _check_keys(
    content: Any, known: Mapping[str, tuple[type, ...]], needed: Sequence[str], where: str
) -> None:
    if not isinstance(content, dict):
        raise ValueError(f"{where}: it holds no keys")
    if others := [str(key) for key in content if key not in known]:
        raise ValueError(f"{where}: no key {others[0]!r}; there are {', '.join(sorted(known))}")
    for key, value in content.items():
        if known[key] and value is not None and type(value) not in known[key]:
            wanted = " or ".join(_NAMES.get(kind, "a number") for kind in known[key])
            raise ValueError(f"{where}: {key}: {value!r} is not {wanted}")
    if missing := [key for key in needed if content.get(key) is None]:
        raise ValueError(f"{where}: {missing[0]!r} is missing")
