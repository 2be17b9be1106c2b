"""The buildpack as Heroku and a cloud native lifecycle call it, with real packages, and what it built, moved and run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from driving import Page, Served, attempt, clean, run
from foreign import host_packages, sandboxes

from manypython.archives.read import members

BUILDPACK = Path(__file__).parents[3] / "buildpacks/python"
PINNED = dict(line.split("==") for line in (BUILDPACK / "tools.txt").read_text().split() if "==" in line)
STOCK = "MANYPYTHON_HEROKU_BUILDPACK"
NOBODY = 65534

GREETING = {
    "greeting/pyproject.toml": '[project]\nname = "greeting"\nversion = "1"\n[project.scripts]\ngreet = "greeting:main"\n',
    "greeting/greeting.py": "def main():\n    print('Hello from', __file__)\n",
    "layout/pyproject.toml": '[project]\nname = "layout"\nversion = "1"\n',
    "layout/src/layout/__init__.py": "",
}
"""Two projects, which setuptools installs editable in its two ways."""
DJANGO = {
    **GREETING,
    ".python-version": "3.13\n",
    "requirements.txt": "Django>=5.2,<6\ngunicorn>=23\npsycopg[binary]>=3.2,<4\ndocopt==0.6.2\n-e ./greeting\n-e ./layout\n",
    "Procfile": "web: gunicorn --bind 127.0.0.1:$PORT wsgi\n",
    "manage.py": """
import os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
""",
    "settings.py": """
import os
SECRET_KEY = os.environ["SITE_KEY"]
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "pages"
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL, STATIC_ROOT, STATICFILES_DIRS = "static/", "collected", ["assets"]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "app",
    "HOST": "127.0.0.1", "PORT": os.environ.get("DATABASE_PORT"),
}}
""",
    "assets/style.css": "body {}\n",
    "wsgi.py": """
import os
from django.core.wsgi import get_wsgi_application
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
application = get_wsgi_application()
""",
    "pages.py": """
import sys, layout, psycopg
from django.db import connection
from django.http import JsonResponse
from django.urls import path

def page(request):
    with connection.cursor() as cursor:
        cursor.execute("select 6 * 7, version()")
        answer, server = cursor.fetchone()
    return JsonResponse({
        "answer": answer, "server": server, "psycopg": psycopg.pq.__impl__, "python": sys.executable,
        "layout": layout.__file__,
    })

