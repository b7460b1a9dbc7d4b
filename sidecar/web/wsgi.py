"""What gunicorn serves: the application over the settings that TILLIT_SETTINGS names."""

from sidecar.bootstrap import build
from sidecar.logs import configure_logging
from sidecar.settings import load_settings, settings_path
from sidecar.web.app import create_app

_settings = load_settings(settings_path())
configure_logging(_settings.log.level.value)
app = create_app(build(_settings))
