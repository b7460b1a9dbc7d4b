"""Files and templates of loaded plugins: the approved bytes, and nothing else that lies in their folders."""

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from pathlib import Path

from flask import Flask, Response, request
from jinja2 import BaseLoader, ChoiceLoader, Environment, PrefixLoader, TemplateNotFound
from werkzeug.wrappers import Response as AnyResponse

from sidecar.domain.errors import NotFoundError
from sidecar.plugin_manager import PackageFiles
from sidecar.web.access import access
from sidecar.web.guard import services

_YEAR_S = 31_536_000


def mount(app: Flask) -> None:
    """Serve each plugin's static/ folder below /static/x/<plugin>/, and find its pages under "<plugin>/"."""
    app.add_url_rule("/static/x/<plugin>/<path:name>", "plugin_static", access("anyone")(_static))
    files = app.extensions["tillit"].plugins.files()
    pages = PrefixLoader({plugin: _ApprovedPages(each) for plugin, each in files.items()})
    own = app.jinja_env.loader
    app.jinja_env.loader = ChoiceLoader([own, pages]) if own is not None else pages


def version(plugin: str) -> str:
    """Return a short digest of a plugin's files, one for all: its modules import each other without a version."""
    files = services().plugins.files().get(plugin)
    return files.digest.partition(":")[2][:12] if files is not None else ""


def _static(plugin: str, name: str) -> AnyResponse:
    files = services().plugins.files().get(plugin)
    data = _approved(files, f"static/{name}") if files is not None else None
    if files is None or data is None:
        raise NotFoundError("There is no such file.")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    response = Response(data, mimetype="text/javascript" if name.endswith(".js") else kind)
    response.set_etag(files.hashes[f"static/{name}"][:32])
    fresh = f"public, max-age={_YEAR_S}, immutable" if request.args.get("v") else "no-cache"
    response.headers["Cache-Control"] = fresh
    return response.make_conditional(request)


def _approved(files: PackageFiles, name: str) -> bytes | None:
    """Return a file's bytes while they are the ones that were approved."""
    if name not in files.hashes:
        return None
    try:
        data = (Path(files.root) / name).read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == files.hashes[name] else None


class _ApprovedPages(BaseLoader):
    """Templates of one plugin's templates/ folder."""

    def __init__(self, files: PackageFiles) -> None:
        self._files = files

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        data = _approved(self._files, f"templates/{template}")
        if data is None:
            raise TemplateNotFound(template)
        return data.decode("utf-8"), None, lambda: True

    def list_templates(self) -> list[str]:
        names: Mapping[str, str] = self._files.hashes
        return [name.removeprefix("templates/") for name in names if name.startswith("templates/")]
