"""Settings: one declared file, variables over it, secrets from mounted files, and nothing repeated that is secret."""

import os
from pathlib import Path

import pytest

from wisqu_pipelines.errors import BadSettings, PathRefused, UnknownEnvironment
from wisqu_pipelines.settings import Settings, load
from wisqu_pipelines.settings import declared as declared_names

SECRET = "canary-7f3a"


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A complete settings file for two environments."""
    database = 'name = "db_{0}"\nuser = "u"\npassword = "p"\n'
    stores = """
[environments.{0}]
domain = "{0}.example.org"
[environments.{0}.database]
{1}
[environments.{0}.object_store]
endpoint = "s3:1"
access_key = "{0}"
secret_key = "s"
[environments.{0}.vector_index]
url = "http://q:1"
api_key = "k"
[environments.{0}.cache]
username = "{0}"
password = "p"
databases = {{ cache = 0, sessions = 1, limits = 2 }}
[environments.{0}.retention]
days = 30
automatic = true
"""
    path = tmp_path / "wisqu.toml"
    path.write_text(
        'buckets = ["docs"]\ndefault_bucket = "docs"\ndefault_collection = "texts"\n'
        "[collections.texts]\ndimension = 4\n"
        f"[control.database]\n{database.format('control')}"
        + "".join(stores.format(name, database.format(name)) for name in ("lab", "live"))
        + '[identity]\nissuer = "https://auth.example.org"\n'
        + '[roles.admin]\nenters = ["lab", "live"]\ngiven_by = ["admin"]\n'
        + '[paths."lab->live"]\napprover_roles = ["admin"]\napprovals = 1\nself_approval = false\napproval_hours = 1\n'
    )
    for variable in [name for name in os.environ if name.startswith("WISQU_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("WISQU_CONFIG", str(path))
    return path


def password(settings: Settings) -> str:
    return settings.environments["live"].database.password.get_secret_value()


@pytest.mark.usefixtures("declared")
def test_names_derive_from_the_environment() -> None:
    live = load().environment("live")

    assert live.name == "live"
    assert live.get_bucket_name("docs") == "live-docs"
    assert live.get_collection_name("texts") == "texts_live"


@pytest.mark.usefixtures("declared")
def test_a_variable_wins_over_a_mounted_file_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "WISQU_ENVIRONMENTS__LIVE__DATABASE__PASSWORD"
    assert password(load()) == "p"
    mounted = tmp_path / "secret"
    mounted.write_text("mounted\n")
    monkeypatch.setenv(f"{name}_FILE", str(mounted))
    assert password(load()) == "mounted"
    monkeypatch.setenv(name, "variable")
    assert password(load()) == "variable"


@pytest.mark.usefixtures("declared")
def test_what_the_embedded_stack_wrote_is_read_only_where_it_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "var" / "stack" / "settings.toml"
    written.parent.mkdir(parents=True)
    written.write_text('[environments.live.database]\npassword = "embedded"\n')
    monkeypatch.setenv("WISQU_STACK__DIRECTORY", str(tmp_path / "var"))
    assert password(load()) == "p"
    monkeypatch.setenv("WISQU_STACK__EMBEDDED", "true")
    assert password(load()) == "embedded"


def test_a_bad_value_is_named_and_no_secret_is_repeated(declared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WISQU_ENVIRONMENTS__LIVE__DATABASE__PASSWORD", SECRET)
    monkeypatch.setenv("WISQU_ENVIRONMENTS__LIVE__DATABASE__PORT", f"no-{SECRET}")
    with pytest.raises(BadSettings, match=r"environments\.live\.database\.port") as refusal:
        load()
    assert SECRET not in str(refusal.value)
    monkeypatch.delenv("WISQU_ENVIRONMENTS__LIVE__DATABASE__PORT")
    assert SECRET not in repr(load())
    declared.write_text(declared.read_text().replace("dimension = 4", "dimensions = 4"))
    with pytest.raises(BadSettings, match="dimension"):
        load()


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WISQU_CONFIG", "/nowhere/wisqu.toml")
    with pytest.raises(BadSettings, match=r"/nowhere/wisqu\.toml"):
        load()


@pytest.mark.usefixtures("declared")
def test_a_paths_account_comes_from_variables_that_a_shell_can_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = tmp_path / "copies"
    mounted.write_text(f"{SECRET}\n")
    monkeypatch.setenv("WISQU_PATHS__LAB_TO_LIVE__TRANSFER__ACCESS_KEY", "copies")
    monkeypatch.setenv("WISQU_PATHS__LAB_TO_LIVE__TRANSFER__SECRET_KEY_FILE", str(mounted))
    path = load().path("lab", "live")
    assert path.transfer is not None
    assert (path.transfer.access_key, path.transfer.secret_key.get_secret_value()) == ("copies", SECRET)
    assert path.approvals == 1
    assert declared_names().paths == (("lab", "live"),)


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize(
    "name", ["WISQU_ENVIRONMENT__LIVE__DATABASE__HOST", "WISQU_NOTIFICATION__TARGETS__OPS__URL_FILE"]
)
def test_a_variable_that_sets_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "value").write_text("value")
    monkeypatch.setenv(name, str(tmp_path / "value"))
    with pytest.raises(BadSettings, match=f"(?i){name.split('_')[1]}"):
        load()


@pytest.mark.usefixtures("declared")
def test_what_dagster_got_of_its_own_is_a_secret_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SECRET not in load().secrets()
    monkeypatch.setenv("WISQU_DAGSTER_POSTGRES_URL", f"postgresql+psycopg2://dagster:{SECRET}@db.example.org/dagster")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the logs")
    assert {SECRET, "of the logs"} <= load().secrets()


@pytest.mark.usefixtures("declared")
def test_a_mounted_secret_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WISQU_ENVIRONMENTS__LIVE__DATABASE__PASSWORD_FILE", "/nowhere/secret")
    with pytest.raises(BadSettings, match="PASSWORD_FILE"):
        load()


def test_a_path_needs_both_its_ends(declared: Path) -> None:
    declared.write_text(declared.read_text().replace("lab->live", "lab->moon"))
    with pytest.raises(BadSettings, match="moon"):
        load()


@pytest.mark.usefixtures("declared")
def test_only_declared_environments_and_paths_exist() -> None:
    settings = load()
    assert settings.path("lab", "live").approvals == 1
    with pytest.raises(UnknownEnvironment, match=r"'dev'.*lab, live"):
        settings.environment("dev")
    with pytest.raises(PathRefused, match=r"from live to lab; the allowed paths are lab->live"):
        settings.path("live", "lab")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ('[roles.guest]\nenters = ["elsewhere"]\ngiven_by = ["admin"]\n', "elsewhere"),
        ('[roles.guest]\nenters = ["lab"]\ngiven_by = ["nobody"]\n', "nobody"),
    ],
)
def test_the_access_matrix_names_only_what_there_is(declared: Path, change: str, named: str) -> None:
    declared.write_text(declared.read_text() + change)
    with pytest.raises(BadSettings, match=named):
        load()