urlpatterns = [path("", page)]
""",
}
"""A site of one page, which asks its database."""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def builder(home: Path, *tools: Path, **more: str) -> dict[str, str]:
    """What a build has; poetry takes a proxy's certificates by requests' variable."""
    bundle = {"REQUESTS_CA_BUNDLE": os.environ["SSL_CERT_FILE"]} if "SSL_CERT_FILE" in os.environ else {}
    return clean(home, *tools, STACK="heroku-24", **bundle, **more)


@pytest.fixture
def buildpack(tmp_path: Path) -> Path:
    """A copy, which has nothing of ours around it."""
    return shutil.copytree(BUILDPACK, tmp_path / "buildpack")


def classic(
    buildpack: Path, app: Path, env: dict[str, str], index: str, place: str = "build_1", **config: str
) -> tuple[Path, str]:
    """Build a copy of an app as Heroku does; the slug, and what was said."""
    folder = buildpack.parent
    (folder / "cache").mkdir(exist_ok=True)
    write(folder / "env", {"MANYPYTHON_INDEX": index, **config})
    build = shutil.copytree(app, folder / place)
    run(env, buildpack / "bin/detect", build)
    said = run(env, buildpack / "bin/compile", build, folder / "cache", folder / "env")
    assert run(env, buildpack / "bin/release", build) == "--- {}\n"
    return build, said


def sandbox(*words: str, **env: str) -> list[str]:
    """A machine with our ``/usr``, our network and nothing else of ours."""
    return [
        "bwrap", "--unshare-all", "--share-net", "--die-with-parent", "--clearenv",
        "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc", "--symlink", "usr/bin", "/bin",
        "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
        "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
        *(part for name, value in env.items() for part in ("--setenv", name, value)), *words,
    ]  # fmt: skip


def dyno(slug: Path, command: str, **env: str) -> list[str]:
    """How a dyno runs a command: the slug is ``/app``, its profile is sourced."""
    shell = f'for each in .profile.d/*.sh; do . "$each"; done\n{command}'
    place = ("--bind", str(slug), "/app", "--chdir", "/app")
    return sandbox(*place, "bash", "-euc", shell, PATH="/usr/bin:/bin", HOME="/app", **env)


def free_port() -> str:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return str(sock.getsockname()[1])


def page(argv: list[str], port: str) -> dict[str, Any]:
    """The page of a web process, which is ended afterwards."""
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as web:
        try:
            for _ in range(100):
                with (
                    contextlib.suppress(ConnectionRefusedError),
                    socket.create_connection(("127.0.0.1", int(port))),
                ):
                    break
                time.sleep(0.1)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError as error:
            web.terminate()
            raise AssertionError(web.communicate()[1]) from error
        finally:
            web.terminate()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The port of a PostgreSQL of our own."""
    host_packages("postgresql")
    sandboxes()
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    words = (
        ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups") if os.geteuid() == 0 else ()
    )
    with tempfile.TemporaryDirectory(prefix="manypython-") as folder:
        port, data = free_port(), f"{folder}/data"
        if words:
            os.chown(folder, NOBODY, NOBODY)
        env = {"PATH": f"{programs}:/usr/sbin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        run(env, *words, "initdb", "--auth=trust", "--username=app", "--no-sync", data, cwd=Path(folder))
        options = f"-h 127.0.0.1 -p {port} -k {folder}"
        run(
            env,
            *words,
            "pg_ctl",
            "-D",
            data,
            "-o",
            options,
            "-l",
            f"{folder}/log",
            "-w",
            "start",
            cwd=Path(folder),
        )
        try:
            yield port
        finally:
            run(env, *words, "pg_ctl", "-D", data, "-m", "immediate", "stop", cwd=Path(folder))


def test_the_page(served: Served, tmp_path: Path) -> None:
    told = Page.of("heroku")
    (tmp_path / "buildpacks").symlink_to(BUILDPACK.parent)
    told.write(tmp_path, served)
    said = told.run(builder(tmp_path / "home"), tmp_path, served)
    assert "-----> Fetching cpython-3.13." in said
    assert "\ngunicorn (version " in said


def test_without_the_index_nothing_is_built(buildpack: Path, tmp_path: Path) -> None:
    app = write(tmp_path / "app", {"requirements.txt": ""})
    done = attempt(
        clean(tmp_path / "home"), buildpack / "bin/compile", app, tmp_path / "cache", tmp_path / "env"
    )
    assert done.returncode == 1
    assert "heroku config:set MANYPYTHON_INDEX=" in done.stderr
    assert not (app / ".heroku").exists()


def test_a_site_that_gives_no_answer_is_named_without_its_password(buildpack: Path, tmp_path: Path) -> None:
    host_packages("curl")
    app = write(tmp_path / "app", {"requirements.txt": ""})
    config = write(tmp_path / "env", {"MANYPYTHON_INDEX": "https://me:secret@127.0.0.1:99999/index.json"})
    done = attempt(clean(tmp_path / "home"), buildpack / "bin/compile", app, tmp_path / "cache", config)
    assert done.returncode == 1
    assert " !     https://127.0.0.1:99999/SHA256SUMS could not be fetched.\n" in done.stderr
    assert "secret" not in done.stderr


def test_the_repack_for_the_stock_buildpack_leaves_pip_to_it(served: Served) -> None:
    (packed,) = (served.folder / "heroku").glob("*.tar.zst")
    names = [str(member.name) for member in members(packed)]
    wheels = [each for each in names if "/ensurepip/_bundled/pip-" in each]
    assert [
        each for each in names if "/pip" in each and not each.startswith("lib/python3.13/ensurepip/")
    ] == []
    assert len(wheels) == 1


@pytest.mark.slow
def test_a_django_app_is_built_moved_and_serves_its_page(
    served: Served, buildpack: Path, database: str, tmp_path: Path
) -> None:
    app, env = write(tmp_path / "source", DJANGO), builder(tmp_path / "home")
    build, said = classic(buildpack, app, env, served.url, SITE_KEY="s")
    assert "-----> Fetching cpython-3.13." in said
    assert "1 static file copied" in said
    shutil.rmtree(build)
    build, said = classic(buildpack, app, env, f"file://{served.folder}", "build_2", SITE_KEY="s")
    assert "-----> Using cached cpython-3.13." in said
    assert "Using cached docopt-0.6.2-py2.py3-none-any.whl" in said, "pip compiled it again"
    assert (build / "collected/style.css").is_file()
    slug = build.rename(tmp_path / "slug")
    port = free_port()
    found = page(dyno(slug, "exec " + DJANGO["Procfile"].removeprefix("web: "), SITE_KEY="s", PORT=port,
                      DATABASE_PORT=database), port)  # fmt: skip
    assert found.pop("server").startswith("PostgreSQL ")
    assert found.pop("python").startswith("/app/.heroku/python/bin/python3")
    assert found == {"answer": 42, "psycopg": "binary", "layout": "/app/layout/src/layout/__init__.py"}
    assert run({}, *dyno(slug, "pip --version")).split()[3].startswith("/app/.heroku/python/lib/")
    assert run({}, *dyno(slug, "greet")) == "Hello from /app/greeting/greeting.py\n"
    stale = "import importlib.util as u; print(open(u.cache_from_source(u.find_spec('django').origin), 'rb').read(8)[4])"
    assert run({}, *dyno(slug, f'python -c "{stale}"')) == "3\n", (
        "bytecode does not look at the source's hash"
    )


PROJECT = """\
[project]
name = "hello"
version = "1"
requires-python = ">=3.11"
dependencies = ["gunicorn"]
scripts = {hello = "hello:main"}
"""
LOCKED = {
    "uv": {
        "pyproject.toml": PROJECT
        + """[dependency-groups]
dev = ["iniconfig"]
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""
    },
    "poetry": {
        "pyproject.toml": PROJECT
        + """[tool.poetry.group.dev.dependencies]
iniconfig = "*"
[[tool.poetry.source]]
name = "simple"
url = "@SIMPLE@"
priority = "primary"
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""
    },
    "pipenv": {
        "Pipfile": '[packages]\ngunicorn = "*"\nhello = {path = "."}\n[dev-packages]\niniconfig = "*"\n',
        "pyproject.toml": '[project]\nname = "hello"\nversion = "1"\nscripts = {hello = "hello:main"}\n',
    },
}
LOCK = {"uv": ("uv", "lock"), "poetry": ("poetry", "lock"), "pipenv": ("pipenv", "lock")}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCKED)
def test_what_a_tool_has_locked_runs_from_the_moved_slug(
    served: Served, buildpack: Path, tool: Callable[..., Path], name: str, tmp_path: Path,
) -> None:  # fmt: skip
    sandboxes()
    app = write(
        tmp_path / "source", {**LOCKED[name], "hello.py": "def main():\n    print('Hello from', __file__)\n"}
    )
    # the tests' pip knows the registry; a lock of poetry names it
    told = "from pip._internal.models.index import PyPI; print(PyPI.simple_url + '/', end='')"
    project = app / "pyproject.toml"
    project.write_text(
        project.read_text().replace("@SIMPLE@", run(dict(os.environ), sys.executable, "-c", told))
    )
    env = builder(tmp_path / "home")
    locking = builder(tmp_path / "home", tool(f"{name}=={PINNED[name]}"), PIPENV_PYTHON=sys.executable)
    run({**locking, "UV_PYTHON": sys.executable}, *LOCK[name], cwd=app)

    build, said = classic(buildpack, app, env, served.url)
    assert f"-----> Installing {name}=={PINNED[name]}" in said
    shutil.rmtree(build)
    build, said = classic(buildpack, app, env, served.url, "build_2")
    assert f"-----> Using cached {name}=={PINNED[name]}" in said
    slug = build.rename(tmp_path / "slug")
    assert run({}, *dyno(slug, "hello")).startswith("Hello from /app/")
    assert run({}, *dyno(slug, "gunicorn --version")).startswith("gunicorn (version ")
    told = "import importlib.util as u; print([n for n in ('iniconfig', 'pipenv', 'poetry', 'uv') if u.find_spec(n)])"
    assert run({}, *dyno(slug, f'python -c "{told}"')) == "[]\n"


