from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.engine.errors import ProjectError, UnsupportedError
from localcloud.engine.project import Project, StackFile
from localcloud.engine.secrets import SecretsManager

if TYPE_CHECKING:
    from pathlib import Path

MANAGER = SecretsManager("p", None)


def project(root: Path, text: str = "name: demo\nruntime: python\n") -> Project:
    (root / "Pulumi.yaml").write_text(text)
    return Project.load(root)


def stack_file(root: Path, text: str) -> StackFile:
    (root / "Pulumi.dev.yaml").write_text(text)
    return StackFile(project(root), "dev")


class TestPulumiYaml:
    def test_what_it_says(self, tmp_path: Path) -> None:
        text = "name: demo\nruntime: {name: python, options: {virtualenv: .venv}}\nmain: infra\n"
        found = project(tmp_path, text)
        assert (found.name, found.main, found.options) == ("demo", tmp_path / "infra", {"virtualenv": ".venv"})

    def test_defaults_come_under_the_stacks_own_values(self, tmp_path: Path) -> None:
        block = "  a: 1\n  b: {type: string, default: x}\n  c: {type: string}\n  o:k: {value: [1]}\n"
        text = f"name: demo\nruntime: python\nconfig:\n{block}"
        (tmp_path / "Pulumi.dev.yaml").write_text("config: {demo:a: 2}\n")
        found = StackFile(project(tmp_path, text), "dev").load(MANAGER)
        assert found.values == {"demo:a": "2", "demo:b": "x", "o:k": "[1]"}

    @pytest.mark.parametrize(
        ("text", "error", "word"),
        [
            ("runtime: python\n", ProjectError, "name"),
            ("name: a\nruntime: go\n", UnsupportedError, "go"),
            ("name: [\n", ProjectError, "line"),
            ("- a\n", ProjectError, "mapping"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, text: str, error: type[Exception], word: str) -> None:
        with pytest.raises(error, match=word):
            project(tmp_path, text)


class TestTheStackFile:
    def test_scalars_become_strings_and_structures_compact_json(self, tmp_path: Path) -> None:
        scalars = "  t: true\n  i: 42\n  f: 1.5\n  s: text\n  d: 2026-01-01\n"
        text = f"config:\n{scalars}  m: {{b: [1, {{c: é}}], a: null}}\n  x:y: z\n"
        assert stack_file(tmp_path, text).load(MANAGER).values == {
            "demo:t": "true",
            "demo:i": "42",
            "demo:f": "1.5",
            "demo:s": "text",
            "demo:d": "2026-01-01",
            "demo:m": '{"a":null,"b":[1,{"c":"é"}]}',
            "x:y": "z",
        }

    def test_one_secure_leaf_makes_the_key_secret(self, tmp_path: Path) -> None:
        sealed = MANAGER.encrypt("hush")
        block = f"  m: {{a: [{{secure: '{sealed}'}}]}}\n  p: {{secure: '{sealed}'}}\n  o: 1\n"
        file = stack_file(tmp_path, f"config:\n{block}")
        found = file.load(MANAGER)
        assert found.values["demo:m"] == '{"a":["hush"]}'
        assert found.values["demo:p"] == "hush"
        assert found.secret_keys == {"demo:m", "demo:p"}
        assert "hush" not in repr(found)
        assert file.plain_namespace("demo") is None
        assert file.plain_namespace("other") == {}

    @pytest.mark.parametrize("name", ["", "a/b", "a b", "../x"])
    def test_a_name_that_is_none_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ProjectError, match="stack name"):
            StackFile(project(tmp_path), name)


class TestSettingASecret:
    def set(self, root: Path, text: str, key: str = "token") -> str:
        stack_file(root, text).set_secret(key, "hush", MANAGER)
        written = (root / "Pulumi.dev.yaml").read_text()
        again = StackFile(project(root), "dev")
        assert again.salt == MANAGER.salt
        assert again.load(MANAGER).values[key if ":" in key else f"demo:{key}"] == "hush"
        assert "hush" not in written
        return written

    def test_comments_and_order_survive(self, tmp_path: Path) -> None:
        text = "# About.\nconfig:\n  # First.\n  demo:a: 1 # one\n\n  demo:b:\n    - x\n# Last.\n"
        written = self.set(tmp_path, text)
        left = [line for line in written.splitlines() if "token" not in line and "v1:" not in line]
        assert left == text.splitlines()

    def test_a_value_is_replaced_where_it_stands(self, tmp_path: Path) -> None:
        text = "config:\n  demo:token:\n    secure: old\n    # inside\n  # about b\n  demo:b: 1\n"
        written = self.set(tmp_path, text)
        assert "old" not in written
        assert written.index("token") < written.index("# about b") < written.index("demo:b")

    @pytest.mark.parametrize("text", ["", "config: {}\n", "config:\n", "encryptionsalt_note: x\n"])
    def test_a_file_without_configuration_gets_some(self, tmp_path: Path, text: str) -> None:
        assert "demo:token:" in self.set(tmp_path, text)

    def test_another_namespace_keeps_its_name(self, tmp_path: Path) -> None:
        assert "other:token:" in self.set(tmp_path, "config:\n  other:x: 1\n", key="other:token")

    def test_the_files_mode_stays(self, tmp_path: Path) -> None:
        file = stack_file(tmp_path, "config: {}\n")
        file.path.chmod(0o640)
        file.set_secret("token", "hush", MANAGER)
        assert file.path.stat().st_mode & 0o777 == 0o640
