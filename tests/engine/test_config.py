"""Layers of a configuration, checks and their sentences, presets with their sources, and the frozen file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moore_engine import config as cfg
from moore_engine import presets
from moore_engine.config import Config, ConfigError

DOCS = Path(__file__).parents[2] / "docs"


def value(key: str, **given: object) -> object:
    return cfg.get(cfg.resolve(**given).config, key)  # type: ignore[arg-type]


def refusal(*sets: str, **given: object) -> str:
    with pytest.raises(ConfigError) as caught:
        cfg.resolve(sets=sets, **given)  # type: ignore[arg-type]
    return str(caught.value)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# Layers


def test_flag_beats_environment_beats_project_beats_preset_beats_default(tmp_path: Path) -> None:
    project = write(tmp_path / "moore.toml", "[online]\nalpha = 3.0")
    layers: dict[str, object] = {}
    assert value("online.alpha", **layers) == 1.0
    layers["preset_or_file"] = write(tmp_path / "mine.toml", "[online]\nalpha = 4.0")
    assert value("online.alpha", **layers) == 4.0
    layers["project"] = project
    assert value("online.alpha", **layers) == 3.0
    layers["env"] = {"MOORE_ONLINE__ALPHA": "2.0"}
    assert value("online.alpha", **layers) == 2.0
    layers["sets"] = ["online.alpha=1.5"]
    assert value("online.alpha", **layers) == 1.5


def test_every_key_says_where_it_came_from(tmp_path: Path) -> None:
    resolved = cfg.resolve(
        "hopper-medium-replay",
        project=write(tmp_path / "moore.toml", "[eval]\nepisodes = 3"),
        env={"MOORE_ONLINE__EPOCHS": "20"},
        sets=["model.lr=0.01"],
        flags={"seed": 4, "data": "d.hdf5", "name": None},
    )
    sources = resolved.sources
    assert set(sources) == set(cfg.keys())
    assert sources["offline.penalty_coef"] == (
        "preset hopper-medium-replay (OfflineRL-Kit, MOPO, hopper-medium-replay-v2)"
    )
    assert sources["sac.actor_lr"] == "preset mopo-kit (OfflineRL-Kit, MOPO)"
    assert sources["online.model_every"].startswith("preset moore-online (MOORe")
    assert sources["eval.episodes"] == "moore.toml"
    assert sources["online.epochs"] == "MOORE_ONLINE__EPOCHS"
    assert sources["model.lr"] == "--set"
    assert sources["run.seed"] == "--seed"
    assert sources["data.path"] == "--data"
    assert sources["run.name"] == "default"


def test_a_missing_project_file_and_foreign_variables_are_ignored(tmp_path: Path) -> None:
    resolved = cfg.resolve(project=tmp_path / "moore.toml", env={"MOORE_RUNS_DIR": "x", "HOME": "/", "A__B": "1"})
    assert resolved.config == Config()


def test_a_data_file_beside_a_config_becomes_absolute_and_other_names_stay(tmp_path: Path) -> None:
    (tmp_path / "rows.hdf5").touch()
    mine = write(tmp_path / "mine.toml", '[data]\npath = "rows.hdf5"')
    assert value("data.path", preset_or_file=mine) == str(tmp_path / "rows.hdf5")
    mine.write_text('[data]\npath = "minari:mujoco/hopper/medium-v0"')
    assert value("data.path", preset_or_file=mine) == "minari:mujoco/hopper/medium-v0"


def test_a_file_can_extend_a_preset_or_a_file_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", 'extends = "walker2d-random"\n[online]\nalpha = 2.0')
    mine = write(tmp_path / "mine.toml", 'extends = "./base.toml"\n[sac]\ntau = 0.01')
    config = cfg.resolve(mine).config
    assert (config.data.task, config.online.alpha, config.sac.tau) == ("Walker2d-v4", 2.0, 0.01)


def test_a_file_that_extends_itself_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.toml", 'extends = "./b.toml"')
    write(tmp_path / "b.toml", 'extends = "./a.toml"')
    assert "cannot build on itself" in refusal(preset_or_file=tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model.hidden=[64, 64, 64, 64]", (64, 64, 64, 64)),
        ("offline.rollout_batch=1e4", 10_000),
        ("offline.rollout_batch=10_000", 10_000),
        ("online.alpha=auto", "auto"),
        ("online.alpha=2", 2.0),
        ('online.sampler="uniform"', "uniform"),
        ("online.initial_rollout=true", True),
        ("run.name=007", "007"),
        ("run.threads=2", 2),
        ("data.path=a=b.hdf5", "a=b.hdf5"),
    ],
)
def test_text_is_read_as_the_key_needs_it(text: str, expected: object) -> None:
    got = value(text.split("=")[0], sets=[text])
    assert got == expected
    assert type(got) is type(expected)


# Refusals


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("online.alhpa=1", ["online.alhpa", "did you mean online.alpha?"]),
        ("onlin.alpha=1", ['"onlin"', "did you mean online?"]),
        ("sac.alpha=1", ["sac.alpha", "did you mean online.alpha?"]),
        ("alpha=1", ["section.key", "did you mean online.alpha?"]),
        ("online.sampler=prioritiy", ['"prioritiy"', '"online_only"', "did you mean priority?"]),
        ("run.algo=moor", ['"moor"', "did you mean moore?"]),
        ("online.alpha=0", ["online.alpha = 0", 'a number > 0 or "auto"']),
        ("online.alpha=nan", ["online.alpha", "a number > 0"]),
        ("sac.target_entropy=inf", ["sac.target_entropy", "a number"]),
        ("sac.log_std_max=inf", ["sac.log_std_max", "a number"]),
        ("sac.gamma=1.0", ["sac.gamma = 1.0", ">= 0 and < 1"]),
        ("model.networks=2.5", ["model.networks = 2.5", "an integer >= 1"]),
        ("model.networks=true", ["model.networks = true", "an integer >= 1"]),
        ("online.rollout_length=0", ["online.rollout_length = 0", "an integer >= 1"]),
        ("sac.batch=0", ["sac.batch = 0", "an integer >= 1"]),
        ("model.hidden=[]", ["model.hidden = []", "non-empty list"]),
        ("model.weight_decay=[inf,0,0,0,0]", ["model.weight_decay", "a number >= 0"]),
        ("online.initial_rollout=maybe", ['"maybe"', "true or false"]),
        ("run.name=../up", ['"../up"', "directory name"]),
        ("run.name=-rf", ['"-rf"', "directory name"]),
        ("model.elites=8", ["model.elites = 8", "model.networks = 7"]),
        ("model.hidden=[64,64]", ["model.weight_decay has 5 values", "need 3"]),
        ("offline.rollout_every=300", ["offline.rollout_every = 300", "offline.updates_per_epoch = 1000"]),
        ("online.model_every=300", ["online.model_every = 300", "online.steps_per_epoch = 1000"]),
        ("sac.log_std_min=3", ["sac.log_std_min = 3.0", "sac.log_std_max = 2.0"]),
        ("data.ref_min=0", ["data.ref_min and data.ref_max"]),
        ("online.alpha", ["section.key=value", '"online.alpha"']),
    ],
)
def test_a_refusal_is_one_sentence_with_the_key_the_value_and_what_is_allowed(text: str, parts: list[str]) -> None:
    message = refusal(text)
    assert [part for part in parts if part not in message] == []
    assert "\n" not in message
    assert message[-1] in ".?"


def test_a_first_rollout_without_rows_is_refused() -> None:
    assert "no rows to start from" in refusal("online.initial_rollout=true", "online.sampler=online_only")


def test_swapped_references_are_refused() -> None:
    assert "not below" in refusal("data.ref_min=2", "data.ref_max=1")


def test_an_unknown_variable_names_the_nearest() -> None:
    assert refusal(env={"MOORE_ONLINE__ALHPA": "1"}) == (
        "The environment variable MOORE_ONLINE__ALHPA names no key; did you mean MOORE_ONLINE__ALPHA?"
    )


def test_unknown_presets_profiles_and_files_are_refused_by_name(tmp_path: Path) -> None:
    assert "did you mean hopper-medium-replay?" in refusal(preset_or_file="hopper-medium-reply")
    assert "known: cpu" in refusal(preset_or_file="quickstart", profile="laptop-gpu")
    assert "There is no file" in refusal(preset_or_file=tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[online\nalpha = 1", "line 1, column 8"),
        ("alpha = 1", "must be a section"),
        ("[online]\nalhpa = 1", "did you mean online.alpha?"),
        ("[online]\nalpha = 'x'", "(moore.toml) is not allowed"),
        ("[sac]\nhidden = [256, 'x']", '[256, "x"]'),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, text: str, part: str) -> None:
    assert part in refusal(project=write(tmp_path / "moore.toml", text))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "moore.toml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refusal(project=tmp_path / "moore.toml")


def test_alpha_without_the_priority_sampler_warns_only_if_someone_set_it() -> None:
    uniform = "online.sampler=uniform"
    assert cfg.resolve("hopper-random", sets=[uniform]).warnings == []
    assert "no effect" in cfg.resolve("hopper-random", sets=[uniform, "online.alpha=1.0"]).warnings[0]
    assert cfg.resolve("hopper-random", sets=["online.alpha=2"]).warnings == []


def test_a_launch_needs_data_and_a_collection_a_task() -> None:
    with pytest.raises(ConfigError, match="--data"):
        cfg.check_launchable(cfg.resolve("hopper-random").config)
    with pytest.raises(ConfigError, match=r"data\.task"):
        cfg.check_launchable(cfg.resolve(flags={"task": ""}, sets=['run.algo="collect"']).config)
    cfg.check_launchable(cfg.resolve(flags={"data": "d.hdf5"}).config)
    cfg.check_launchable(cfg.resolve("quickstart").config)


# The frozen file


def test_the_frozen_file_holds_every_key_and_loads_back(tmp_path: Path) -> None:
    resolved = cfg.resolve("hopper-medium", sets=["data.ref_min=-1.5", "data.ref_max=2"])
    for text in (cfg.dumps(resolved.config), cfg.dumps(resolved.config, resolved.sources)):
        assert cfg.load(write(tmp_path / "config.toml", text)) == resolved.config
    assert [key for key in cfg.keys() if f"\n{key.split('.')[1]} = " not in text] == []


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20), st.floats(-1e9, 1e9))
def test_any_text_and_number_survive_the_frozen_file(
    tmp_path_factory: pytest.TempPathFactory, path: str, entropy: float
) -> None:
    config = cfg.set_value(cfg.set_value(Config(), "data.task", path), "sac.target_entropy", entropy)
    file = write(tmp_path_factory.mktemp("frozen") / "config.toml", cfg.dumps(config, dict.fromkeys(cfg.keys(), path)))
    assert cfg.load(file) == config


def test_the_digest_changes_with_a_value_and_only_then() -> None:
    assert cfg.sha256(cfg.set_value(Config(), "run.seed", "1")) != cfg.sha256(Config())
    assert cfg.sha256(cfg.set_value(Config(), "run.seed", "0")) == cfg.sha256(Config())


def test_a_live_set_is_limited_to_the_live_keys() -> None:
    assert cfg.set_value(Config(), "online.alpha", "0.5", live=True).online.alpha == 0.5
    assert cfg.set_value(Config(), "sac.gamma", "0.5").sac.gamma == 0.5
    with pytest.raises(ConfigError, match="cannot change while a run is going"):
        cfg.set_value(Config(), "sac.gamma", "0.5", live=True)
    with pytest.raises(ConfigError, match="did you mean"):
        cfg.set_value(Config(), "online.alhpa", "0.5", live=True)
    assert set(cfg.keys()) >= cfg.LIVE_KEYS


# Presets


D4RL = [
    f"{body}-{kind}"
    for body in ("halfcheetah", "hopper", "walker2d")
    for kind in ("medium", "medium-replay", "medium-expert")
]


def test_there_is_a_preset_for_each_data_set_and_column() -> None:
    random = [f"{body}-random" for body in ("halfcheetah", "hopper", "walker2d")]
    expected = {*D4RL, *(f"{name}-official" for name in D4RL), *random, "quickstart"}
    assert set(cfg.presets()) == expected


@pytest.mark.parametrize(
    ("preset", "length", "penalty"),
    [
        ("halfcheetah-random", 5, 0.5),
        ("hopper-random", 5, 1.0),
        ("walker2d-random", 1, 1.0),
        ("halfcheetah-medium", 5, 0.5),
        ("halfcheetah-medium-official", 1, 1.0),
        ("hopper-medium", 5, 5.0),
        ("hopper-medium-official", 5, 5.0),
        ("walker2d-medium", 5, 0.5),
        ("walker2d-medium-official", 5, 5.0),
        ("halfcheetah-medium-replay", 5, 0.5),
        ("halfcheetah-medium-replay-official", 5, 1.0),
        ("hopper-medium-replay", 5, 2.5),
        ("hopper-medium-replay-official", 5, 1.0),
        ("walker2d-medium-replay", 1, 2.5),
        ("walker2d-medium-replay-official", 1, 1.0),
        ("halfcheetah-medium-expert", 5, 2.5),
        ("halfcheetah-medium-expert-official", 5, 5.0),
        ("hopper-medium-expert", 5, 5.0),
        ("hopper-medium-expert-official", 5, 1.0),
        ("walker2d-medium-expert", 1, 2.5),
        ("walker2d-medium-expert-official", 1, 2.0),
    ],
)
def test_presets_carry_the_published_length_and_penalty(preset: str, length: int, penalty: float) -> None:
    config = cfg.resolve(preset).config
    assert (config.offline.rollout_length, config.online.rollout_length) == (length, length)
    assert config.offline.penalty_coef == penalty
    assert config.data.task.lower() == f"{preset.split('-')[0]}-v4"


def test_the_online_stage_is_the_papers_in_every_published_preset() -> None:
    for preset in set(cfg.presets()) - {"quickstart"}:
        online = cfg.resolve(preset).config.online
        assert (online.epochs, online.steps_per_epoch, online.model_every) == (100, 1000, 250)
        assert (online.rollout_batch, online.updates_per_step, online.real_ratio) == (100_000, 20, 0.0)


def test_the_two_columns_differ_as_published() -> None:
    kit, official = cfg.resolve("hopper-medium").config, cfg.resolve("hopper-medium-official").config
    assert (kit.offline.epochs, official.offline.epochs) == (3000, 1000)
    assert (kit.model.patience, official.model.patience) == (5, 6)
    assert (kit.sac.actor_lr, official.sac.actor_lr) == (1e-4, 3e-4)
    assert (kit.sac.actor_schedule, official.sac.actor_schedule) == ("cosine", "constant")
    assert (kit.sac.temperature_lr, official.sac.temperature_lr) == (1e-4, 3e-4)
    assert (kit.sac.temperature_max, official.sac.temperature_max) == (1.0, 0.0)
    assert (kit.sac.target_entropy, official.sac.target_entropy) == ("auto", -3.0)
    assert (kit.sac.log_std_min, official.sac.log_std_min) == (-5.0, -20.0)


def test_every_number_of_a_preset_has_a_source() -> None:
    for preset in cfg.presets():
        sources = cfg.resolve(preset).sources
        assert [key for key, source in sources.items() if source.startswith("preset") and "(" not in source] == []


def test_profile_cpu_lists_what_it_reduced_and_never_raises_a_value(tmp_path: Path) -> None:
    resolved = cfg.resolve("hopper-medium-replay", profile="cpu")
    reduced = {key: source for key, source in resolved.sources.items() if source.startswith("profile")}
    assert reduced == {
        "offline.epochs": "profile cpu (reduced from 3000)",
        "offline.rollout_batch": "profile cpu (reduced from 50000)",
        "online.max_updates": "profile cpu (reduced from no limit)",
        "online.rollout_batch": "profile cpu (reduced from 100000)",
    }
    assert resolved.config.online.max_updates == 500
    small = write(tmp_path / "small.toml", "[offline]\nepochs = 0\n[online]\nmax_updates = 100")
    config = cfg.resolve(small, profile="cpu").config
    assert (config.offline.epochs, config.online.max_updates) == (0, 100)


def test_every_preset_resolves_under_every_profile() -> None:
    for preset in cfg.presets():
        for profile in presets.profiles():
            cfg.resolve(preset, profile=profile)


# Documentation and cost


def test_every_key_has_one_line_about_it_and_stands_in_the_documentation() -> None:
    page = (DOCS / "config.md").read_text()
    for row in cfg.describe():
        assert row.text
        assert "\n" not in row.text
        assert f"| `{row.key.split('.')[1]}` | {row.allowed} | `{cfg.toml(row.default)}` | {row.text} |" in page


def test_the_documentation_lists_every_preset_and_profile() -> None:
    page = (DOCS / "config.md").read_text()
    assert [name for name in (*cfg.presets(), *presets.profiles()) if f"`{name}`" not in page] == []