@pytest.mark.slow
def test_a_lock_that_is_out_of_date_ends_the_build(
    served: Served, buildpack: Path, tool: Callable[..., Path], tmp_path: Path
) -> None:
    app = write(tmp_path / "app", LOCKED["uv"])
    run(builder(tmp_path / "home", tool(f"uv=={PINNED['uv']}")), "uv", "lock", cwd=app)
    project = app / "pyproject.toml"
    project.write_text(project.read_text().replace('["gunicorn"]', '["gunicorn", "packaging"]'))
    write(tmp_path / "env", {"MANYPYTHON_INDEX": served.url})
    done = attempt(
        builder(tmp_path / "home"), buildpack / "bin/compile", app, tmp_path / "cache", tmp_path / "env"
    )
    assert done.returncode == 1
    assert "uv.lock" in done.stdout
    assert done.stderr == " !     uv could not install the app's packages: see above.\n"


def restored(layers: Path) -> None:
    """What a lifecycle gives to the next build: layers that are cached, and what is known of them."""
    for toml in layers.glob("*.toml"):
        known = tomllib.loads(toml.read_text())
        if known["types"].get("cache"):
            lines = "".join(f"  {name} = {json.dumps(value)}\n" for name, value in known["metadata"].items())
            toml.write_text(f"[metadata]\n{lines}")
        else:
            toml.unlink()
            shutil.rmtree(toml.with_suffix(""))


