"""`nemotron docs build` and `nemotron docs check`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from catalogs.helpers import Nemotron

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_stale_page_is_found_with_its_place_and_mended(nemotron: Nemotron, project: Path) -> None:
    shutil.copytree(REPOSITORY / "steps" / "env", project / "steps" / "env")
    (project / "steps" / "types.toml").write_text(
        '[types.env_toml]\ndescription = "Profiles."\n', encoding="utf-8"
    )
    built = json.loads(nemotron("docs", "build", ".", "--json").stdout)
    assert str(project / "references" / "CATALOG.md") in built["written"]
    fresh = nemotron("docs", "check", ".")
    assert (fresh.returncode, fresh.stdout) == (0, "10 generated files: up to date\n")
    page = project / "references" / "ARTIFACTS.md"
    page.write_text(page.read_text(encoding="utf-8").replace("Profiles.", "Files."), encoding="utf-8")
    found = nemotron("docs", "check", ".")
    assert found.returncode == 2
    assert "error[NMT130]: ARTIFACTS.md is not what would be generated now" in found.stderr
    assert "--> references/ARTIFACTS.md:" in found.stderr
    assert "nemotron docs build" in found.stderr
    assert nemotron("docs", "build", ".").stdout == "wrote references/ARTIFACTS.md\n"
