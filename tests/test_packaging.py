"""The wheel: every package is listed, it holds `celldsl/` alone, and it works installed into an empty environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import celldsl

ROOT = Path(__file__).resolve().parent.parent
MAPPED = ("cli", "experiments", "generated", "specs")
PLACES = {"celldsl": "celldsl", **{f"celldsl.{place}": place for place in MAPPED}}


def packages_on_disk() -> set[str]:
    found = set()
    for package, place in PLACES.items():
        for init in (ROOT / place).rglob("__init__.py"):
            found.add(".".join([package, *init.parent.relative_to(ROOT / place).parts]))
    return found


@pytest.fixture(scope="module")
def project() -> dict:
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_is_listed(project):
    assert set(project["tool"]["setuptools"]["packages"]) == packages_on_disk()


def test_every_data_file_is_covered(project):
    """A grammar or template that the wheel leaves out fails only on users' machines."""
    patterns = project["tool"]["setuptools"]["package-data"]
    tracked = subprocess.run(["git", "ls-files", *PLACES.values()], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    data = [Path(name) for name in tracked.stdout.splitlines() if not name.endswith(".py")]
    assert data
    assert any(len(path.parts) == 3 and path.suffix == ".cell" for path in data), "no spec lies in a folder"
    homes = {Path(place): package for package, place in PLACES.items()}
    homes |= {Path(*package.split(".")): package for package in packages_on_disk() if package not in PLACES}
    for path in data:
        home = next(parent for parent in path.parents if parent in homes)
        wanted = [*patterns["*"], *patterns.get(homes[home], [])]
        inside = path.relative_to(home)
        fits = [each for each in wanted if each.count("/") == len(inside.parts) - 1 and inside.match(each)]
        assert fits, f"{path} is in no wheel"


def test_extras_table_is_that_of_pyproject(project):
    from celldsl.extras import CONTAINS, EXTRAS

    for extra, wanted in project["project"]["optional-dependencies"].items():
        if extra == "all":
            continue
        names = {requirement.split(">=")[0].strip() for requirement in wanted if not requirement.startswith("celldsl[")}
        nested = {name.partition("[")[2].strip("]") for name in wanted if name.startswith("celldsl[")}
        assert nested <= set(CONTAINS[extra])
        assert set(EXTRAS[extra].values()) <= names


def test_versions_agree():
    assert celldsl.__version__ in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, since setuptools would leave `build/` here and pack what an older build left there."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for place in PLACES.values():
        shutil.copytree(ROOT / place, source / place, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, timeout=250)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_wheel_holds_celldsl_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"celldsl", f"celldsl-{celldsl.__version__}.dist-info"}
    for name in (
        "celldsl/syntax/cell.lark",
        "celldsl/experiments/lu-salem-table-2.toml",
        "celldsl/specs/lstm.cell",
        "celldsl/specs/greff/greff_np.cell",
        "celldsl/generated/lstm.py",
        "celldsl/bench/page.html.jinja",
        "celldsl/bench/published.json",
    ):
        assert name in names


@pytest.mark.slow
def test_wheel_works_from_an_empty_folder(wheel, tmp_path):
    """Installed without its dependencies, which are borrowed from this environment: no download, and no checkout."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    bin_dir = home / ("Scripts" if sys.platform == "win32" else "bin")
    (site,) = home.glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(site)
    borrowed = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "borrowed.pth").write_text(
        borrowed.replace("\\", "/") + "\n"
    )  # a .pth there is not read again: no editable hook
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(*words: str) -> str:
        command = [str(bin_dir / "python"), "-m", "celldsl", *words]
        done = subprocess.run(command, cwd=empty, capture_output=True, text=True, timeout=250)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [str(bin_dir / "python"), "-c", "import celldsl; print(celldsl.__file__)"],
        cwd=empty,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(home)
    assert "LSTM1 is well formed" in run("check", "lstm1")
    run("compile", "lstm1", "-o", "out")
    assert (empty / "out" / "lstm1.py").is_file()
    run("bench", "--cells", "lstm3", "--epochs", "1", "--seeds", "1", "-o", "bench")
    assert (empty / "bench" / "report.html").is_file()