def launched(layers: Path) -> dict[str, str]:
    """The environment that a lifecycle makes of layers, in the order of their names."""
    env = {"PATH": "/usr/bin:/bin"}
    for toml in sorted(layers.glob("*.toml")):
        if tomllib.loads(toml.read_text())["types"].get("launch"):
            layer = toml.with_suffix("")
            env["PATH"] = f"{layer}/bin:{env['PATH']}"
            env["LD_LIBRARY_PATH"] = f"{layer}/lib:{env.get('LD_LIBRARY_PATH', '')}".rstrip(":")
            for file in layer.glob("env/*"):
                env[file.stem] = file.read_text()
    return env


@pytest.mark.slow
def test_a_cloud_native_build_twice(served: Served, buildpack: Path, database: str, tmp_path: Path) -> None:
    app, layers = write(tmp_path / "workspace", DJANGO), tmp_path / "layers"
    layers.mkdir()
    write(tmp_path / "platform/env", {"MANYPYTHON_INDEX": served.url, "SITE_KEY": "s"})
    plan = tmp_path / "plan.toml"
    env = builder(
        tmp_path / "home", CNB_BUILDPACK_DIR=str(buildpack), CNB_PLATFORM_DIR=str(tmp_path / "platform"),
        CNB_BUILD_PLAN_PATH=str(plan), CNB_BP_PLAN_PATH=str(plan), CNB_LAYERS_DIR=str(layers),
        CNB_TARGET_OS="linux", CNB_TARGET_ARCH="amd64",
    )  # fmt: skip
    run(env, buildpack / "bin/detect", cwd=app)
    said = run(env, buildpack / "bin/build", cwd=app)
    assert "-----> Fetching cpython-3.13." in said
    assert "1 static file copied" in said
    restored(layers)
    assert sorted(path.name for path in layers.iterdir()) == ["cache", "cache.toml", "python", "python.toml"]
    said = run(env, buildpack / "bin/build", cwd=app)
    assert "-----> Using cached Python 3.13." in said
    assert "Fetching" not in said
    assert "Using cached docopt-0.6.2-py2.py3-none-any.whl" in said, "pip compiled it again"

    port = free_port()
    place = ("--ro-bind", str(layers), str(layers), "--bind", str(app), str(app), "--chdir", str(app))
    words = ("bash", "-euc", "exec " + DJANGO["Procfile"].removeprefix("web: "))
    found = page(
        sandbox(*place, *words, **launched(layers), SITE_KEY="s", PORT=port, DATABASE_PORT=database), port
    )
    assert (found["answer"], found["psycopg"]) == (42, "binary")
    assert found["python"].startswith(f"{layers}/venv/bin/python")


@pytest.mark.slow
def test_the_stock_buildpack_takes_our_repack(served: Served, tmp_path: Path) -> None:
    """``MANYPYTHON_HEROKU_BUILDPACK`` names a checkout of heroku-buildpack-python."""
    if STOCK not in os.environ:
        pytest.skip(f"{STOCK} names no checkout of heroku-buildpack-python")
    host_packages("zstd")
    sandboxes()
    stock = shutil.copytree(os.environ[STOCK], tmp_path / "buildpack")
    source = stock / "lib/python.sh"
    lines = source.read_text().splitlines()
    (number,) = (i for i, line in enumerate(lines) if line.startswith("S3_BASE_URL="))
    lines[number] = f"S3_BASE_URL={served.url}heroku"
    source.write_text("\n".join(lines))
    app = write(tmp_path / "app", {".python-version": "3.13\n", "requirements.txt": "gunicorn\n"})
    for each in ("cache", "env"):
        (tmp_path / each).mkdir()
    env = {**builder(tmp_path / "home"), "HOME": "/app"}
    place = ("--bind", str(tmp_path), str(tmp_path), "--dir", "/app")
    said = run(
        env,
        *sandbox(
            *place,
            str(stock / "bin/compile"),
            str(app),
            str(tmp_path / "cache"),
            str(tmp_path / "env"),
            **env,
        ),
    )
    assert "-----> Installing Python 3.13." in said
    told = dyno(app, "type pip; gunicorn --version; python -c 'import sys, ssl; print(sys.prefix)'")
    lines = run({}, *told).splitlines()
    assert (lines[0], lines[-1]) == ("pip is /app/.heroku/python/bin/pip", "/app/.heroku/python")
